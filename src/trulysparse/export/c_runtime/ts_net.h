/* Inference with sparse layers in float32. C99, no state, no allocation; the C library's mathematics only where an
 * activation asks for it. Before this file macros say what is compiled: TS_NET_FULL, TS_NET_U16, TS_NET_DELTA8
 * (layers), TS_NET_SCALE, TS_NET_UNIT, TS_NET_CLEAR, TS_NET_TANH, TS_NET_SIGMOID, TS_NET_GELU, TS_NET_SILU,
 * TS_NET_SOFTMAX, TS_NET_LARGEST, TS_NET_BOUND; TS_LENGTH is the type of a row's length. */
#include <stdint.h>
#if defined(TS_NET_TANH) || defined(TS_NET_SIGMOID) || defined(TS_NET_GELU) || defined(TS_NET_SILU) || \
    defined(TS_NET_SOFTMAX) || defined(TS_NET_BOUND)
#include <math.h>
#endif

#ifndef TS_FN
#define TS_FN static inline
#endif

/* s + w * x, in one instruction where the processor has one: -std=c99 forbids the compiler to choose it. */
#if defined(__FP_FAST_FMAF)
#define TS_ADD(s, w, x) s = __builtin_fmaf(w, x, s)
#else
#define TS_ADD(s, w, x) s += (w) * (x)
#endif

/* Adds n terms, eight at a time, to two sums that do not wait for each other. */
#define TS_SUM(TERM, n, s, t)                                                                     \
    if (n & 1u) TERM(s);                                                                          \
    if (n & 2u) TERM(s), TERM(t);                                                                 \
    if (n & 4u) TERM(s), TERM(t), TERM(s), TERM(t);                                               \
    for (n >>= 3; n; --n) TERM(s), TERM(t), TERM(s), TERM(t), TERM(s), TERM(t), TERM(s), TERM(t); \
    s += t

/* Layers: y = f(W x + bias) with f(v) = v for v > 0 and slope * v else, row by row. `length` has the connections of
 * each row. bias and y may be one array: then the products are added to what it holds. x and y must not overlap. */

#ifdef TS_NET_FULL
TS_FN void ts_rows_full(const float* x, uint32_t n_in, uint32_t rows, const float* weight, const float* bias,
                        float slope, float* y) {
    const float* end = y + rows;
    while (y != end) {
        const float* from = x;
        uint32_t n = n_in;
        float s = *bias++, t = 0.0f;
#define TS_TERM(sum) (TS_ADD(sum, *weight++, *from++))
        TS_SUM(TS_TERM, n, s, t);
#undef TS_TERM
        *y++ = s > 0.0f ? s : s * slope;
    }
}
#endif

#ifdef TS_NET_U16
TS_FN void ts_rows_u16(const float* x, uint32_t rows, const TS_LENGTH* length, const uint16_t* index,
                       const float* weight, const float* bias, float slope, float* y) {
    const float* end = y + rows;
    while (y != end) {
        uint32_t n = *length++;
        float s = *bias++, t = 0.0f;
#define TS_TERM(sum) (TS_ADD(sum, *weight++, x[*index++]))
        TS_SUM(TS_TERM, n, s, t);
#undef TS_TERM
        *y++ = s > 0.0f ? s : s * slope;
    }
}
#endif

#ifdef TS_NET_DELTA8 /* step: from one connection's input to the next one's, of each row the first from 0 */
TS_FN void ts_rows_delta8(const float* x, uint32_t rows, const TS_LENGTH* length, const uint8_t* step,
                          const float* weight, const float* bias, float slope, float* y) {
    const float* end = y + rows;
    while (y != end) {
        const float* from = x;
        uint32_t n = *length++;
        float s = *bias++, t = 0.0f;
#define TS_TERM(sum) (from += *step++, TS_ADD(sum, *weight++, *from))
        TS_SUM(TS_TERM, n, s, t);
#undef TS_TERM
        *y++ = s > 0.0f ? s : s * slope;
    }
}
#endif

#ifdef TS_NET_SCALE /* y = (x - offset) * factor */
TS_FN void ts_scale(const float* x, const float* offset, const float* factor, float* y, uint32_t n) {
    for (const float* end = y + n; y != end;) *y++ = (*x++ - *offset++) * *factor++;
}
#endif

#ifdef TS_NET_UNIT /* z = z * factor + offset */
TS_FN void ts_unit(float* z, const float* factor, const float* offset, uint32_t n) {
    for (const float* end = z + n; z != end; ++z) *z = *z * *factor++ + *offset++;
}
#endif

#ifdef TS_NET_CLEAR
TS_FN void ts_clear(float* y, uint32_t n) {
    for (const float* end = y + n; y != end;) *y++ = 0.0f;
}
#endif

#ifdef TS_NET_TANH
TS_FN void ts_tanh(float* y, uint32_t n) {
    for (const float* end = y + n; y != end; ++y) *y = tanhf(*y);
}
#endif

#ifdef TS_NET_SIGMOID
TS_FN void ts_sigmoid(float* y, uint32_t n) {
    for (const float* end = y + n; y != end; ++y) *y = 1.0f / (1.0f + expf(-*y));
}
#endif

#ifdef TS_NET_GELU
TS_FN void ts_gelu(float* y, uint32_t n) {
    for (const float* end = y + n; y != end; ++y) *y = 0.5f * *y * (1.0f + erff(*y * 0.70710678f));
}
#endif

#ifdef TS_NET_SILU
TS_FN void ts_silu(float* y, uint32_t n) {
    for (const float* end = y + n; y != end; ++y) *y = *y / (1.0f + expf(-*y));
}
#endif

#ifdef TS_NET_LARGEST /* the number of the largest of n values, of equal ones the first */
TS_FN int ts_largest(const float* z, uint32_t n) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; ++i)
        if (z[i] > z[best]) best = i;
    return (int)best;
}
#endif

#ifdef TS_NET_SOFTMAX
TS_FN void ts_softmax(float* z, uint32_t n) {
    float most = z[0], sum = 0.0f;
    for (uint32_t i = 1; i < n; ++i) most = z[i] > most ? z[i] : most;
    for (uint32_t i = 0; i < n; ++i) sum += z[i] = expf(z[i] - most);
    for (uint32_t i = 0; i < n; ++i) z[i] /= sum;
}
#endif

#ifdef TS_NET_BOUND /* actions between low and high of n outputs */
TS_FN void ts_bound(float* z, const float* low, const float* high, uint32_t n) {
    for (const float* end = z + n; z != end; ++z, ++low, ++high) {
        const float value = *low + 0.5f * (tanhf(*z) + 1.0f) * (*high - *low);
        *z = value < *low ? *low : value > *high ? *high : value;
    }
}
#endif
