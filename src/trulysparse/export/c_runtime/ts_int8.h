/* Inference in eight bits: weights, activations and tables of one byte, sums of 32 bits.
 *
 * All arithmetic on samples is that of integers, but for the way in, (x - offset) * factor, and the way out,
 * sum * scale + offset, whose every operation is rounded to float on its own. So results are the same bits with every
 * C99 compiler, at every optimisation that keeps to the standard, and on every processor with IEEE floats.
 * No allocation, no library but <stdint.h>, <stddef.h> and <float.h>; sums cannot overflow (see `ts_int8_layer`). */
#ifndef TS_INT8_H
#define TS_INT8_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#ifndef TS_UNUSED
#if defined(__GNUC__)
#define TS_UNUSED __attribute__((unused))
#else
#define TS_UNUSED
#endif
#endif

/* A float in which an operation ends: volatile, so that no compiler fuses a multiplication with the addition after it.
 * Where floats are computed with more digits than they have (x87), each result goes through memory for the same end. */
typedef volatile float ts_int8_rounded;

enum { TS_INT8_FULL = 0, TS_INT8_U16 = 1, TS_INT8_DELTA8 = 2 };

/* A layer by output neuron. Its rows lie one after the other in `weight` and `index`.
 *
 * index: of form U16 the numbers of inputs (uint16_t); of DELTA8 the distance to the input before, in one byte, the
 *   first from input 0 (connections of weight 0 bridge what is further); of FULL none, each row has all inputs.
 * length: connections of each row in 1, 2 or 4 bytes (length_bytes); of FULL none.
 * bias: in the unit of the sums. For each row 128 * sum |weight| + |bias| < 2^31.
 * Of a hidden layer an output is sum * multiplier * (sum < 0 ? negative : positive) / 2^shift, rounded to the nearest,
 *   halves up, and clamped to [-127, 127]; then table[it as uint8_t], where there is a table. 33 <= shift <= 62,
 *   |positive| and |negative| <= 2^15.
 * Of the output layer a score is sum * scale + offset; offset may be 0 for none. */
typedef struct {
    const int8_t *weight;
    const void *index;
    const void *length;
    const int32_t *bias;
    const uint16_t *multiplier;
    const int8_t *table;
    uint32_t n_in;
    uint32_t n_out;
    int32_t positive;
    int32_t negative;
    uint8_t form;
    uint8_t length_bytes;
    uint8_t shift;
} ts_int8_layer;

/* Where a walk through a layer's rows has come to. */
typedef struct {
    const int8_t *weight;
    const uint8_t *index;
    const uint8_t *length;
} ts_int8_place;

static inline ts_int8_place ts_int8_first(const ts_int8_layer *layer) {
    ts_int8_place place;
    place.weight = layer->weight;
    place.index = (const uint8_t *)layer->index;
    place.length = (const uint8_t *)layer->length;
    return place;
}

/* sum + the products of the next row with x. Four connections a turn, and no branch in them. */
static inline int32_t ts_int8_row(const ts_int8_layer *layer, ts_int8_place *place, const int8_t *x, int32_t sum) {
    const int8_t *w = place->weight;
    uint32_t n;
    if (layer->length_bytes == 1) {
        n = *place->length++;
    } else if (layer->length_bytes == 2) {
        n = *(const uint16_t *)(const void *)place->length;
        place->length += 2;
    } else if (layer->length_bytes == 4) {
        n = *(const uint32_t *)(const void *)place->length;
        place->length += 4;
    } else {
        n = layer->n_in;
    }
    if (layer->form == TS_INT8_DELTA8) {
        const uint8_t *d = place->index;
        for (; n >= 4; n -= 4, w += 4, d += 4) {
            x += d[0];
            sum += w[0] * x[0];
            x += d[1];
            sum += w[1] * x[0];
            x += d[2];
            sum += w[2] * x[0];
            x += d[3];
            sum += w[3] * x[0];
        }
        for (; n != 0; n--) {
            x += *d++;
            sum += *w++ * x[0];
        }
        place->index = d;
    } else if (layer->form == TS_INT8_U16) {
        const uint16_t *i = (const uint16_t *)(const void *)place->index;
        for (; n >= 4; n -= 4, w += 4, i += 4) {
            sum += w[0] * x[i[0]];
            sum += w[1] * x[i[1]];
            sum += w[2] * x[i[2]];
            sum += w[3] * x[i[3]];
        }
        for (; n != 0; n--) sum += *w++ * x[*i++];
        place->index = (const uint8_t *)i;
    } else {
        for (; n >= 4; n -= 4, w += 4, x += 4) {
            sum += w[0] * x[0];
            sum += w[1] * x[1];
            sum += w[2] * x[2];
            sum += w[3] * x[3];
        }
        for (; n != 0; n--) sum += *w++ * *x++;
    }
    place->weight = w;
    return sum;
}

/* A hidden layer: y[o] in [-127, 127]. */
TS_UNUSED static void ts_int8_hidden(const ts_int8_layer *layer, const int8_t *x, int8_t *y) {
    ts_int8_place place = ts_int8_first(layer);
    /* Shifts of unsigned numbers alone: those of negative ones are left to the compiler by C99. The lower half of the
     * product cannot change what is left of it after a shift by 33 or more. */
    const uint32_t shift = layer->shift - 32u;
    const uint32_t lift = 0x80000000u + ((uint32_t)1 << (shift - 1u));
    const int32_t zero = (int32_t)(0x80000000u >> shift);
    uint32_t o;
    for (o = 0; o < layer->n_out; o++) {
        const int32_t sum = ts_int8_row(layer, &place, x, layer->bias[o]);
        const int32_t factor = layer->multiplier[o] * (sum < 0 ? layer->negative : layer->positive);
        const uint32_t high = (uint32_t)((uint64_t)((int64_t)sum * factor) >> 32);
        int32_t value = (int32_t)((high + lift) >> shift) - zero;
        if (value > 127) value = 127;
        if (value < -127) value = -127;
        y[o] = layer->table != NULL ? layer->table[(uint8_t)value] : (int8_t)value;
    }
}

/* The output layer: z[o] = sum * scale[o] + offset[o]. skip: a layer from the network's inputs `first` whose products
 * are in the same unit, or NULL. */
TS_UNUSED static void ts_int8_outputs(const ts_int8_layer *layer, const int8_t *x, const ts_int8_layer *skip,
                                      const int8_t *first, const float *scale, const float *offset, float *z) {
    const int32_t *bias = layer->bias;
    const uint32_t n_out = layer->n_out;
    ts_int8_place place = ts_int8_first(layer);
    ts_int8_place beside = ts_int8_first(skip != NULL ? skip : layer);
    uint32_t o;
    for (o = 0; o < n_out; o++) {
        int32_t sum = bias[o];
        const ts_int8_layer *each = layer;
        const int8_t *inputs = x;
        ts_int8_place *at = &place;
        for (;;) { /* once, or twice with a skip layer */
            sum = ts_int8_row(each, at, inputs, sum);
            if (each == skip || skip == NULL) break;
            each = skip;
            inputs = first;
            at = &beside;
        }
        {
            const float rounded = (float)sum;
            const ts_int8_rounded product = rounded * scale[o];
            z[o] = offset != NULL ? product + offset[o] : product;
        }
    }
}

/* A sample in eight bits: q[i] = (x[i] - offset[i]) * factor[i] to 16 binary digits, clamped to [-127, 127] and
 * rounded to the nearest, halves up. shared: whether offset and factor have one element, for all features; else n. */
TS_UNUSED static void ts_int8_quantize(const float *x, uint32_t n, const float *offset, const float *factor,
                                       uint32_t shared, int8_t *q) {
    const float most = 127.0f * 65536.0f;
    uint32_t i;
    for (i = 0; i < n; i++) {
        const uint32_t at = shared ? 0u : i;
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 0
        const float moved = x[i] - offset[at];
        float t = moved * factor[at];
#else
        const ts_int8_rounded moved = x[i] - offset[at];
        const ts_int8_rounded product = moved * factor[at];
        float t = product;
#endif
        if (!(t > -most)) t = -most; /* what is no number becomes -127 too */
        if (t > most) t = most;
        q[i] = (int8_t)((int32_t)(((uint32_t)(int32_t)t + 0x800000u + 0x8000u) >> 16) - 128);
    }
}

/* The index of the largest score, the first of equal ones; of a single score whether it is above 0. */
TS_UNUSED static int ts_int8_largest(const float *z, uint32_t n) {
    uint32_t best = 0;
    uint32_t i;
    if (n == 1) return z[0] > 0.0f;
    for (i = 1; i < n; i++)
        if (z[i] > z[best]) best = i;
    return (int)best;
}

/* tanh at 0, 1/16, ..., 8, times 2^15 */
#define TS_INT8_TANH_STEPS 128

/* Actions of a policy: middle + tanh(z) * half, within [low, high]; tanh by straight lines through `table`. */
TS_UNUSED static void ts_int8_actions(const float *z, uint32_t n, const uint16_t *table, const float *middle,
                                      const float *half, const float *low, const float *high, float *action) {
    const int32_t most = TS_INT8_TANH_STEPS * 256;
    uint32_t o;
    for (o = 0; o < n; o++) {
        const ts_int8_rounded place = z[o] * 4096.0f; /* steps of 1/16, each in 256 parts */
        float t = place;
        int32_t at, low_weight, value;
        if (!(t > (float)-most)) t = (float)-most;
        if (t > (float)most) t = (float)most;
        at = (int32_t)t;
        value = at < 0 ? -at : at;
        low_weight = value & 255;
        value = value >= most ? table[TS_INT8_TANH_STEPS]
                              : (table[value >> 8] * (256 - low_weight) + table[(value >> 8) + 1] * low_weight + 128) >> 8;
        {
            const ts_int8_rounded product = (float)(at < 0 ? -value : value) * half[o];
            float a = middle[o] + product;
            if (a < low[o]) a = low[o];
            if (a > high[o]) a = high[o];
            action[o] = a;
        }
    }
}

#endif
