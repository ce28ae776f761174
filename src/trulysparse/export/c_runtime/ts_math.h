/* Functions that losses and activations need, without libm: the same bits on every machine that does not fuse
 * multiplications with additions. Errors are below 2e-7 of the value (ts_normal: 1e-7). Polynomials are those of
 * Moshier's Cephes library (single precision). A NaN gives a NaN. */
#ifndef TS_MATH_H
#define TS_MATH_H

#include <stdint.h>
#include <string.h>

#include "ts_random.h"

TS_API uint32_t ts_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

TS_API float ts_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* Numbers in bytes of any alignment. */
TS_API uint32_t ts_read32(const uint8_t* from) {
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return value;
}

TS_API float ts_read_float(const uint8_t* from) { return ts_of_bits(ts_read32(from)); }

/* Whether x is neither infinite nor a NaN; true under -ffast-math too. */
TS_API int ts_is_finite(float x) { return (ts_bits(x) & 0x7F800000u) != 0x7F800000u; }

TS_API float ts_polynomial(float x, const float* coefficients, int degree) {
    float y = coefficients[0];
    for (int i = 1; i <= degree; ++i) y = y * x + coefficients[i];
    return y;
}

/* e^x; 0 below -87, infinite above 88. */
TS_API float ts_exp(float x) {
    static const float p[6] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                               4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    if (!(x > -87.0f)) return x == x ? 0.0f : x;
    if (x > 88.0f) return ts_of_bits(0x7F800000u);
    const int n = (int)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    const float r = x - (float)n * 0.693359375f - (float)n * -2.12194440e-4f;
    const float y = ts_polynomial(r, p, 5) * (r * r) + r + 1.0f;
    return y * ts_of_bits((uint32_t)(n + 127) << 23);
}

/* The natural logarithm of a positive, normal number. */
TS_API float ts_log(float x) {
    static const float p[9] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                               -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                               2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
    const uint32_t bits = ts_bits(x);
    if ((bits & 0x7F800000u) == 0x7F800000u) return x;
    int n = (int)(bits >> 23) - 126;
    float m = ts_of_bits((bits & 0x007FFFFFu) | 0x3F000000u); /* in [0.5, 1) */
    if (m < 0.707106781f) m += m, --n;
    m -= 1.0f;
    const float z = m * m;
    float y = ts_polynomial(m, p, 8) * m * z;
    y += (float)n * -2.12194440e-4f;
    y += -0.5f * z;
    return m + y + (float)n * 0.693359375f;
}

TS_API float ts_sigmoid(float x) {
    if (x >= 0.0f) return 1.0f / (1.0f + ts_exp(-x));
    const float e = ts_exp(x);
    return e / (1.0f + e);
}

TS_API float ts_tanh(float x) {
    static const float p[5] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f,
                               -3.33332819422e-1f};
    const float a = x < 0.0f ? -x : x;
    if (a < 0.625f) return x + x * (x * x) * ts_polynomial(x * x, p, 4);
    const float y = 1.0f - 2.0f / (ts_exp(2.0f * a) + 1.0f);
    return x < 0.0f ? -y : y;
}

/* The standard normal distribution: the share below x. */
TS_API float ts_normal(float x) {
    static const float inner[7] = {7.853861353153693e-5f,  -8.010193625184903e-4f, 5.188327685732524e-3f,
                                   -2.685381193529856e-2f, 1.128358514861418e-1f,  -3.761262582423300e-1f,
                                   1.128379165726710f};
    static const float middle[9] = {2.326819970068386e-2f,  -1.387039388740657e-1f, 3.687424674597105e-1f,
                                    -5.824733027278666e-1f, 6.210004621745983e-1f,  -4.944515323274145e-1f,
                                    3.404879937665872e-1f,  -2.741127028184656e-1f, 5.638259427386472e-1f};
    static const float outer[8] = {-1.047766399936249e+1f, 1.297719955372516e+1f, -7.495518717768503f,
                                   2.921019019210786f,     -1.015265279202700f,   4.218463358204948e-1f,
                                   -2.820767439740514e-1f, 5.641895067754075e-1f};
    const float u = x * 0.707106781f, a = u < 0.0f ? -u : u;
    if (a < 1.0f) return 0.5f + 0.5f * u * ts_polynomial(u * u, inner, 6);
    const float q = 1.0f / a;
    const float tail =
        0.5f * ts_exp(-(a * a)) * q * (a < 2.0f ? ts_polynomial(q * q, middle, 8) : ts_polynomial(q * q, outer, 7));
    return u < 0.0f ? tail : 1.0f - tail;
}

/* The density of the standard normal distribution. */
TS_API float ts_normal_density(float x) { return 0.398942280f * ts_exp(-0.5f * x * x); }

#endif
