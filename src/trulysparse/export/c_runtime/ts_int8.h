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

#ifndef TS_FN
#define TS_FN static inline
#endif
#ifndef TS_UNUSED
#if defined(__GNUC__)
#define TS_UNUSED __attribute__((unused))
#else
#define TS_UNUSED
#endif
#endif

#if defined(__GNUC__)
#define TS_INT8_INLINE static __attribute__((always_inline, unused)) inline
#else
#define TS_INT8_INLINE static inline
#endif

/* Defined before this file where they are known. TS_INT8_LENGTH: type of the rows' lengths. TS_INT8_TABLE: whether
 * there are activations by table. */
#ifndef TS_INT8_LENGTH
#define TS_INT8_LENGTH uint16_t
#define TS_INT8_TABLE 1
#endif

/* A float in which an operation ends: volatile, so that no compiler fuses a multiplication with the addition after it.
 * Where floats are computed with more digits than they have (x87), each result goes through memory for the same end. */
typedef volatile float ts_int8_rounded;

#define TS_INT8_ONE ((int32_t)32768) /* factor of sums from 0 on */

/* Forms of the rows. */
enum { ts_int8_full, ts_int8_u16, ts_int8_delta8 };

/* A layer by output neuron. Its rows lie one after the other in `weight` and `index`.
 *
 * index: of form u16 the numbers of inputs (uint16_t); of delta8 the distance to the input before (uint8_t), the first
 *   from input 0 (connections of weight 0 bridge what is further); of full none, each row has all inputs.
 * length: connections of each row; of full none.
 * bias: in the unit of the sums. For each row 128 * sum |weight| + |bias| < 2^31.
 * Of a hidden layer an output is sum * multiplier * (sum < 0 ? negative : 2^15) / 2^shift, rounded to the nearest,
 *   halves up, and clamped to [-127, 127]; then table[it as uint8_t], where there is a table. 33 <= shift <= 62,
 *   |negative| <= 2^15.
 * Of the output layer a score is sum * scale + offset; offset may be 0 for none. */
typedef struct {
    const int8_t* weight;
    const void* index;
    const TS_INT8_LENGTH* length;
    const int32_t* bias;
    const uint16_t* multiplier;
    const int8_t* table;
    uint32_t n_in;
    uint32_t n_out;
    int32_t negative;
    uint32_t shift;
} ts_int8_layer;

/* A layer of its parts, written one by one: constants of an initializer would lie in flash beside the arrays. */
TS_INT8_INLINE void ts_int8_set(ts_int8_layer* layer, const int8_t* weight, const void* index,
                                const TS_INT8_LENGTH* length, const int32_t* bias, uint32_t n_in, uint32_t n_out) {
    layer->weight = weight;
    layer->index = index;
    layer->length = length;
    layer->bias = bias;
    layer->n_in = n_in;
    layer->n_out = n_out;
}

TS_INT8_INLINE void ts_int8_set_hidden(ts_int8_layer* layer, const uint16_t* multiplier, const int8_t* table,
                                       int32_t negative, uint32_t shift) {
    layer->multiplier = multiplier;
    layer->table = table;
    layer->negative = negative;
    layer->shift = shift;
}

/* Where a walk through a layer's rows has come to. */
typedef struct {
    const int8_t* weight;
    const void* index;
    const TS_INT8_LENGTH* length;
} ts_int8_place;

TS_INT8_INLINE ts_int8_place ts_int8_first(const ts_int8_layer* layer) {
    ts_int8_place place;
    place.weight = layer->weight;
    place.index = layer->index;
    place.length = layer->length;
    return place;
}

#if defined(__GNUC__) && (__GNUC__ >= 7 || defined(__clang__))
#define TS_INT8_NEXT __attribute__((fallthrough));
#else
#define TS_INT8_NEXT
#endif

/* Runs STEP n > 0 times, eight in a turn; the first turn begins in the middle. */
#define TS_INT8_REPEAT(n, STEP)           \
    {                                     \
        uint32_t turns = ((n) + 7u) >> 3; \
        switch ((n) & 7u) {               \
            do {                          \
                TS_INT8_NEXT              \
                case 0:                   \
                STEP TS_INT8_NEXT case 7: \
                STEP TS_INT8_NEXT case 6: \
                STEP TS_INT8_NEXT case 5: \
                STEP TS_INT8_NEXT case 4: \
                STEP TS_INT8_NEXT case 3: \
                STEP TS_INT8_NEXT case 2: \
                STEP TS_INT8_NEXT case 1: \
                    STEP                  \
            } while (--turns != 0);       \
        }                                 \
    }

/* sum + the products of the next row with x. `form` is a constant where this is called, so that one loop is left. */
TS_INT8_INLINE int32_t ts_int8_row(const ts_int8_layer* layer, int form, ts_int8_place* place, const int8_t* x,
                                   int32_t sum) {
    const int8_t* w = place->weight;
    const uint32_t n = form == ts_int8_full ? layer->n_in : *place->length++;
    if (n == 0) return sum;
    if (form == ts_int8_delta8) {
        const uint8_t* d = (const uint8_t*)place->index;
        TS_INT8_REPEAT(n, x += *d++; sum += *w++ * *x;)
        place->index = d;
    } else if (form == ts_int8_u16) {
        const uint16_t* i = (const uint16_t*)place->index;
        TS_INT8_REPEAT(n, sum += *w++ * x[*i++];)
        place->index = i;
    } else {
        TS_INT8_REPEAT(n, sum += *w++ * *x++;)
    }
    place->weight = w;
    return sum;
}

/* A hidden layer: y[o] in [-127, 127]. */
TS_INT8_INLINE void ts_int8_hidden(const ts_int8_layer* layer, int form, const int8_t* x, int8_t* y) {
    ts_int8_place place = ts_int8_first(layer);
    /* The lower half of a product cannot change what is left of it after a shift by 33 or more. */
    const uint32_t shift = layer->shift - 32u;
    const int32_t half = (int32_t)1 << (shift - 1u);
    const int32_t negative = layer->negative;
    uint32_t o;
    for (o = 0; o < layer->n_out; o++) {
        const int32_t sum = ts_int8_row(layer, form, &place, x, layer->bias[o]);
        const int32_t factor = layer->multiplier[o] * (sum < 0 ? negative : TS_INT8_ONE);
        const int64_t product = (int64_t)sum * factor;
        const int32_t high = (int32_t)(product < 0 ? ~(~product >> 32) : product >> 32) + half;
        int32_t value = high < 0 ? ~(~high >> shift) : high >> shift; /* C99 has no other shift of negative numbers */
        if ((uint32_t)value + 127u > 254u) value = value < 0 ? -127 : 127;
#ifdef TS_INT8_TABLE
        if (layer->table != NULL) value = layer->table[(uint8_t)value];
#endif
        y[o] = (int8_t)value;
    }
}

TS_UNUSED TS_FN void ts_int8_hidden_full(const ts_int8_layer* layer, const int8_t* x, int8_t* y) {
    ts_int8_hidden(layer, ts_int8_full, x, y);
}

TS_UNUSED TS_FN void ts_int8_hidden_u16(const ts_int8_layer* layer, const int8_t* x, int8_t* y) {
    ts_int8_hidden(layer, ts_int8_u16, x, y);
}

TS_UNUSED TS_FN void ts_int8_hidden_delta8(const ts_int8_layer* layer, const int8_t* x, int8_t* y) {
    ts_int8_hidden(layer, ts_int8_delta8, x, y);
}

/* A score of the output layer; `offset` may be NULL. */
TS_INT8_INLINE float ts_int8_score(int32_t sum, const float* scale, const float* offset, uint32_t o) {
    const float rounded = (float)sum;
    const ts_int8_rounded product = rounded * scale[o];
    return offset != NULL ? product + offset[o] : product;
}

/* The output layer: z[o] = sum * scale[o] + offset[o], without offset where that is NULL. */
TS_INT8_INLINE void ts_int8_scores(const ts_int8_layer* layer, int form, const int8_t* x, const float* scale,
                                   const float* offset, float* z) {
    ts_int8_place place = ts_int8_first(layer);
    uint32_t o;
    for (o = 0; o < layer->n_out; o++)
        z[o] = ts_int8_score(ts_int8_row(layer, form, &place, x, layer->bias[o]), scale, offset, o);
}

/* The same with the products of the network's inputs `first` and a skip layer, which are in the same unit. */
TS_INT8_INLINE void ts_int8_scores_skip(const ts_int8_layer* layer, int form, const int8_t* x,
                                        const ts_int8_layer* skip, int skip_form, const int8_t* first,
                                        const float* scale, const float* offset, float* z) {
    ts_int8_place place = ts_int8_first(layer);
    ts_int8_place beside = ts_int8_first(skip);
    uint32_t o;
    for (o = 0; o < layer->n_out; o++) {
        const int32_t sum = ts_int8_row(layer, form, &place, x, layer->bias[o]);
        z[o] = ts_int8_score(ts_int8_row(skip, skip_form, &beside, first, sum), scale, offset, o);
    }
}

/* A sample in eight bits: q[i] = (x[i] - offset[i]) * factor[i] to 16 binary digits, clamped to [-127, 127] and
 * rounded to the nearest, halves up. shared: whether offset and factor have one element, for all features; else n. */
TS_UNUSED TS_FN void ts_int8_quantize(const float* x, uint32_t n, const float* offset, const float* factor,
                                      uint32_t shared, int8_t* q) {
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

/* The index of the largest score, the first of equal ones. */
TS_UNUSED TS_FN int ts_int8_largest(const float* z, uint32_t n) {
    uint32_t best = 0;
    uint32_t i;
    for (i = 1; i < n; i++)
        if (z[i] > z[best]) best = i;
    return (int)best;
}

/* tanh at 0, 1/16, ..., 8, times 2^15 */
#define TS_INT8_TANH_STEPS 128

/* Actions of a policy: middle + tanh(z) * half, within [low, high]; tanh by straight lines through `table`. */
TS_UNUSED TS_FN void ts_int8_actions(const float* z, uint32_t n, const uint16_t* table, const float* middle,
                                     const float* half, const float* low, const float* high, float* action) {
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
        value = value >= most
                    ? table[TS_INT8_TANH_STEPS]
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
