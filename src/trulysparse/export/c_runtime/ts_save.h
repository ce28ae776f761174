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

/* Takes a piece of a blob, on its way to a file, a radio or a flash page; returns 0, or anything else to give up. */
typedef int (*ts_writer)(void* context, const void* piece, size_t bytes);

/* Where a blob goes to: memory, a writer, or nowhere, which leaves its checksum. */
typedef struct {
    uint8_t* to;
    ts_writer write;
    void* context;
    uint32_t crc;
    int failed;
} ts_sink;

TS_API void ts_put(ts_sink* s, const void* from, size_t bytes) {
    static const uint8_t zeros[4] = {0, 0, 0, 0};
    const size_t pad = (0u - bytes) & 3u;
    if (s->to) {
        if (bytes) memcpy(s->to, from, bytes);
        memset(s->to + bytes, 0, pad);
        s->to += bytes + pad;
    } else if (s->write) {
        if (bytes && !s->failed) s->failed = s->write(s->context, from, bytes);
        if (pad && !s->failed) s->failed = s->write(s->context, zeros, pad);
    } else {
        s->crc = ts_crc32(ts_crc32(s->crc, (const uint8_t*)from, bytes), zeros, pad);
    }
}

TS_API void ts_layer_shape(const ts_layer* y, ts_shape* s) {
    s->n_in = y->n_in, s->n_out = y->n_out, s->count = y->count;
    s->activation = y->activation, s->has_bias = y->bias ? 1u : 0u, s->slope = y->slope;
}

TS_API void ts_put_layer(const ts_train* t, const ts_layer* y, ts_sink* s) {
    const size_t weights = 4u * (size_t)y->count, biases = y->bias ? 4u * (size_t)y->n_out : 0u;
    ts_put(s, y->start, 4u * (y->n_in + (size_t)1u));
    ts_put(s, y->weight, weights);
    ts_put(s, y->bias, biases);
    if (t->config.velocity == TS_FLOAT32) ts_put(s, y->velocity, weights);
    if (t->config.velocity != TS_NO_VELOCITY) ts_put(s, y->bias_velocity, biases);
    if (t->config.velocity == TS_BFLOAT16) ts_put(s, y->velocity, weights / 2u);
    ts_put(s, y->index, weights / 2u);
}

/* All of a blob that a checksum is of. */
TS_API void ts_put_blob(const ts_train* t, ts_sink* s, uint32_t total, uint32_t checksum) {
    const size_t n_in = t->layers[0].n_in, n_out = ts_output_layer(t)->n_out;
    uint32_t flags = t->output | (t->skip ? (uint32_t)TS_BLOB_SKIP : 0u) | t->config.velocity << TS_BLOB_VELOCITY_SHIFT;
    if (t->offset) flags |= TS_BLOB_SCALED;
    if (t->target_offset) flags |= TS_BLOB_TARGETS_SCALED;
    const uint32_t head[3] = {TS_BLOB_MAGIC, TS_BLOB_VERSION, total};
    const uint32_t rest[6] = {t->n_layers, flags, t->step, t->evolutions, t->text_bytes, 0};
    ts_put(s, head, sizeof(head));
    if (s->to || s->write) ts_put(s, &checksum, 4);
    ts_put(s, rest, sizeof(rest));
    for (uint32_t l = 0; l < t->n_layers; ++l) {
        const ts_layer* y = t->layers + l;
        const uint32_t kind = y->activation | (y->bias ? 256u : 0u);
        const uint32_t shape[5] = {y->n_in, y->n_out, y->count, kind, ts_bits(y->slope)};
        ts_put(s, shape, sizeof(shape));
    }
    if (t->offset) ts_put(s, t->offset, 4u * n_in), ts_put(s, t->factor, 4u * n_in);
    if (t->target_offset) ts_put(s, t->target_offset, 4u * n_out), ts_put(s, t->target_factor, 4u * n_out);
    for (uint32_t l = 0; l < t->n_layers; ++l) ts_put_layer(t, t->layers + l, s);
    ts_put(s, t->text, t->text_bytes);
}

/* Bytes of the network as a blob; 0 where they are more than a blob can have, or where there is no network. */
TS_API size_t ts_saved_bytes(const ts_train* t) {
    if (!t || !t->layers) return 0;
    uint64_t total = TS_BLOB_HEADER + TS_BLOB_LAYER * (uint64_t)t->n_layers;
    if (t->offset) total += 8u * (uint64_t)t->layers[0].n_in;
    if (t->target_offset) total += 8u * (uint64_t)ts_output_layer(t)->n_out;
    for (uint32_t l = 0; l < t->n_layers; ++l) {
        ts_shape s;
        ts_layer_shape(t->layers + l, &s);
        total += ts_blob_layer_bytes(&s, t->config.velocity);
    }
    total += (t->text_bytes + (uint64_t)3u) / 4u * 4u;
    return total > 0xFFFFFFFFu || total > (uint64_t)SIZE_MAX ? 0 : (size_t)total;
}

/* Hands the network with its momentum and counters, as a blob, to a writer, piece by piece: there need be no room for
 * it. TS_OK, TS_BAD_ARGUMENT, TS_TOO_LARGE, or what the writer gave up with. */
TS_API int ts_train_send(const ts_train* t, ts_writer write, void* context) {
    ts_sink sum = {NULL, NULL, NULL, 0, 0}, sink = {NULL, write, context, 0, 0};
    if (!t || !t->layers || !write) return TS_BAD_ARGUMENT;
    const uint32_t total = (uint32_t)ts_saved_bytes(t);
    if (!total) return TS_TOO_LARGE;
    ts_put_blob(t, &sum, total, 0);
    ts_put_blob(t, &sink, total, sum.crc);
    return sink.failed;
}

/* Writes the blob to memory. Returns its bytes where they fit, and also, with nothing written, where they do not:
 * compare with `bytes`. */
TS_API size_t ts_train_save(const ts_train* t, void* buffer, size_t bytes) {
    ts_sink sum = {NULL, NULL, NULL, 0, 0}, sink = {(uint8_t*)buffer, NULL, NULL, 0, 0};
    const size_t total = ts_saved_bytes(t);
    if (!buffer || !total || total > bytes) return total;
    ts_put_blob(t, &sum, (uint32_t)total, 0);
    ts_put_blob(t, &sink, (uint32_t)total, sum.crc);
    return total;
}

#endif
