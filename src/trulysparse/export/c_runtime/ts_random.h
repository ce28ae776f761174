/* Random numbers without a state: each is a function of a key and a position, so a training that is resumed gives the
 * same bits. */
#ifndef TS_RANDOM_H
#define TS_RANDOM_H

#include <stdint.h>

#if defined(__GNUC__) /* no warning of functions that a program does not call */
#define TS_API static inline __attribute__((unused))
#else
#define TS_API static inline
#endif
/* What has to be compiled into the loop around it, and what has to stay out of it, for that loop's registers. */
#if defined(__GNUC__)
#define TS_INLINE static inline __attribute__((always_inline))
#define TS_APART static __attribute__((noinline, unused))
#else
#define TS_INLINE static inline
#define TS_APART static inline
#endif

/* What a stream of random numbers is for; the first part of its key. */
enum { TS_FOR_DROPOUT = 1, TS_FOR_ROUNDING = 2, TS_FOR_EVOLUTION = 3, TS_FOR_DRAWING = 4, TS_FOR_WEIGHTS = 5 };

/* The 32-bit finaliser of the library's kernels: two multiply-xorshift rounds. */
TS_API uint32_t ts_mix(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= x >> 15;
    x *= 0x846CA68Bu;
    return x ^ (x >> 16);
}

/* The key of a stream: of one purpose, at one step, of one layer. */
TS_API uint32_t ts_key(uint32_t seed, uint32_t purpose, uint32_t step, uint32_t layer) {
    uint32_t key = ts_mix(seed + 0x9E3779B9u * purpose);
    key = ts_mix(key + 0x9E3779B9u * (step + 1u));
    return ts_mix(key + 0x9E3779B9u * (layer + 1u));
}

/* The stream's number at a position, uniform on 0 to 2^32 - 1. */
TS_API uint32_t ts_hash(uint32_t key, uint32_t position) {
    uint32_t x = position * 0x9E3779B9u + key;
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= (x >> 15) ^ key;
    x *= 0x846CA68Bu;
    return x ^ (x >> 16);
}

/* Uniform on 0 to bound - 1, but for a bias below bound / 2^32; bound is at least 1. */
TS_API uint32_t ts_below(uint32_t key, uint32_t position, uint32_t bound) {
    return (uint32_t)(((uint64_t)ts_hash(key, position) * bound) >> 32);
}

/* Uniform on (0, 1), 23 bits: exact in float32. */
TS_API float ts_uniform(uint32_t key, uint32_t position) {
    return ((float)(ts_hash(key, position) >> 9) + 0.5f) * (1.0f / 8388608.0f);
}

#endif
