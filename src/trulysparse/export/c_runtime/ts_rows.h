/* The innermost loops: one row of connections, those that lead from an input neuron to outputs. */
#ifndef TS_ROWS_H
#define TS_ROWS_H

#include "ts_math.h"
#include "ts_network.h"
#include "ts_rows_arm.h"

/* How weights of a layer follow their gradient in one step. */
typedef struct {
    float momentum, l2, keep; /* l2: times the rate; keep: 1 - decay */
    uint32_t velocity, nesterov;
    int plain;    /* neither decay nor Nesterov's momentum */
    uint32_t key; /* of the numbers that round bfloat16 */
} ts_rule;

#if !TS_ARM_ROWS
/* y[index] += weight * x for one sample; the pointers are moved to the next row. */
TS_INLINE void ts_scatter(float* y, const uint16_t** index, const float** weight, uint32_t count, float x) {
    for (uint32_t k = 0; k < count; ++k) y[(*index)[k]] += (*weight)[k] * x;
    *index += count, *weight += count;
}

/* One sample, float momentum, no decay: v = momentum * v - step * dy, weight += v, where `step` is the rate times the
 * input. Returns sum(weight * dy), the input's gradient, with the weights before; the pointers are moved. */
TS_INLINE float ts_update(const float* dy, const uint16_t** index, float** weight, float** velocity, uint32_t count,
                          float step, float momentum) {
    float dx = 0.0f, *at = *weight, *moving = *velocity;
    for (uint32_t k = 0; k < count; ++k) {
        const float d = dy[(*index)[k]], w = at[k], v = momentum * moving[k] - step * d;
        dx += w * d;
        moving[k] = v;
        at[k] = w + v;
    }
    *index += count, *weight += count, *velocity += count;
    return dx;
}

/* The same where the input is 0 and its gradient is not wanted; the pointers stay. */
TS_APART void ts_coast(float* weight, float* velocity, uint32_t count, float momentum) {
    for (uint32_t k = 0; k < count; ++k) {
        const float v = momentum * velocity[k];
        velocity[k] = v;
        weight[k] += v;
    }
}
/* Without momentum; the pointers stay. */
TS_APART float ts_update_still(const float* dy, const uint16_t* index, float* weight, uint32_t count, float step) {
    float dx = 0.0f;
    for (uint32_t k = 0; k < count; ++k) {
        const float d = dy[index[k]], w = weight[k];
        dx += w * d;
        weight[k] = w - step * d;
    }
    return dx;
}
#endif

/* bfloat16, the upper half of a float, and back. Rounded down or up by 16 random bits, so that the mean is the number.
 */
TS_API float ts_of_half(uint16_t half) { return ts_of_bits((uint32_t)half << 16); }
TS_API uint16_t ts_to_half(float value, uint32_t random) { return (uint16_t)((ts_bits(value) + (random >> 16)) >> 16); }

/* The number that rounds the next connection of a row: a linear congruential generator, whose upper 16 bits count, from
 * the hash of the row's first connection. */
TS_API uint32_t ts_next(uint32_t random) { return random * 1664525u + 1013904223u; }

/* ts_update with momentum in bfloat16; the pointers stay. */
TS_APART float ts_update_half(const float* dy, const uint16_t* index, float* weight, uint16_t* velocity, uint32_t count,
                              float step, float momentum, uint32_t random) {
    float dx = 0.0f;
    for (uint32_t k = 0; k < count; ++k) {
        const float d = dy[index[k]], w = weight[k], v = momentum * ts_of_half(velocity[k]) - step * d;
        random = ts_next(random);
        dx += w * d;
        velocity[k] = ts_to_half(v, random);
        weight[k] = w + v;
    }
    return dx;
}

/* y[index] += weight * x for n samples: y is outputs x n. */
TS_API void ts_scatter_batch(float* y, const uint16_t* index, const float* weight, uint32_t count, const float* x,
                             uint32_t n) {
    for (uint32_t k = 0; k < count; ++k) {
        float* to = y + (size_t)index[k] * n;
        const float w = weight[k];
        for (uint32_t b = 0; b < n; ++b) to[b] += w * x[b];
    }
}

/* Applies the gradient of connection k of a layer: `step` is the rate times it; random rounds it. */
TS_API void ts_apply(const ts_layer* y, uint32_t k, float step, const ts_rule* r, uint32_t random) {
    const float w = y->weight[k];
    step += r->l2 * w;
    float v = -step;
    if (r->velocity == TS_FLOAT32) {
        float* at = (float*)y->velocity + k;
        *at = v = r->momentum * *at - step;
    } else if (r->velocity == TS_BFLOAT16) {
        uint16_t* at = (uint16_t*)y->velocity + k;
        v = r->momentum * ts_of_half(*at) - step;
        *at = ts_to_half(v, random);
    }
    y->weight[k] = r->keep * w + (r->nesterov ? r->momentum * v - step : v);
}

/* The row of connections [first, first + count) for n samples: adds sum(weight * dy) to dx, and updates by the gradient
 * of the mini-batch as a whole. step: the rate times the n values of the input. */
TS_API void ts_update_batch(ts_layer* y, uint32_t first, uint32_t count, const float* step, float* dx, uint32_t n,
                            const ts_rule* r) {
    uint32_t random = ts_hash(r->key, first);
    for (uint32_t k = first; k < first + count; ++k) {
        const float* dy = y->values + (size_t)y->index[k] * n;
        const float w = y->weight[k];
        float sum = 0.0f;
        for (uint32_t b = 0; b < n; ++b) {
            dx[b] += w * dy[b];
            sum += step[b] * dy[b];
        }
        random = ts_next(random);
        ts_apply(y, k, sum, r, random);
    }
}

/* The row of an input that is 0 in all samples and whose gradient nobody wants. */
TS_API void ts_update_idle(const ts_layer* y, uint32_t first, uint32_t count, const ts_rule* r) {
    if (r->plain && r->velocity == TS_NO_VELOCITY) return;
    uint32_t random = ts_hash(r->key, first);
    for (uint32_t k = first; k < first + count; ++k) {
        random = ts_next(random);
        ts_apply(y, k, 0.0f, r, random);
    }
}

#endif
