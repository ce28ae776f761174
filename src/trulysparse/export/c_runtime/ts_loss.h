/* Losses on the values of the output layer: the mean over n samples, and its gradient in their place. */
#ifndef TS_LOSS_H
#define TS_LOSS_H

#include "ts_math.h"
#include "ts_network.h"

/* -log softmax(z)[label]; gradient (softmax - one-hot) / n. z: outputs x n. */
TS_API float ts_softmax_loss(float* z, uint32_t outputs, uint32_t n, uint32_t b, uint32_t label) {
    float top = z[b], sum = 0.0f;
    for (uint32_t o = 1; o < outputs; ++o) {
        const float value = z[(size_t)o * n + b];
        if (value > top) top = value;
    }
    const float picked = z[(size_t)label * n + b];
    for (uint32_t o = 0; o < outputs; ++o) {
        float* at = z + (size_t)o * n + b;
        *at = ts_exp(*at - top);
        sum += *at;
    }
    const float share = 1.0f / (float)n, factor = share / sum;
    for (uint32_t o = 0; o < outputs; ++o) z[(size_t)o * n + b] *= factor;
    z[(size_t)label * n + b] -= share;
    return (ts_log(sum) + top - picked) * share;
}

/* log(1 + e^z) - t * z; gradient sigmoid(z) - t, both times `share`. */
TS_API float ts_binary_loss(float* z, float target, float share) {
    const float value = *z, e = ts_exp(value < 0.0f ? value : -value),
                s = value < 0.0f ? e / (1.0f + e) : 1.0f / (1.0f + e);
    *z = (s - target) * share;
    return (ts_log(1.0f + e) + (value > 0.0f ? value : 0.0f) - target * value) * share;
}

/* (z - t)^2; gradient 2 * (z - t), both times `share`. */
TS_API float ts_squared_loss(float* z, float target, float share) {
    const float e = *z - target;
    *z = 2.0f * e * share;
    return e * e * share;
}

/* A regression's target as the network is trained on it. */
TS_API float ts_target(const ts_train* t, uint32_t o, float target) {
    if (!t->target_offset) return target;
    return (target - ts_read_float(t->target_offset + 4u * (size_t)o)) *
           ts_read_float(t->target_factor + 4u * (size_t)o);
}

/* Whether n targets can be: numbers of outputs (softmax), values from 0 to 1 (sigmoid). */
TS_API int ts_targets_problem(const ts_train* t, const float* targets, uint32_t n) {
    const uint32_t outputs = ts_output_layer(t)->n_out;
    for (uint32_t b = 0; t->output == TS_OUTPUT_SOFTMAX && b < n; ++b) {
        if (!(targets[b] >= 0.0f && targets[b] < (float)outputs)) return TS_BAD_TARGET;
        if ((float)(uint32_t)targets[b] != targets[b]) return TS_BAD_TARGET;
    }
    for (size_t p = 0; t->output == TS_OUTPUT_SIGMOID && p < (size_t)n * outputs; ++p) {
        const float target = ts_target(t, (uint32_t)(p % outputs), targets[p]);
        if (!(target >= 0.0f && target <= 1.0f)) return TS_BAD_TARGET;
    }
    return TS_OK;
}

/* Replaces the output layer's values by the gradient of the network's loss, which is returned. */
TS_API float ts_loss(ts_train* t, const float* targets, uint32_t n) {
    const ts_layer* y = ts_output_layer(t);
    const float share = 1.0f / (float)n / (float)y->n_out;
    float loss = 0.0f;
    for (uint32_t b = 0; b < n; ++b) {
        if (t->output == TS_OUTPUT_SOFTMAX) {
            loss += ts_softmax_loss(y->values, y->n_out, n, b, (uint32_t)targets[b]);
            continue;
        }
        for (uint32_t o = 0; o < y->n_out; ++o) {
            float* z = y->values + (size_t)o * n + b;
            const float target = ts_target(t, o, targets[(size_t)b * y->n_out + o]);
            loss +=
                t->output == TS_OUTPUT_SIGMOID ? ts_binary_loss(z, target, share) : ts_squared_loss(z, target, share);
        }
    }
    return loss;
}

#endif
