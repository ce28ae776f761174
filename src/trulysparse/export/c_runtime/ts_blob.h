/* A network as bytes: what Python writes for a device (flash), what a device saves, what Python reads back.
 *
 * All numbers are little-endian, floats are IEEE single precision, and each array begins at a multiple of 4:
 *
 *     0   "TSNB"                         20  flags: bits 0-1 output, 2 skip layer, 3 scaling of inputs,
 *     4   version, 1                             4 scaling of targets, 5-6 momentum (0 none, 1 float32, 2 bfloat16)
 *     8   bytes in all                   24  steps so far
 *     12  CRC-32 of all other bytes      28  evolutions so far
 *     16  layers, a skip layer included  32  bytes of text
 *                                        36  0
 *     40  20 bytes for each layer: n_in, n_out, connections, activation + 256 where it has biases, slope (float)
 *     then offset and factor of the inputs, of the targets
 *     then for each layer: n_in + 1 row starts; weights by input neuron; biases; momentum of weights (float32), of
 *     biases; momentum of weights (bfloat16); numbers of the output neurons (16 bits)
 *     then the text, JSON in UTF-8, which a device keeps as it is
 */
#ifndef TS_BLOB_H
#define TS_BLOB_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ts_math.h"
#include "ts_network.h"

#define TS_BLOB_MAGIC 0x424E5354u /* "TSNB" */
#define TS_BLOB_VERSION 1u
#define TS_BLOB_HEADER 40u
#define TS_BLOB_LAYER 20u
#define TS_BLOB_LAYERS 1024u /* at most */

enum { TS_BLOB_SKIP = 4, TS_BLOB_SCALED = 8, TS_BLOB_TARGETS_SCALED = 16, TS_BLOB_VELOCITY_SHIFT = 5 };

/* What a layer is before it has memory. */
typedef struct {
    uint32_t n_in, n_out, count, activation, has_bias;
    float slope;
} ts_shape;

/* A blob whose header was checked. */
typedef struct {
    const uint8_t* bytes;
    uint32_t size, n_layers, output, skip, velocity, step, evolutions, text_bytes;
    uint32_t arrays; /* where the arrays of the first layer begin */
} ts_blob;

/* Whether this machine holds numbers as blobs do. */
TS_API int ts_little_endian(void) {
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first;
}

/* CRC-32 (IEEE 802.3) of more bytes; begin with 0. */
TS_API uint32_t ts_crc32(uint32_t crc, const uint8_t* bytes, size_t count) {
    static const uint32_t table[16] = {0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
                                       0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
                                       0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};
    crc = ~crc;
    for (size_t i = 0; i < count; ++i) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return ~crc;
}

/* The checksum that a blob of this size should hold. */
TS_API uint32_t ts_blob_checksum(const uint8_t* bytes, size_t size) {
    return ts_crc32(ts_crc32(0, bytes, 12), bytes + 16, size - 16);
}

/* Bytes of `count` 16-bit numbers, up to the next multiple of 4. */
TS_API uint64_t ts_halves(uint64_t count) { return (count + 1u) / 2u * 4u; }

/* Bytes of a layer's arrays in a blob. */
TS_API uint64_t ts_blob_layer_bytes(const ts_shape* s, uint32_t velocity) {
    const uint64_t count = s->count, biases = s->has_bias ? s->n_out : 0u;
    uint64_t bytes = 4u * (s->n_in + (uint64_t)1u) + 4u * count + 4u * biases + ts_halves(count);
    if (velocity != TS_NO_VELOCITY) bytes += 4u * biases + (velocity == TS_FLOAT32 ? 4u * count : ts_halves(count));
    return bytes;
}

TS_API void ts_blob_shape(const ts_blob* b, uint32_t layer, ts_shape* s) {
    const uint8_t* at = b->bytes + TS_BLOB_HEADER + TS_BLOB_LAYER * layer;
    s->n_in = ts_read32(at);
    s->n_out = ts_read32(at + 4);
    s->count = ts_read32(at + 8);
    s->activation = ts_read32(at + 12) & 255u;
    s->has_bias = ts_read32(at + 12) >> 8;
    s->slope = ts_read_float(at + 16);
}

/* Whether a layer can be; `s` is the one after `before` (NULL: the first). */
TS_API int ts_shape_problem(const ts_shape* s, const ts_shape* before) {
    if (s->n_in == 0 || s->n_out == 0 || s->has_bias > 1u || s->activation > TS_SILU) return TS_CORRUPT;
    if (s->n_in > TS_MAX_WIDTH || s->n_out > TS_MAX_WIDTH) return TS_TOO_LARGE;
    if (s->count > (uint64_t)s->n_in * s->n_out || !ts_is_finite(s->slope)) return TS_CORRUPT;
    return before && before->n_out != s->n_in ? TS_CORRUPT : TS_OK;
}

/* Reads a header; nothing beyond `size` bytes. The arrays are looked at by ts_blob_check. */
TS_API int ts_blob_open(ts_blob* b, const void* blob, size_t size) {
    const uint8_t* bytes = (const uint8_t*)blob;
    ts_shape s, before, first;
    if (!blob || !ts_little_endian()) return blob ? TS_UNSUPPORTED : TS_BAD_ARGUMENT;
    if (size < TS_BLOB_HEADER || ts_read32(bytes) != TS_BLOB_MAGIC) return TS_NOT_A_BLOB;
    if (ts_read32(bytes + 4) != TS_BLOB_VERSION) return TS_NOT_A_BLOB;
    const uint32_t flags = ts_read32(bytes + 20);
    b->bytes = bytes;
    b->size = ts_read32(bytes + 8);
    b->n_layers = ts_read32(bytes + 16);
    b->output = flags & 3u;
    b->skip = flags & TS_BLOB_SKIP ? 1u : 0u;
    b->velocity = (flags >> TS_BLOB_VELOCITY_SHIFT) & 3u;
    b->step = ts_read32(bytes + 24);
    b->evolutions = ts_read32(bytes + 28);
    b->text_bytes = ts_read32(bytes + 32);
    if (b->size > size || flags > 127u || b->output == 3u || b->velocity == 3u) return TS_CORRUPT;
    if (b->n_layers <= b->skip || b->n_layers > TS_BLOB_LAYERS) return TS_CORRUPT;
    uint64_t total = TS_BLOB_HEADER + (uint64_t)TS_BLOB_LAYER * b->n_layers;
    if (total > b->size) return TS_CORRUPT;
    const uint32_t chain = b->n_layers - b->skip;
    uint64_t arrays = 0;
    ts_blob_shape(b, 0, &first);
    s = before = first;
    for (uint32_t l = 0; l < b->n_layers; ++l) {
        ts_blob_shape(b, l, &s);
        const int problem = ts_shape_problem(&s, l == 0 || l == chain ? NULL : &before);
        if (problem != TS_OK) return problem;
        if (l + 1u >= chain && s.activation != TS_IDENTITY) return TS_CORRUPT;
        if (l == chain && (s.n_in != first.n_in || s.n_out != before.n_out || s.has_bias)) return TS_CORRUPT;
        arrays += ts_blob_layer_bytes(&s, b->velocity);
        before = s;
    }
    /* s.n_out is the number of outputs, whether or not the last is a skip layer. */
    if (flags & TS_BLOB_SCALED) total += 8u * (uint64_t)first.n_in;
    if (flags & TS_BLOB_TARGETS_SCALED) total += 8u * (uint64_t)s.n_out;
    b->arrays = (uint32_t)total;
    return total + arrays + (b->text_bytes + (uint64_t)3u) / 4u * 4u == b->size ? TS_OK : TS_CORRUPT;
}

TS_API int ts_floats_problem(const uint8_t* from, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i)
        if (!ts_is_finite(ts_read_float(from + 4u * (size_t)i))) return TS_CORRUPT;
    return TS_OK;
}

TS_API int ts_rows_problem(const uint8_t* start, const uint8_t* index, const ts_shape* s) {
    if (ts_read32(start) != 0 || ts_read32(start + 4u * (size_t)s->n_in) != s->count) return TS_CORRUPT;
    for (uint32_t i = 0; i < s->n_in; ++i) {
        const uint32_t first = ts_read32(start + 4u * (size_t)i), end = ts_read32(start + 4u * (size_t)i + 4u);
        uint32_t least = 0;
        if (first > end || end > s->count) return TS_CORRUPT;
        for (uint32_t k = first; k < end; ++k) {
            const uint32_t o = (uint32_t)(index[2u * (size_t)k] | index[2u * (size_t)k + 1u] << 8);
            if (o < least || o >= s->n_out) return TS_CORRUPT;
            least = o + 1u;
        }
    }
    return TS_OK;
}

/* The checksum, and all numbers that memory is reached by. */
TS_API int ts_blob_check(const ts_blob* b) {
    if (ts_read32(b->bytes + 12) != ts_blob_checksum(b->bytes, b->size)) return TS_CORRUPT;
    const uint8_t* at = b->bytes + b->arrays;
    const uint32_t scaled = (b->arrays - TS_BLOB_HEADER - TS_BLOB_LAYER * b->n_layers) / 4u;
    if (ts_floats_problem(at - 4u * (size_t)scaled, scaled) != TS_OK) return TS_CORRUPT;
    for (uint32_t l = 0; l < b->n_layers; ++l) {
        ts_shape s;
        ts_blob_shape(b, l, &s);
        const uint8_t *start = at, *end = at + ts_blob_layer_bytes(&s, b->velocity);
        const uint8_t* index = end - ts_halves(s.count);
        const uint32_t floats = s.count + (s.has_bias ? s.n_out : 0u);
        if (ts_rows_problem(start, index, &s) != TS_OK) return TS_CORRUPT;
        if (ts_floats_problem(start + 4u * (s.n_in + (size_t)1u), floats) != TS_OK) return TS_CORRUPT;
        at = end;
    }
    return TS_OK;
}

#endif
