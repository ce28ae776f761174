/* Both passes of a layer from its one copy of the connections, by input neuron. Forward, the row of an input adds to
 * the sums of the outputs that it leads to; inputs that are 0 are skipped. Backward, the row gathers the input's
 * gradient and updates its own weights and momentum in the same loop: no transposed index, no array of gradients. */
#ifndef TS_PASSES_H
#define TS_PASSES_H

#include "ts_activations.h"
#include "ts_rows.h"

/* Input i of the network for n samples, scaled; returns whether any is not 0. */
TS_API int ts_inputs(const ts_train* t, const float* x, uint32_t i, uint32_t n, float* to) {
    const uint32_t n_in = t->layers[0].n_in;
    int any = 0;
    for (uint32_t b = 0; b < n; ++b) {
        float value = x[(size_t)b * n_in + i];
        if (t->offset) {
            value = (value - ts_read_float(t->offset + 4u * (size_t)i)) * ts_read_float(t->factor + 4u * (size_t)i);
        }
        to[b] = value;
        any |= value != 0.0f;
    }
    return any;
}

/* The same of the activations of a hidden layer's neuron i. */
TS_API int ts_hidden(const ts_layer* below, const ts_dropout* d, uint32_t i, uint32_t n, float* to) {
    const float* kept = below->values + (size_t)i * n;
    int any = 0;
    for (uint32_t b = 0; b < n; ++b) {
        float value = ts_activate(below, kept[b]);
        if (d->scale != 0.0f) {
            const float factor = ts_dropped(d, i * n + b);
            value = factor == 0.0f ? 0.0f : value * factor;
        }
        to[b] = value;
        any |= value != 0.0f;
    }
    return any;
}

/* Adds W x to the layer's values. `below`: the hidden layer that it reads, NULL: the inputs. */
TS_API void ts_forward_layer(ts_train* t, const ts_layer* y, const ts_layer* below, const float* x, uint32_t n,
                             int training, int target) {
    const float* weight = target ? y->target : y->weight;
    const ts_dropout d = ts_dropout_of(t, below ? (uint32_t)(below - t->layers) : 0u, training);
    float* in = t->scratch;
    for (uint32_t i = 0; i < y->n_in; ++i) {
        const uint32_t first = y->start[i], count = y->start[i + 1u] - first;
        if (count == 0 || !(below ? ts_hidden(below, &d, i, n, in) : ts_inputs(t, x, i, n, in))) continue;
        if (n == 1u) ts_scatter(y->values, y->index + first, weight + first, count, in[0]);
        else ts_scatter_batch(y->values, y->index + first, weight + first, count, in, n);
    }
}

/* Fills the values of all layers; those of the output layer are the sums before softmax or sigmoid. */
TS_API void ts_train_forward(ts_train* t, const float* x, uint32_t n, int training, int target) {
    const uint32_t chain = t->n_layers - t->skip;
    for (uint32_t l = 0; l < chain; ++l) {
        ts_layer* y = t->layers + l;
        const float* bias = target ? y->bias_target : y->bias;
        for (uint32_t o = 0; o < y->n_out; ++o) {
            for (uint32_t b = 0; b < n; ++b) y->values[(size_t)o * n + b] = bias ? bias[o] : 0.0f;
        }
        ts_forward_layer(t, y, l ? y - 1 : NULL, x, n, training, target);
        if (y->activation == TS_TANH || y->activation == TS_SIGMOID) {
            for (size_t p = 0; p < (size_t)y->n_out * n; ++p) y->values[p] = ts_kept(y, y->values[p]);
        }
    }
    if (t->skip) ts_forward_layer(t, t->layers + chain, NULL, x, n, training, target);
}

/* The rule of this step for weights: what ts_update_row needs besides the row. */
TS_API ts_rule ts_rule_of(const ts_train* t, float rate, uint32_t layer) {
    ts_rule r;
    r.momentum = t->config.momentum;
    r.l2 = rate * t->config.l2;
    r.keep = 1.0f - t->config.decay;
    r.velocity = t->config.velocity;
    r.nesterov = t->config.nesterov;
    r.plain = r.l2 == 0.0f && r.keep == 1.0f && !r.nesterov;
    r.key = ts_key(t->config.seed, TS_FOR_ROUNDING, t->step, layer);
    return r;
}

/* A row for one sample by the plain rule; returns the gradient at the input. */
TS_API float ts_update_one(ts_layer* y, uint32_t first, uint32_t count, float step, const ts_rule* r) {
    const uint16_t* index = y->index + first;
    float* weight = y->weight + first;
    if (r->velocity == TS_NO_VELOCITY) return ts_update_still(y->values, index, weight, count, step);
    return ts_update(y->values, index, weight, (float*)y->velocity + first, count, step, r->momentum);
}

/* Updates the weights of a layer from the gradient at its sums, in y->values, and leaves the gradient at the sums of
 * the hidden layer `below` in its values. */
TS_API void ts_backward_layer(ts_train* t, ts_layer* y, ts_layer* below, const float* x, uint32_t n, float rate) {
    const ts_rule rule = ts_rule_of(t, rate, (uint32_t)(y - t->layers));
    const ts_dropout d = ts_dropout_of(t, below ? (uint32_t)(below - t->layers) : 0u, 1);
    float *in = t->scratch, *dx = t->scratch + n;
    for (uint32_t i = 0; i < y->n_in; ++i) {
        const uint32_t first = y->start[i], count = y->start[i + 1u] - first;
        if (!below && count == 0) continue;
        const int any = below ? ts_hidden(below, &d, i, n, in) : ts_inputs(t, x, i, n, in);
        for (uint32_t b = 0; b < n; ++b) in[b] *= rate, dx[b] = 0.0f;
        if (!below && !any) ts_update_idle(y, first, count, &rule);
        else if (n == 1u && rule.plain && rule.velocity != TS_BFLOAT16)
            dx[0] = ts_update_one(y, first, count, in[0], &rule);
        else ts_update_batch(y, first, count, in, dx, n, &rule);
        if (!below) continue;
        float* kept = below->values + (size_t)i * n;
        for (uint32_t b = 0; b < n; ++b) kept[b] = dx[b] * ts_dropped(&d, i * n + b) * ts_derivative(below, kept[b]);
    }
}

/* Updates a layer's biases from the gradient at its sums. */
TS_API void ts_update_biases(const ts_train* t, ts_layer* y, uint32_t n, float rate) {
    const float momentum = t->config.momentum;
    for (uint32_t o = 0; y->bias && o < y->n_out; ++o) {
        float step = 0.0f;
        for (uint32_t b = 0; b < n; ++b) step += y->values[(size_t)o * n + b];
        step *= rate;
        if (!y->bias_velocity) {
            y->bias[o] -= step;
            continue;
        }
        const float v = momentum * y->bias_velocity[o] - step;
        y->bias_velocity[o] = v;
        y->bias[o] += t->config.nesterov ? momentum * v - step : v;
    }
}

/* Goes back from the gradient at the outputs, which the output layer's values hold, and updates all weights. */
TS_API void ts_train_update(ts_train* t, const float* x, uint32_t n, float rate) {
    const uint32_t chain = t->n_layers - t->skip;
    if (t->skip) ts_backward_layer(t, t->layers + chain, NULL, x, n, rate);
    for (uint32_t l = chain; l-- > 0;) {
        ts_layer* y = t->layers + l;
        ts_update_biases(t, y, n, rate);
        ts_backward_layer(t, y, l ? y - 1 : NULL, x, n, rate);
    }
    ++t->step;
}

#endif
