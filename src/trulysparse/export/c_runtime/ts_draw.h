/* A network drawn on the device: connections anywhere (Erdos-Renyi), as many as the library draws, and weights of the
 * library's scale, so that a device can learn from nothing but sizes, an epsilon and a seed. */
#ifndef TS_DRAW_H
#define TS_DRAW_H

#include "ts_activations.h"
#include "ts_evolve.h"
#include "ts_memory.h"

/* Mean square of a layer's activations where its sums are normal with this variance: for all but TS_LEAKY and
 * TS_IDENTITY by the trapezoidal rule, which is exact to 1e-6 here. */
TS_API float ts_mean_square(const ts_layer* l, float variance) {
    if (l->activation == TS_IDENTITY) return variance;
    if (l->activation == TS_LEAKY) return variance * (1.0f + l->slope * l->slope) * 0.5f;
    const float deviation = variance > 0 ? ts_root(variance) : 0.0f;
    float sum = 0;
    for (int k = -24; k <= 24; ++k) {
        const float z = 0.25f * (float)k, y = ts_activate(l, ts_kept(l, deviation * z));
        sum += 0.25f * ts_normal_density(z) * y * y;
    }
    return sum;
}

/* Marks in a layer's values which of its outputs an input of the network reaches, `from` the marks of its inputs (NULL:
 * all). Returns the number of outputs that have connections; *share: of the connections, those from marked inputs. */
TS_API uint32_t ts_mark_reached(ts_layer* l, const float* from, float* share) {
    uint32_t live = 0, connected = 0;
    for (uint32_t o = 0; o < l->n_out; ++o) l->values[o] = 0;
    for (uint32_t i = 0; i < l->n_in; ++i) {
        for (uint32_t k = l->start[i]; k < l->start[i + 1]; ++k) {
            float* const mark = l->values + l->index[k]; /* 1: has connections, 2: and one from a marked input */
            const int marked = !from || from[i] > 1;
            live += (uint32_t)marked;
            connected += *mark < 1;
            if (*mark < 2) *mark = marked ? 2.0f : 1.0f;
        }
    }
    *share = l->count ? (float)live / (float)l->count : 0.0f;
    return connected;
}

/* Places a network of c->sizes and c->epsilon in memory (a multiple of 8), drawn by c->seed: layers of
 * epsilon * (n_in + n_out) connections, at most all. Weights are uniform on +-sqrt(6 / n_in), those of the output layer
 * such that outputs start with a standard deviation of 0.25 for inputs of variance 1 (the library's 'he_uniform' with
 * balance); biases are 0. Returns TS_OK; or, where `bytes` are too few, the bytes needed; or an error. Changes nothing
 * but in the first case. */
TS_API ptrdiff_t ts_train_draw(ts_train* t, void* memory, size_t bytes, const ts_train_config* c) {
    uint32_t words[TS_EVOLVE_WORDS];
    ts_blob blob;
    const ts_blob* found = NULL;
    if (!t || !c || c->blob) return TS_BAD_ARGUMENT;
    const ptrdiff_t needed = ts_count(c, &blob, &found), problem = ts_memory_problem(memory, bytes, needed);
    if (problem != TS_OK) return problem;
    for (uint32_t k = 1; k < c->n_sizes; ++k)
        if ((uint64_t)c->sizes[k - 1] * c->sizes[k] > 0xFFFFFFFFu) return TS_TOO_LARGE;
    memset(memory, 0, (size_t)needed);
    ts_place(t, memory, c, NULL);
    float power = 1, silent = 0, share = 1; /* of the signals that come in: mean squares of live and of other neurons */
    const float* from = NULL;
    for (uint32_t k = 0; k < t->n_layers; ++k) {
        ts_layer* const l = t->layers + k;
        const uint32_t place_key = ts_key(c->seed, TS_FOR_DRAWING, 0, k),
                       weight_key = ts_key(c->seed, TS_FOR_WEIGHTS, 0, k);
        float limit = ts_root(6.0f / (float)l->n_in);
        ts_grow(l, c->velocity, 0, k + 1 < t->n_layers ? limit : 0.0f, place_key, weight_key, words);
        const uint32_t connected = ts_mark_reached(l, from, &share);
        const float into = share * power + (1.0f - share) * silent;
        const float fan_in = (float)l->count / (float)(k + 1 < t->n_layers ? connected : l->n_out);
        if (k + 1 == t->n_layers) {
            limit = 0.25f * ts_root(3.0f / ((into > 1e-30f ? into : 1e-30f) * (fan_in > 1 ? fan_in : 1.0f)));
            for (uint32_t n = 0; n < l->count; ++n)
                l->weight[n] = (limit < 1 ? limit : 1.0f) * (2 * ts_uniform(weight_key, n) - 1);
        }
        power = ts_mean_square(l, into * (fan_in > 1 ? fan_in : 1.0f) * 2.0f / (float)l->n_in);
        silent = ts_mean_square(l, 0);
        from = l->values;
        if (l->target) memcpy(l->target, l->weight, l->count * sizeof(float));
    }
    return TS_OK;
}

#endif
