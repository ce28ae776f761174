/* Where a network in training lies in the caller's memory: how many bytes it takes, and its arrays, one after the
 * other. The same walk counts and places, so the figure is exact. */
#ifndef TS_MEMORY_H
#define TS_MEMORY_H

#include "ts_blob.h"

/* Memory that is handed out from its beginning; base is NULL where bytes are only counted. */
typedef struct {
    uint8_t* base;
    uint64_t used;
} ts_room;

TS_API void* ts_take(ts_room* room, uint64_t count, uint32_t size) {
    const uint64_t at = room->used;
    room->used += (count * size + 3u) / 4u * 4u;
    return room->base && count ? room->base + at : NULL;
}

/* Connections of a layer that is drawn: epsilon * (n_in + n_out), rounded, at most all. */
TS_API uint32_t ts_drawn_count(float epsilon, uint32_t n_in, uint32_t n_out) {
    const uint64_t all = (uint64_t)n_in * n_out;
    const float wanted = epsilon * (float)(n_in + n_out);
    uint64_t count = all;
    if (wanted < 4294967040.0f) {
        const float half = wanted - (float)(uint32_t)wanted - 0.5f; /* rounded as the library does: halves to even */
        count = (uint64_t)(uint32_t)wanted + (half > 0.0f || (half == 0.0f && (uint32_t)wanted % 2u));
    }
    return (uint32_t)(count < all ? count : all);
}

/* What the caller chose, apart from the network: TS_OK where it can be. */
TS_API int ts_config_problem(const ts_train_config* c) {
    if (!c || c->batch == 0 || c->velocity > TS_BFLOAT16 || c->batch > 65536u) return TS_BAD_ARGUMENT;
    if (!(c->momentum >= 0.0f && c->momentum < 1.0f)) return TS_BAD_ARGUMENT;
    if ((c->momentum > 0.0f) != (c->velocity != TS_NO_VELOCITY)) return TS_BAD_ARGUMENT;
    if (c->nesterov > (c->momentum > 0.0f ? 1u : 0u) || c->target_network > 1u) return TS_BAD_ARGUMENT;
    if (!(c->l2 >= 0.0f && c->l2 < 1.0f) || !(c->decay >= 0.0f && c->decay < 1.0f)) return TS_BAD_ARGUMENT;
    return c->dropout >= 0.0f && c->dropout < 1.0f ? TS_OK : TS_BAD_ARGUMENT;
}

/* Whether layers can be drawn as the configuration says. */
TS_API int ts_drawing_problem(const ts_train_config* c) {
    if (!c->sizes || c->n_sizes < 2u || c->n_sizes > TS_BLOB_LAYERS || !(c->epsilon > 0.0f)) return TS_BAD_ARGUMENT;
    if (c->activation > TS_SILU || c->output > TS_OUTPUT_IDENTITY || !ts_is_finite(c->slope)) return TS_BAD_ARGUMENT;
    if (c->all_relu > 1u) return TS_BAD_ARGUMENT;
    for (uint32_t l = 0; l < c->n_sizes; ++l) {
        if (c->sizes[l] == 0) return TS_BAD_ARGUMENT;
        if (c->sizes[l] > TS_MAX_WIDTH) return TS_TOO_LARGE;
    }
    return TS_OK;
}

/* A layer of the blob (b) or, where that is NULL, of the network that is drawn. */
TS_API void ts_shape_of(const ts_train_config* c, const ts_blob* b, uint32_t layer, ts_shape* s) {
    if (b) {
        ts_blob_shape(b, layer, s);
        return;
    }
    s->n_in = c->sizes[layer];
    s->n_out = c->sizes[layer + 1u];
    s->count = ts_drawn_count(c->epsilon, s->n_in, s->n_out);
    s->activation = layer + 2u < c->n_sizes ? c->activation : (uint32_t)TS_IDENTITY;
    s->has_bias = 1;
    s->slope = c->all_relu && layer % 2u == 0 ? -c->slope : c->slope;
}

/* Gives each layer its arrays; their numbers are not set. Returns the bytes that all of them take. memory: a multiple
 * of 8, or NULL to count only (`t` may be NULL then). b: of a blob that was opened, or NULL for a network that is
 * drawn. */
TS_API uint64_t ts_place(ts_train* t, void* memory, const ts_train_config* c, const ts_blob* b) {
    ts_room room = {(uint8_t*)memory, 0};
    const uint32_t n_layers = b ? b->n_layers : c->n_sizes - 1u, skip = b ? b->skip : 0u;
    const uint32_t half = c->velocity == TS_BFLOAT16, moving = c->velocity != TS_NO_VELOCITY;
    ts_layer* layers = (ts_layer*)ts_take(&room, n_layers, sizeof(ts_layer));
    float* scratch = (float*)ts_take(&room, 4u * (uint64_t)c->batch, 4);
    for (uint32_t l = 0; l < n_layers; ++l) {
        ts_shape s;
        ts_layer y;
        ts_shape_of(c, b, l, &s);
        const uint32_t biases = s.has_bias ? s.n_out : 0u, is_skip = skip && l + 1u == n_layers;
        y.n_in = s.n_in, y.n_out = s.n_out, y.count = s.count, y.activation = s.activation, y.slope = s.slope;
        y.start = (uint32_t*)ts_take(&room, s.n_in + (uint64_t)1u, 4);
        y.index = (uint16_t*)ts_take(&room, s.count, 2);
        y.weight = (float*)ts_take(&room, s.count, 4);
        y.velocity = ts_take(&room, moving ? s.count : 0u, half ? 2 : 4);
        y.target = (float*)ts_take(&room, c->target_network ? s.count : 0u, 4);
        y.bias = (float*)ts_take(&room, biases, 4);
        y.bias_velocity = (float*)ts_take(&room, moving ? biases : 0u, 4);
        y.bias_target = (float*)ts_take(&room, c->target_network ? biases : 0u, 4);
        y.values = (float*)ts_take(&room, is_skip ? 0u : s.n_out * (uint64_t)c->batch, 4);
        if (!layers) continue;
        if (is_skip) y.values = layers[l - 1u].values;
        layers[l] = y;
    }
    if (t) {
        memset(t, 0, sizeof(*t));
        t->config = *c;
        t->n_layers = n_layers;
        t->skip = skip;
        t->output = b ? b->output : c->output;
        t->layers = layers;
        t->scratch = scratch;
    }
    return room.used;
}

/* Opens the blob that a configuration names, where it names one (`b` is for it; *found is it or NULL), and counts. */
TS_API ptrdiff_t ts_count(const ts_train_config* c, ts_blob* b, const ts_blob** found) {
    int problem = ts_config_problem(c);
    if (problem != TS_OK) return problem;
    problem = c->blob ? ts_blob_open(b, c->blob, c->blob_bytes) : ts_drawing_problem(c);
    if (problem != TS_OK) return problem;
    *found = c->blob ? b : NULL;
    const uint64_t bytes = ts_place(NULL, NULL, c, *found);
    return bytes > (uint64_t)PTRDIFF_MAX ? (ptrdiff_t)TS_TOO_LARGE : (ptrdiff_t)bytes;
}

/* Bytes that training takes besides ts_train itself, or an error below 0. */
TS_API ptrdiff_t ts_train_memory(const ts_train_config* c) {
    ts_blob blob;
    const ts_blob* found;
    return ts_count(c, &blob, &found);
}

/* Whether a block serves: TS_OK, the bytes needed where it is too small, or an error. */
TS_API ptrdiff_t ts_memory_problem(const void* memory, size_t bytes, ptrdiff_t needed) {
    if (needed < 0) return needed;
    if ((size_t)needed > bytes) return needed;
    if (!memory) return TS_BAD_ARGUMENT;
    return (uintptr_t)memory % 8u ? (ptrdiff_t)TS_MISALIGNED : (ptrdiff_t)TS_OK;
}

#endif
