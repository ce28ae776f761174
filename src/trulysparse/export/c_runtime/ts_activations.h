/* Activations of hidden neurons and their derivatives, and dropout.
 *
 * Between the passes a layer's `values` hold, of a neuron: its activation (tanh, sigmoid), or its sum before the
 * activation (all others), from which both the activation and the derivative follow: the sign of the sum is not to be
 * had from All-ReLU's activation. Dropout is a function of its position, so no mask is kept. */
#ifndef TS_ACTIVATIONS_H
#define TS_ACTIVATIONS_H

#include "ts_math.h"
#include "ts_network.h"

/* What `values` hold, of a sum z. */
TS_API float ts_kept(const ts_layer* y, float z) {
    if (y->activation == TS_TANH) return ts_tanh(z);
    return y->activation == TS_SIGMOID ? ts_sigmoid(z) : z;
}

/* The activation, of what `values` hold. */
TS_API float ts_activate(const ts_layer* y, float kept) {
    if (y->activation == TS_LEAKY) return kept > 0.0f ? kept : kept * y->slope;
    if (y->activation == TS_GELU) return kept * ts_normal(kept);
    if (y->activation == TS_SILU) return kept * ts_sigmoid(kept);
    return kept;
}

/* The activation's derivative, of what `values` hold. */
TS_API float ts_derivative(const ts_layer* y, float kept) {
    if (y->activation == TS_LEAKY) return kept > 0.0f ? 1.0f : y->slope;
    if (y->activation == TS_TANH) return 1.0f - kept * kept;
    if (y->activation == TS_SIGMOID) return kept * (1.0f - kept);
    if (y->activation == TS_GELU) return ts_normal(kept) + kept * ts_normal_density(kept);
    if (y->activation == TS_SILU) {
        const float s = ts_sigmoid(kept);
        return s + kept * (s * (1.0f - s));
    }
    return 1.0f;
}

/* Dropout of one layer's activations in one step. */
typedef struct {
    uint32_t key, threshold; /* 16 bits of a random number below the threshold: kept */
    float scale;             /* of those that are kept: 1 / the share that is; 0: there is no dropout */
} ts_dropout;

TS_API ts_dropout ts_dropout_of(const ts_train* t, uint32_t layer, int training) {
    ts_dropout d = {0, 0, 0.0f};
    const float keep = 1.0f - t->config.dropout;
    if (!training || t->config.dropout == 0.0f) return d;
    d.key = ts_key(t->config.seed, TS_FOR_DROPOUT, t->step, layer);
    d.threshold = (uint32_t)(keep * 65536.0f + 0.5f);
    d.scale = 1.0f / keep;
    return d;
}

/* What the value at a position, neuron * n + sample, is multiplied by. */
TS_API float ts_dropped(const ts_dropout* d, uint32_t position) {
    if (d->scale == 0.0f) return 1.0f;
    return ts_hash(d->key, position) >> 16 < d->threshold ? d->scale : 0.0f;
}

#endif
