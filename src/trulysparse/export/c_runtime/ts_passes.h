/* Both passes of a layer from its one copy of the connections, by input neuron. Forward, the row of an input adds to
 * the sums of the outputs that it leads to; inputs that are 0 are skipped. Backward, the row gathers the input's
 * gradient and updates its own weights and momentum in the same loop: no transposed index, no array of gradients. */
#ifndef TS_PASSES_H
#define TS_PASSES_H

#include "ts_activations.h"
#include "ts_rows.h"

/* Input i of a sample, scaled. */
TS_API float ts_input_one(const ts_train* t, const float* x, uint32_t i) {
    if (!t->offset) return x[i];
    return (x[i] - ts_read_float(t->offset + 4u * (size_t)i)) * ts_read_float(t->factor + 4u * (size_t)i);
}

/* The same of n samples; returns whether any is not 0. */
TS_API int ts_inputs(const ts_train* t, const float* x, uint32_t i, uint32_t n, float* to) {
    const uint32_t n_in = t->layers[0].n_in;
    int any = 0;
    for (uint32_t b = 0; b < n; ++b) {
        to[b] = ts_input_one(t, x + (size_t)b * n_in, i);
        any |= to[b] != 0.0f;
    }
    return any;
}

/* The activation at a position, neuron * n + sample, of a hidden layer's values. */
TS_APART float ts_hidden_one(const ts_layer* below, const ts_dropout* d, uint32_t position) {
    const float value = ts_activate(below, below->values[position]);
    const float factor = ts_dropped(d, position);
    return factor == 0.0f ? 0.0f : value * factor;
}

/* Those of neuron i in n samples; returns whether any is not 0. */
TS_API int ts_hidden(const ts_layer* below, const ts_dropout* d, uint32_t i, uint32_t n, float* to) {
    int any = 0;
    for (uint32_t b = 0; b < n; ++b) {
        to[b] = ts_hidden_one(below, d, i * n + b);
        any |= to[b] != 0.0f;
    }
    return any;
}

/* Adds W x to the layer's values. `below`: the hidden layer that it reads, NULL: the inputs. */
TS_API void ts_forward_batch(ts_train* t, const ts_layer* y, const ts_layer* below, const ts_dropout* d, const float* x,
                             uint32_t n, const float* weight) {
    float* in = t->scratch;
    for (uint32_t i = 0; i < y->n_in; ++i) {
        const uint32_t first = y->start[i], count = y->start[i + 1u] - first;
        if (count == 0 || !(below ? ts_hidden(below, d, i, n, in) : ts_inputs(t, x, i, n, in))) continue;
        ts_scatter_batch(y->values, y->index + first, weight + first, count, in, n);
    }
}

/* The same for one sample. simple: what the layer reads is what the values below hold, but for a left slope. */
TS_INLINE void ts_forward_rows(const ts_train* t, const ts_layer* y, const ts_layer* below, const ts_dropout* d,
                               const float* x, const float* weight, int simple) {
    const uint32_t *end = y->start + 1, *const last = y->start + y->n_in;
    const uint16_t* index = y->index;
    float* const values = y->values;
    const float* kept = below ? below->values : x;
    const float slope = below && below->activation == TS_LEAKY ? below->slope : 1.0f;
    uint32_t first = 0, i = 0;
    while (end <= last) {
        const uint32_t count = *end - first;
        float value = simple ? *kept++ : 0.0f;
        if (simple) value = value > 0.0f ? value : value * slope;
        else value = below ? ts_hidden_one(below, d, i++) : ts_input_one(t, x, i++);
        first = *end++;
        if (value != 0.0f) ts_scatter(values, &index, &weight, count, value);
        else index += count, weight += count;
    }
}

/* Whether neither dropout nor a formula comes between the values of a layer (NULL: the inputs) and the next one. */
TS_API int ts_is_simple(const ts_train* t, const ts_layer* below, const ts_dropout* d) {
    if (!below) return !t->offset;
    return d->scale == 0.0f && below->activation != TS_GELU && below->activation != TS_SILU;
}

TS_API void ts_forward_layer(ts_train* t, const ts_layer* y, const ts_layer* below, const float* x, uint32_t n,
                             int training, int target) {
    const float* weight = target ? y->target : y->weight;
    const ts_dropout d = ts_dropout_of(t, below ? (uint32_t)(below - t->layers) : 0u, training);
    if (n == 1u && ts_is_simple(t, below, &d)) ts_forward_rows(t, y, below, &d, x, weight, 1);
    else if (n == 1u) ts_forward_rows(t, y, below, &d, x, weight, 0);
    else ts_forward_batch(t, y, below, &d, x, n, weight);
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

/* Updates the weights of a layer from the gradient at its sums, in y->values, and leaves the gradient at the sums of
 * the hidden layer `below` in its values. */
TS_API void ts_backward_batch(ts_train* t, ts_layer* y, ts_layer* below, const ts_dropout* d, const float* x,
                              uint32_t n, float rate, const ts_rule* rule) {
    float *in = t->scratch, *dx = t->scratch + n;
    for (uint32_t i = 0; i < y->n_in; ++i) {
        const uint32_t first = y->start[i], count = y->start[i + 1u] - first;
        const int any = below ? ts_hidden(below, d, i, n, in) : ts_inputs(t, x, i, n, in);
        for (uint32_t b = 0; b < n; ++b) in[b] *= rate, dx[b] = 0.0f;
        if (below || any) ts_update_batch(y, first, count, in, dx, n, rule);
        else ts_update_idle(y, first, count, rule);
        if (!below) continue;
        float* kept = below->values + (size_t)i * n;
        for (uint32_t b = 0; b < n; ++b) kept[b] = dx[b] * ts_dropped(d, i * n + b) * ts_derivative(below, kept[b]);
    }
}

/* The gradient at the sum of a hidden neuron, of that at what the layer above reads. */
TS_APART float ts_hidden_gradient(const ts_layer* below, const ts_dropout* d, uint32_t position, float dx) {
    return dx * ts_dropped(d, position) * ts_derivative(below, below->values[position]);
}

/* Backward for one sample, by a rule with neither decay nor Nesterov's momentum, which is float: the first layer. */
TS_API void ts_backward_inputs(const ts_train* t, const ts_layer* y, const float* x, float rate) {
    const uint32_t *end = y->start + 1, *const last = y->start + y->n_in;
    const uint16_t* index = y->index;
    float *weight = y->weight, *velocity = (float*)y->velocity;
    const float momentum = t->config.momentum;
    for (uint32_t i = 0; end <= last; ++end, ++i) {
        const uint32_t count = end[0] - end[-1];
        const float value = ts_input_one(t, x, i);
        if (value != 0.0f) {
            ts_update(y->values, &index, &weight, &velocity, count, value * rate, momentum);
        } else {
            ts_coast(weight, velocity, count, momentum);
            index += count, weight += count, velocity += count;
        }
    }
}

/* The same of a layer that reads a hidden one. */
TS_API void ts_backward_hidden(const ts_train* t, const ts_layer* y, ts_layer* below, const ts_dropout* d, float rate) {
    const uint32_t *end = y->start + 1, *const last = y->start + y->n_in;
    const uint16_t* index = y->index;
    float *weight = y->weight, *velocity = (float*)y->velocity, *kept = below->values;
    const float *const dy = y->values, momentum = t->config.momentum, slope = below->slope;
    const int simple = below->activation == TS_LEAKY && d->scale == 0.0f;
    for (; end <= last; ++end, ++kept) {
        const uint32_t count = end[0] - end[-1];
        const float factor = *kept > 0.0f ? 1.0f : slope;
        float value = *kept * factor;
        if (!simple) value = ts_hidden_one(below, d, (uint32_t)(kept - below->values));
        const float dx = ts_update(dy, &index, &weight, &velocity, count, value * rate, momentum);
        if (simple) *kept = dx * factor;
        else *kept = ts_hidden_gradient(below, d, (uint32_t)(kept - below->values), dx);
    }
}

/* Both, without momentum or with momentum in bfloat16. */
TS_API void ts_backward_one(const ts_train* t, const ts_layer* y, ts_layer* below, const ts_dropout* d, const float* x,
                            float rate, const ts_rule* r) {
    for (uint32_t i = 0; i < y->n_in; ++i) {
        const uint32_t first = y->start[i], count = y->start[i + 1u] - first;
        const float value = below ? ts_hidden_one(below, d, i) : ts_input_one(t, x, i), step = value * rate;
        const uint16_t* index = y->index + first;
        float *weight = y->weight + first, dx = 0.0f;
        uint16_t* half = r->velocity == TS_BFLOAT16 ? (uint16_t*)y->velocity + first : NULL;
        if (!below && value == 0.0f) ts_update_idle(y, first, count, r);
        else if (r->velocity == TS_NO_VELOCITY) dx = ts_update_still(y->values, index, weight, count, step);
        else dx = ts_update_half(y->values, index, weight, half, count, step, r->momentum, ts_hash(r->key, first));
        if (below) below->values[i] = ts_hidden_gradient(below, d, i, dx);
    }
}

TS_API void ts_backward_layer(ts_train* t, ts_layer* y, ts_layer* below, const float* x, uint32_t n, float rate) {
    const ts_rule rule = ts_rule_of(t, rate, (uint32_t)(y - t->layers));
    const ts_dropout d = ts_dropout_of(t, below ? (uint32_t)(below - t->layers) : 0u, 1);
    if (n > 1u || !rule.plain) ts_backward_batch(t, y, below, &d, x, n, rate, &rule);
    else if (rule.velocity != TS_FLOAT32) ts_backward_one(t, y, below, &d, x, rate, &rule);
    else if (below) ts_backward_hidden(t, y, below, &d, rate);
    else ts_backward_inputs(t, y, x, rate);
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
