/* A network in training from a blob, and back. */
#ifndef TS_SAVE_H
#define TS_SAVE_H

#include "ts_memory.h"

/* To the nearest, ties to even: momentum that was float32 and goes on as bfloat16. */
TS_API uint16_t ts_nearest_half(float value) {
    const uint32_t bits = ts_bits(value);
    return (uint16_t)(ts_is_finite(value) ? (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16 : bits >> 16);
}

/* Momentum of `count` weights as the network holds it, of a blob's. */
TS_API void ts_load_velocity(const ts_train* t, ts_layer* y, uint32_t held, const uint8_t* from) {
    for (uint32_t k = 0; k < y->count; ++k) {
        float v = 0.0f;
        uint16_t half;
        if (held == TS_FLOAT32) v = ts_read_float(from + 4u * (size_t)k);
        if (held == TS_BFLOAT16) {
            memcpy(&half, from + 2u * (size_t)k, 2);
            v = ts_of_bits((uint32_t)half << 16);
        }
        if (t->config.velocity == TS_FLOAT32) ((float*)y->velocity)[k] = v;
        else ((uint16_t*)y->velocity)[k] = ts_nearest_half(v);
    }
}

/* Copies a layer's arrays from a blob that was checked; returns where the next layer's begin. */
TS_API const uint8_t* ts_load_layer(const ts_train* t, ts_layer* y, const ts_blob* b, const uint8_t* at) {
    const size_t weights = 4u * (size_t)y->count, biases = y->bias ? 4u * (size_t)y->n_out : 0u;
    const int halves = b->velocity == TS_BFLOAT16;
    const uint8_t *velocity = NULL, *bias_velocity = NULL;
    memcpy(y->start, at, 4u * (y->n_in + (size_t)1u));
    at += 4u * (y->n_in + (size_t)1u);
    if (weights) memcpy(y->weight, at, weights);
    at += weights;
    if (biases) memcpy(y->bias, at, biases);
    at += biases;
    if (b->velocity == TS_FLOAT32) velocity = at, at += weights;
    if (b->velocity != TS_NO_VELOCITY) bias_velocity = at, at += biases;
    if (halves) velocity = at, at += ts_halves(y->count);
    if (y->velocity) ts_load_velocity(t, y, b->velocity, velocity);
    if (y->bias_velocity) memset(y->bias_velocity, 0, biases);
    if (y->bias_velocity && bias_velocity) memcpy(y->bias_velocity, bias_velocity, biases);
    if (y->target) memcpy(y->target, y->weight, weights);
    if (y->bias_target) memcpy(y->bias_target, y->bias, biases);
    if (weights) memcpy(y->index, at, 2u * (size_t)y->count);
    return at + ts_halves(y->count);
}

TS_API ptrdiff_t ts_train_init(ts_train* t, void* memory, size_t bytes, const ts_train_config* c) {
    ts_blob blob;
    const ts_blob* b = NULL;
    if (!t || (c && !c->blob)) return TS_BAD_ARGUMENT;
    ptrdiff_t problem = ts_memory_problem(memory, bytes, ts_count(c, &blob, &b));
    if (problem == TS_OK) problem = ts_blob_check(&blob);
    if (problem != TS_OK) return problem;
    ts_place(t, memory, c, b);
    t->step = blob.step;
    t->evolutions = blob.evolutions;
    const uint32_t n_in = t->layers[0].n_in, n_out = ts_output_layer(t)->n_out;
    const uint8_t* at = blob.bytes + TS_BLOB_HEADER + TS_BLOB_LAYER * blob.n_layers;
    const uint32_t flags = ts_read32(blob.bytes + 20);
    if (flags & TS_BLOB_SCALED) t->offset = at, t->factor = at + 4u * (size_t)n_in, at += 8u * (size_t)n_in;
    if (flags & TS_BLOB_TARGETS_SCALED) t->target_offset = at, t->target_factor = at + 4u * (size_t)n_out;
    at = blob.bytes + blob.arrays;
    for (uint32_t l = 0; l < t->n_layers; ++l) at = ts_load_layer(t, t->layers + l, &blob, at);
    t->text = at;
    t->text_bytes = blob.text_bytes;
    return TS_OK;
}

/* Writes bytes, or zeros (from NULL), up to the next multiple of 4, and returns where the next ones go. */
TS_API uint8_t* ts_put(uint8_t* to, const void* from, size_t bytes) {
    if (from && bytes) memcpy(to, from, bytes);
    else memset(to, 0, bytes);
    memset(to + bytes, 0, (0u - bytes) & 3u);
    return to + bytes + ((0u - bytes) & 3u);
}

TS_API uint8_t* ts_put32(uint8_t* to, uint32_t value) { return ts_put(to, &value, 4); }

TS_API void ts_layer_shape(const ts_layer* y, ts_shape* s) {
    s->n_in = y->n_in, s->n_out = y->n_out, s->count = y->count;
    s->activation = y->activation, s->has_bias = y->bias ? 1u : 0u, s->slope = y->slope;
}

TS_API uint8_t* ts_save_layer(const ts_train* t, const ts_layer* y, uint8_t* to) {
    const size_t weights = 4u * (size_t)y->count, biases = y->bias ? 4u * (size_t)y->n_out : 0u;
    to = ts_put(to, y->start, 4u * (y->n_in + (size_t)1u));
    to = ts_put(to, y->weight, weights);
    to = ts_put(to, y->bias, biases);
    if (t->config.velocity == TS_FLOAT32) to = ts_put(to, y->velocity, weights);
    if (t->config.velocity != TS_NO_VELOCITY) to = ts_put(to, y->bias_velocity, biases);
    if (t->config.velocity == TS_BFLOAT16) to = ts_put(to, y->velocity, weights / 2u);
    return ts_put(to, y->index, weights / 2u);
}

TS_API size_t ts_train_save(const ts_train* t, void* buffer, size_t bytes) {
    const uint32_t n_in = t->layers[0].n_in, n_out = ts_output_layer(t)->n_out;
    uint64_t total = TS_BLOB_HEADER + TS_BLOB_LAYER * (uint64_t)t->n_layers;
    uint32_t flags = t->output | (t->skip ? (uint32_t)TS_BLOB_SKIP : 0u) | t->config.velocity << TS_BLOB_VELOCITY_SHIFT;
    if (t->offset) flags |= TS_BLOB_SCALED, total += 8u * (uint64_t)n_in;
    if (t->target_offset) flags |= TS_BLOB_TARGETS_SCALED, total += 8u * (uint64_t)n_out;
    for (uint32_t l = 0; l < t->n_layers; ++l) {
        ts_shape s;
        ts_layer_shape(t->layers + l, &s);
        total += ts_blob_layer_bytes(&s, t->config.velocity);
    }
    total += (t->text_bytes + (uint64_t)3u) / 4u * 4u;
    if (total > 0xFFFFFFFFu || total > (uint64_t)SIZE_MAX) return 0;
    if (!buffer || total > bytes) return (size_t)total;
    uint8_t* to = (uint8_t*)buffer;
    const uint32_t header[10] = {TS_BLOB_MAGIC, TS_BLOB_VERSION, (uint32_t)total, 0, t->n_layers, flags,
                                 t->step,       t->evolutions,   t->text_bytes,   0};
    to = ts_put(to, header, sizeof(header));
    for (uint32_t l = 0; l < t->n_layers; ++l) {
        const ts_layer* y = t->layers + l;
        to = ts_put32(ts_put32(ts_put32(to, y->n_in), y->n_out), y->count);
        to = ts_put32(ts_put32(to, y->activation | (y->bias ? 256u : 0u)), ts_bits(y->slope));
    }
    if (t->offset) to = ts_put(ts_put(to, t->offset, 4u * (size_t)n_in), t->factor, 4u * (size_t)n_in);
    if (t->target_offset)
        to = ts_put(ts_put(to, t->target_offset, 4u * (size_t)n_out), t->target_factor, 4u * (size_t)n_out);
    for (uint32_t l = 0; l < t->n_layers; ++l) to = ts_save_layer(t, t->layers + l, to);
    ts_put(to, t->text, t->text_bytes);
    ts_put32((uint8_t*)buffer + 12, ts_blob_checksum((const uint8_t*)buffer, (size_t)total));
    return (size_t)total;
}

#endif
