/* The loops of training with one sample, for Arm processors with Thumb-2 and a single-precision FPU (Cortex-M4F,
 * M7, M33): weights and momentum go through vldm and vstm, eight at a time, which compilers do not make of C. The same
 * operations in the same order as in C, each rounded by itself (vmla is not fused), so the same bits.
 * Define TS_NO_ASSEMBLER to leave it out. */
#ifndef TS_ROWS_ARM_H
#define TS_ROWS_ARM_H

#include <stdint.h>

#include "ts_random.h"

#if defined(__GNUC__) && defined(__thumb2__) && defined(__ARM_FP) && !defined(TS_NO_ASSEMBLER)
#define TS_ARM_ROWS 1
#else
#define TS_ARM_ROWS 0
#endif

#if TS_ARM_ROWS
/* clang-format off */
/* Registers that the loops share: s16-s23 weights, s24-s31 momentum, s14 and s15 what the index reaches. */
#define TS_ARM_USES "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "cc", "memory"

/* The addresses of the next one or two neurons. */
#define TS_ARM_NEXT(p) "ldrh %[" p "], [%[index]], #2\n\t"
#define TS_ARM_AT(p) "add %[" p "], %[y], %[" p "], lsl #2\n\t"

#define TS_SCATTER_1(w)                                                                                             \
    TS_ARM_NEXT("p") TS_ARM_AT("p") "vldr.32 s14, [%[p]]\n\tvmla.f32 s14, " w ", %[x]\n\tvstr.32 s14, [%[p]]\n\t"
#define TS_SCATTER_2(w, u)                                                                                          \
    TS_ARM_NEXT("p") TS_ARM_NEXT("q") TS_ARM_AT("p") TS_ARM_AT("q")                                                 \
    "vldr.32 s14, [%[p]]\n\tvldr.32 s15, [%[q]]\n\t"                                                                \
    "vmla.f32 s14, " w ", %[x]\n\tvmla.f32 s15, " u ", %[x]\n\tvstr.32 s14, [%[p]]\n\tvstr.32 s15, [%[q]]\n\t"

/* The row's pointers are moved to the next row. Eight at a time, then four, two and one by the bits of what
 * is left; `count` is then that minus 8. */
TS_INLINE void ts_scatter(float *y, const uint16_t **index, const float **weight, uint32_t count, float x) {
    uint32_t p, q;
    __asm__ volatile(
        "subs %[count], #8\n\t"
        "bmi 2f\n"
        "1:\n\t"
        "vldmia.32 %[w]!, {s16-s23}\n\t"
        TS_SCATTER_2("s16", "s17") TS_SCATTER_2("s18", "s19") TS_SCATTER_2("s20", "s21") TS_SCATTER_2("s22", "s23")
        "subs %[count], #8\n\t"
        "bpl 1b\n"
        "2:\n\t"
        "lsls %[p], %[count], #30\n\t"
        "bcc 3f\n\t"
        "vldmia.32 %[w]!, {s16-s19}\n\t"
        TS_SCATTER_2("s16", "s17") TS_SCATTER_2("s18", "s19")
        "3:\n\t"
        "bpl 4f\n\t"
        "vldmia.32 %[w]!, {s16-s17}\n\t"
        TS_SCATTER_2("s16", "s17")
        "4:\n\t"
        "lsls %[p], %[count], #31\n\t"
        "beq 5f\n\t"
        "vldmia.32 %[w]!, {s16}\n\t"
        TS_SCATTER_1("s16")
        "5:\n"
        : [index] "+r"(*index), [w] "+r"(*weight), [count] "+r"(count), [p] "=&r"(p), [q] "=&r"(q)
        : [y] "r"(y), [x] "t"(x)
        : TS_ARM_USES);
}

#define TS_UPDATE_1(w, v)                                                                                           \
    TS_ARM_NEXT("p") TS_ARM_AT("p")                                                                                 \
    "vldr.32 s14, [%[p]]\n\tvmul.f32 " v ", " v ", %[m]\n\tvmla.f32 %[dx], " w ", s14\n\t"                          \
    "vmls.f32 " v ", %[x], s14\n\tvadd.f32 " w ", " w ", " v "\n\t"
#define TS_UPDATE_2(w, v, u, z)                                                                                     \
    TS_ARM_NEXT("p") TS_ARM_NEXT("q") TS_ARM_AT("p") TS_ARM_AT("q")                                                 \
    "vldr.32 s14, [%[p]]\n\tvldr.32 s15, [%[q]]\n\t"                                                                \
    "vmul.f32 " v ", " v ", %[m]\n\tvmul.f32 " z ", " z ", %[m]\n\t"                                                \
    "vmla.f32 %[dx], " w ", s14\n\tvmls.f32 " v ", %[x], s14\n\tvmls.f32 " z ", %[x], s15\n\t"                      \
    "vmla.f32 %[dx], " u ", s15\n\tvadd.f32 " w ", " w ", " v "\n\tvadd.f32 " u ", " u ", " z "\n\t"

TS_INLINE float ts_update(const float *dy, const uint16_t **index, float **weight, float **velocity, uint32_t count,
                          float step, float momentum) {
    uint32_t p, q;
    float dx = 0.0f;
    __asm__ volatile(
        "subs %[count], #8\n\t"
        "bmi 2f\n"
        "1:\n\t"
        "vldmia.32 %[w], {s16-s23}\n\t"
        "vldmia.32 %[v], {s24-s31}\n\t"
        TS_UPDATE_2("s16", "s24", "s17", "s25") TS_UPDATE_2("s18", "s26", "s19", "s27")
        TS_UPDATE_2("s20", "s28", "s21", "s29") TS_UPDATE_2("s22", "s30", "s23", "s31")
        "vstmia.32 %[w]!, {s16-s23}\n\t"
        "vstmia.32 %[v]!, {s24-s31}\n\t"
        "subs %[count], #8\n\t"
        "bpl 1b\n"
        "2:\n\t"
        "lsls %[p], %[count], #30\n\t"
        "bcc 3f\n\t"
        "vldmia.32 %[w], {s16-s19}\n\t"
        "vldmia.32 %[v], {s24-s27}\n\t"
        TS_UPDATE_2("s16", "s24", "s17", "s25") TS_UPDATE_2("s18", "s26", "s19", "s27")
        "vstmia.32 %[w]!, {s16-s19}\n\t"
        "vstmia.32 %[v]!, {s24-s27}\n\t"
        "3:\n\t"
        "bpl 4f\n\t"
        "vldmia.32 %[w], {s16-s17}\n\t"
        "vldmia.32 %[v], {s24-s25}\n\t"
        TS_UPDATE_2("s16", "s24", "s17", "s25")
        "vstmia.32 %[w]!, {s16-s17}\n\t"
        "vstmia.32 %[v]!, {s24-s25}\n\t"
        "4:\n\t"
        "lsls %[p], %[count], #31\n\t"
        "beq 5f\n\t"
        "vldr.32 s16, [%[w]]\n\t"
        "vldr.32 s24, [%[v]]\n\t"
        TS_UPDATE_1("s16", "s24")
        "vstmia.32 %[w]!, {s16}\n\t"
        "vstmia.32 %[v]!, {s24}\n\t"
        "5:\n"
        : [index] "+r"(*index), [w] "+r"(*weight), [v] "+r"(*velocity), [count] "+r"(count), [dx] "+t"(dx),
          [p] "=&r"(p), [q] "=&r"(q)
        : [y] "r"(dy), [x] "t"(step), [m] "t"(momentum)
        : "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", TS_ARM_USES);
    return dx;
}

#define TS_COAST_1(w, v) "vmul.f32 " v ", " v ", %[m]\n\tvadd.f32 " w ", " w ", " v "\n\t"

TS_APART void ts_coast(float *weight, float *velocity, uint32_t count, float momentum) {
    __asm__ volatile(
        "subs %[count], #8\n\t"
        "bmi 2f\n"
        "1:\n\t"
        "vldmia.32 %[w], {s16-s23}\n\t"
        "vldmia.32 %[v], {s24-s31}\n\t"
        TS_COAST_1("s16", "s24") TS_COAST_1("s17", "s25") TS_COAST_1("s18", "s26") TS_COAST_1("s19", "s27")
        TS_COAST_1("s20", "s28") TS_COAST_1("s21", "s29") TS_COAST_1("s22", "s30") TS_COAST_1("s23", "s31")
        "vstmia.32 %[w]!, {s16-s23}\n\t"
        "vstmia.32 %[v]!, {s24-s31}\n\t"
        "subs %[count], #8\n\t"
        "bpl 1b\n"
        "2:\n\t"
        "adds %[count], #8\n\t"
        "beq 4f\n"
        "3:\n\t"
        "vldr.32 s16, [%[w]]\n\t"
        "vldr.32 s24, [%[v]]\n\t"
        TS_COAST_1("s16", "s24")
        "vstmia.32 %[w]!, {s16}\n\t"
        "vstmia.32 %[v]!, {s24}\n\t"
        "subs %[count], #1\n\t"
        "bne 3b\n"
        "4:\n"
        : [w] "+r"(weight), [v] "+r"(velocity), [count] "+r"(count)
        : [m] "t"(momentum)
        : "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", TS_ARM_USES);
}

#define TS_STILL_1(w)                                                                                               \
    TS_ARM_NEXT("p") TS_ARM_AT("p")                                                                                 \
    "vldr.32 s14, [%[p]]\n\tvmla.f32 %[dx], " w ", s14\n\tvmls.f32 " w ", %[x], s14\n\t"
#define TS_STILL_2(w, u)                                                                                            \
    TS_ARM_NEXT("p") TS_ARM_NEXT("q") TS_ARM_AT("p") TS_ARM_AT("q")                                                 \
    "vldr.32 s14, [%[p]]\n\tvldr.32 s15, [%[q]]\n\t"                                                                \
    "vmla.f32 %[dx], " w ", s14\n\tvmls.f32 " w ", %[x], s14\n\t"                                                   \
    "vmla.f32 %[dx], " u ", s15\n\tvmls.f32 " u ", %[x], s15\n\t"

TS_APART float ts_update_still(const float *dy, const uint16_t *index, float *weight, uint32_t count, float step) {
    uint32_t p, q;
    float dx = 0.0f;
    __asm__ volatile(
        "subs %[count], #8\n\t"
        "bmi 2f\n"
        "1:\n\t"
        "vldmia.32 %[w], {s16-s23}\n\t"
        TS_STILL_2("s16", "s17") TS_STILL_2("s18", "s19") TS_STILL_2("s20", "s21") TS_STILL_2("s22", "s23")
        "vstmia.32 %[w]!, {s16-s23}\n\t"
        "subs %[count], #8\n\t"
        "bpl 1b\n"
        "2:\n\t"
        "adds %[count], #8\n\t"
        "beq 4f\n"
        "3:\n\t"
        "vldr.32 s16, [%[w]]\n\t"
        TS_STILL_1("s16")
        "vstmia.32 %[w]!, {s16}\n\t"
        "subs %[count], #1\n\t"
        "bne 3b\n"
        "4:\n"
        : [index] "+r"(index), [w] "+r"(weight), [count] "+r"(count), [dx] "+t"(dx), [p] "=&r"(p), [q] "=&r"(q)
        : [y] "r"(dy), [x] "t"(step)
        : TS_ARM_USES);
    return dx;
}
/* clang-format on */
#endif

#endif
