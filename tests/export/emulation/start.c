/* Start code, semihosting and counting of instructions on the emulated boards, without a C library's start files. */
#include "device.h"

extern uint32_t data_load[], data_begin[], data_end[], bss_begin[], bss_end[], stack_top[];
extern int main(void);
void device_reset(void);
void device_fault(void);

enum {
    STACK_PAINT = 0x5AFE57AC,
    UNTOUCHED = 16,
    GUARD = 64,
    FAULT = 100,
    INPUT_ENDED = 101,
    STACK_FULL = 102,
    NO_FILE = 103
};
enum { SYS_OPEN = 1, SYS_WRITE0 = 4, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT_EXTENDED = 0x20 };
enum { OPEN_READ_BINARY = 1, OPEN_WRITE_BINARY = 5, APPLICATION_EXIT = 0x20026 };

#if defined(__arm__)

static uintptr_t semihosting(uintptr_t operation, const void* argument) {
    register uintptr_t r0 __asm__("r0") = operation;
    register const void* r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static uint32_t* stack_pointer(void) {
    uint32_t* sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

/* The vector table: stack, start, and a fault for all else. */
__asm__(".section .vectors, \"a\"\n.word stack_top\n.word device_reset\n.rept 14\n.word device_fault\n.endr\n.text\n");

static void processor_start(void) {
#if defined(__ARM_FP)
    *(volatile uint32_t*)0xE000ED88 |= 0xFu << 20; /* CPACR: the floating point unit */
    __asm__ volatile("dsb\n isb");
#endif
}

#if defined(BOARD_NRF51) /* TIMER0, 16 MHz: 2.048 ticks an instruction of 128 ns */
#define REGISTER(offset) (*(volatile uint32_t*)(0x40008000 + (offset)))
static void timer_start(void) {
    REGISTER(0x504) = 0;
    REGISTER(0x508) = 3; /* 32 bits */
    REGISTER(0x510) = 0;
    REGISTER(0x000) = 1;
}
static uint32_t timer_ticks(void) {
    REGISTER(0x040) = 1;
    return REGISTER(0x540);
}
enum { TICKS_NUMERATOR = 256, TICKS_DENOMINATOR = 125 };
#else /* CMSDK timer 0, 25 MHz, counts down: 3.2 ticks an instruction of 128 ns */
#define REGISTER(offset) (*(volatile uint32_t*)(0x40000000 + (offset)))
static void timer_start(void) {
    REGISTER(8) = 0xFFFFFFFF;
    REGISTER(4) = 0xFFFFFFFF;
    REGISTER(0) = 1;
}
static uint32_t timer_ticks(void) { return ~REGISTER(4); }
enum { TICKS_NUMERATOR = 16, TICKS_DENOMINATOR = 5 };
#endif

#elif defined(__riscv)

uintptr_t semihosting(uintptr_t operation, const void* argument);
__asm__( /* the host knows a call by these three instructions, uncompressed and within one page */
        ".section .text.semihosting, \"ax\"\n.option push\n.option norvc\n.option norelax\n.balign 16\nsemihosting:\n"
        "slli zero, zero, 0x1f\nebreak\nsrai zero, zero, 7\nret\n.option pop\n.text\n");

static uint32_t* stack_pointer(void) {
    uint32_t* sp;
    __asm__ volatile("mv %0, sp" : "=r"(sp));
    return sp;
}

/* The hart starts here: stack, global and thread pointers, traps, the floating point unit. */
__asm__(
    ".section .vectors, \"ax\"\n.global device_entry\ndevice_entry:\n"
    ".option push\n.option norelax\nla gp, __global_pointer$\n.option pop\n"
    "la sp, stack_top\nla tp, tls_begin\nla t0, device_fault\ncsrw mtvec, t0\n"
    "li t0, 0x6000\ncsrs mstatus, t0\nj device_reset\n.text\n");

static void processor_start(void) {}
static void timer_start(void) {}
static uint32_t timer_ticks(void) { /* instret counts virtual nanoseconds under -icount: 128 an instruction */
    uint32_t low, high;
    __asm__ volatile("csrr %0, instret\ncsrr %1, instreth" : "=r"(low), "=r"(high));
    return low >> 5 | high << 27;
}
enum { TICKS_NUMERATOR = 4, TICKS_DENOMINATOR = 1 };

#endif

static intptr_t input = -1, output = -1;
static uint32_t counted_from, count_itself;

static intptr_t opened(const char* name, uintptr_t mode) {
    uintptr_t length = 0;
    while (name[length]) length++;
    const uintptr_t arguments[3] = {(uintptr_t)name, mode, length};
    const intptr_t file = (intptr_t)semihosting(SYS_OPEN, arguments);
    if (file == -1) {
        device_print("cannot open ");
        device_print(name);
        device_exit(NO_FILE);
    }
    return file;
}

void device_read(void* to, size_t bytes) {
    if (input == -1) input = opened("input", OPEN_READ_BINARY);
    const uintptr_t arguments[3] = {(uintptr_t)input, (uintptr_t)to, bytes};
    if (bytes && semihosting(SYS_READ, arguments) != 0) device_exit(INPUT_ENDED);
}

void device_write(const void* from, size_t bytes) {
    if (output == -1) output = opened("output", OPEN_WRITE_BINARY);
    const uintptr_t arguments[3] = {(uintptr_t)output, (uintptr_t)from, bytes};
    if (bytes && semihosting(SYS_WRITE, arguments) != 0) device_exit(NO_FILE);
}

void device_print(const char* text) { semihosting(SYS_WRITE0, text); }

void device_print_number(int32_t number) {
    char text[12], *at = text + 11;
    uint32_t rest = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;
    *at = 0;
    do *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0) *--at = '-';
    device_print(at);
}

void device_exit(int code) {
    if (device_stack_used() + GUARD > device_stack_space()) code = STACK_FULL;
    const uintptr_t arguments[2] = {APPLICATION_EXIT, (uintptr_t)code};
    semihosting(SYS_EXIT_EXTENDED, arguments);
    for (;;) {}
}

__attribute__((aligned(4))) void device_fault(void) {
    device_print("the processor met a fault\n");
    const uintptr_t arguments[2] = {APPLICATION_EXIT, FAULT};
    semihosting(SYS_EXIT_EXTENDED, arguments);
    for (;;) {}
}

__attribute__((noinline)) void device_count_start(void) { counted_from = timer_ticks(); }

__attribute__((noinline)) uint32_t device_count_stop(void) {
    const uint64_t ticks = (uint32_t)(timer_ticks() - counted_from);
    const uint64_t instructions = (ticks * TICKS_DENOMINATOR + TICKS_NUMERATOR / 2) / TICKS_NUMERATOR;
    return (uint32_t)instructions - count_itself;
}

uint32_t device_stack_space(void) { return (uint32_t)((uintptr_t)stack_top - (uintptr_t)bss_end); }

uint32_t device_stack_used(void) {
    const uint32_t* word = bss_end;
    while (word < stack_top && *word == STACK_PAINT) word++;
    return (uint32_t)((uintptr_t)stack_top - (uintptr_t)word);
}

__attribute__((used)) void device_reset(void) {
    processor_start();
    for (uint32_t *to = data_begin, *from = data_load; to < data_end;) *to++ = *from++;
    for (uint32_t* to = bss_begin; to < bss_end;) *to++ = 0;
    for (volatile uint32_t* word = bss_end; word < stack_pointer() - UNTOUCHED; word++) *word = STACK_PAINT;
    timer_start();
    COUNT_START();
    count_itself = COUNT_STOP(); /* the pair's own instructions */
    device_exit(main());
}
