/* What a program on an emulated board needs of its host: numbers in and out, exact instruction counts, the deepest
 * stack. Files "input" and "output" lie in the folder in which the emulator runs; text goes to its standard error. */
#ifndef DEVICE_H
#define DEVICE_H

#include <stddef.h>
#include <stdint.h>

/* Reads the next bytes of "input". Ends the program with exit code 101 where there are fewer. */
void device_read(void* to, size_t bytes);
/* Appends bytes to "output". */
void device_write(const void* from, size_t bytes);
void device_print(const char* text);
void device_print_number(int32_t number);
/* Ends the program. Code 102 takes its place where the stack has come within 64 bytes of the variables. Returning from
 * main does the same. */
void device_exit(int code);

/* Instructions between the two, up to 1.3 * 10^9. They are exact: the emulator's clock moves by instructions. */
#define COUNT_START() device_count_start()
#define COUNT_STOP() device_count_stop()
void device_count_start(void);
uint32_t device_count_stop(void);

/* Bytes of the deepest stack since the start, and bytes between the variables and the end of the RAM. */
uint32_t device_stack_used(void);
uint32_t device_stack_space(void);

#endif
