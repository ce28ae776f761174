/* Topology evolution in place: connections are removed and as many grow elsewhere in the same layer, in the memory that
 * the layer has. Beside it, 2 KiB of the stack.
 *
 * What remains moves together to the front. The room behind it holds, as 32-bit numbers in the place of weights, which
 * of the layer's empty places get a connection: all of them count, in the order of the matrix, and every choice is
 * equally likely. From there they are merged in, a piece of TS_EVOLVE_WORDS at a time, from the back.
 */
#ifndef TS_EVOLVE_H
#define TS_EVOLVE_H

#include <string.h>

#include "ts_network.h"

/* What ts_train_evolve does; a sum of these. By default as SET(): of the positive weights the share zeta closest to
 * zero and of the negative weights the share zeta closest to zero is removed, both rounded down, new weights are 0, and
 * layers that lead to the outputs stay. */
enum {
    TS_SET = 0,
    TS_MAGNITUDE = 1, /* the share zeta of all weights closest to zero, whatever their sign */
    TS_FRESH_INIT = 2, /* new weights are uniform on +-sqrt(6 / n_in), as at the start */
    TS_OUTPUT_LAYER = 4, /* layers that lead to the outputs evolve too */
    TS_EVOLVE_ALL = 7
};

#define TS_EVOLVE_WORDS 512u

/* A word in the place of a weight. */
TS_API uint32_t ts_word(const float* at) {
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}
TS_API void ts_set_word(float* at, uint32_t word) { memcpy(at, &word, sizeof(word)); }

/* The weights closest to zero: those of magnitude bits below `threshold`, and the first `ties` at it. */
typedef struct {
    uint32_t threshold, ties;
} ts_cut;

/* Finds the cut that removes cut[c].ties weights of each class: of either sign (cuts 2) or all (cuts 1). Radix
 * selection on the bits of |w|, which order as |w| does: eight bits at a time from the top, one pass over the weights
 * each. */
TS_API void ts_find_cuts(const float* weight, uint32_t count, uint32_t cuts, ts_cut* cut, uint32_t* words) {
    uint32_t shift = 31, open = 0;
    for (uint32_t c = 0; c < cuts; ++c) cut[c].threshold = 0, open |= (uint32_t)(cut[c].ties > 0) << c;
    while (shift > 0 && open) {
        const uint32_t above = shift, digit = shift < 8 ? shift : 8;
        const uint32_t mask = (1u << digit) - 1;
        shift -= digit;
        memset(words, 0, TS_EVOLVE_WORDS * sizeof(*words));
        for (uint32_t k = 0; k < count; ++k) {
            const uint32_t bits = ts_word(weight + k), c = cuts > 1 ? bits >> 31 : 0, size = bits & 0x7FFFFFFFu;
            if (above == 31 || size >> above == cut[c].threshold >> above) ++words[c << 8 | (size >> shift & mask)];
        }
        for (uint32_t c = 0; c < cuts; ++c) {
            if (!(open >> c & 1)) continue;
            uint32_t value = 0;
            while (cut[c].ties > words[c << 8 | value]) cut[c].ties -= words[c << 8 | value++];
            cut[c].threshold |= value << shift;
            if (cut[c].ties == words[c << 8 | value] && shift > 0) { /* all that begin so: nothing left to find */
                cut[c].threshold += 1u << shift;
                cut[c].ties = 0;
                open &= ~(1u << c);
            }
        }
    }
}

/* The arrays of a layer whose entries move with its connections. */
typedef struct {
    uint16_t* index;
    float *weight, *velocity, *target;
    uint16_t* half; /* velocity in bfloat16 */
} ts_moved;

TS_API ts_moved ts_moved_of(const ts_layer* l, uint32_t velocity) {
    ts_moved m = {l->index, l->weight, NULL, l->target, NULL};
    if (velocity == TS_FLOAT32) m.velocity = (float*)l->velocity;
    if (velocity == TS_BFLOAT16) m.half = (uint16_t*)l->velocity;
    return m;
}

TS_API void ts_move(const ts_moved* m, uint32_t to, uint32_t from) {
    m->index[to] = m->index[from];
    m->weight[to] = m->weight[from];
    if (m->velocity) m->velocity[to] = m->velocity[from];
    if (m->half) m->half[to] = m->half[from];
    if (m->target) m->target[to] = m->target[from];
}

/* Removes what lies under the cuts; the rest moves to the front. Returns how many remain. */
TS_API uint32_t ts_remove(ts_layer* l, uint32_t velocity, uint32_t cuts, ts_cut* cut) {
    const ts_moved m = ts_moved_of(l, velocity);
    uint32_t to = 0, from = 0;
    for (uint32_t row = 0; row < l->n_in; ++row) {
        const uint32_t end = l->start[row + 1];
        for (; from < end; ++from) {
            const uint32_t bits = ts_word(m.weight + from), size = bits & 0x7FFFFFFFu;
            ts_cut* const c = cut + (cuts > 1 ? bits >> 31 : 0);
            if (size < c->threshold) continue;
            if (size == c->threshold && c->ties > 0) {
                --c->ties;
                continue;
            }
            ts_move(&m, to++, from);
        }
        l->start[row + 1] = to;
    }
    return to;
}

/* Uniform on 0 to bound - 1, without the bias of ts_below: takes as many numbers of the stream as it needs. */
TS_API uint32_t ts_draw_below(uint32_t key, uint32_t* position, uint32_t bound) {
    uint64_t product;
    do {
        product = (uint64_t)ts_hash(key, (*position)++) * bound;
    } while ((uint32_t)product < bound && (uint32_t)product < (0u - bound) % bound);
    return (uint32_t)(product >> 32);
}

/* Sorts n words in place: heapsort. */
TS_API void ts_sort_words(float* a, uint32_t n) {
    uint32_t top = n / 2;
    while (n > 1) {
        uint32_t value, hole, child;
        if (top > 0) {
            value = ts_word(a + --top);
        } else {
            value = ts_word(a + --n);
            ts_set_word(a + n, ts_word(a));
        }
        for (hole = top; (child = 2 * hole + 1) < n; hole = child) {
            uint32_t larger = ts_word(a + child);
            if (child + 1 < n && ts_word(a + child + 1) > larger) larger = ts_word(a + ++child);
            if (larger <= value) break;
            ts_set_word(a + hole, larger);
        }
        ts_set_word(a + hole, value);
    }
}

/* Of the numbers 0 to bound - 1, n different ones in ascending order (n <= bound), every set equally likely. Where they
 * are many, each number is asked in turn (Knuth, The Art of Computer Programming 2, algorithm 3.4.2 S); otherwise they
 * are drawn, sorted, and drawn again where two are equal. */
TS_API void ts_draw_ranks(float* a, uint32_t n, uint32_t bound, uint32_t key) {
    uint32_t position = 0, found = 0;
    if (bound / 6 < n) {
        for (uint32_t value = 0; found < n; ++value)
            if (ts_draw_below(key, &position, bound - value) < n - found) ts_set_word(a + found++, value);
        return;
    }
    while (found < n) {
        for (uint32_t k = found; k < n; ++k) {
            const uint32_t value = ts_draw_below(key, &position, bound);
            uint32_t at = k;
            if (found > 0 && n - found <= 32) /* a few: each goes to its place */
                for (; at > 0 && ts_word(a + at - 1) > value; --at) ts_set_word(a + at, ts_word(a + at - 1));
            ts_set_word(a + at, value);
        }
        if (found == 0 || n - found > 32) ts_sort_words(a, n);
        found = 1;
        for (uint32_t k = 1; k < n; ++k)
            if (ts_word(a + k) != ts_word(a + found - 1)) ts_set_word(a + found++, ts_word(a + k));
    }
}

/* Merges n new connections into the `have` that there are, at the empty places of these numbers (ascending). The first
 * of them is number `first` of those that grow, which says its weight. */
TS_API void ts_insert(ts_layer* l, uint32_t velocity, uint32_t have, const uint32_t* places, uint32_t n, uint32_t first,
                      float limit, uint32_t key) {
    const ts_moved m = ts_moved_of(l, velocity);
    uint32_t from = have, to = have + n;
    for (uint32_t row = l->n_in; n > 0;) {
        l->start[row--] = to;
        const uint32_t begin = l->start[row], empty = row * l->n_out - begin; /* places before this row, modulo 2^32 */
        while (n > 0 && places[n - 1] >= empty) {
            const uint32_t place = places[--n] - empty; /* the row's empty places have numbers from 0 */
            while (from > begin && m.index[from - 1] - (from - 1 - begin) > place) ts_move(&m, --to, --from);
            const float fresh = limit > 0 ? limit * (2 * ts_uniform(key, first + n) - 1) : 0;
            m.index[--to] = (uint16_t)(place + (from - begin));
            m.weight[to] = fresh;
            if (m.velocity) m.velocity[to] = 0;
            if (m.half) m.half[to] = 0;
            if (m.target) m.target[to] = fresh;
        }
        while (to > from && from > begin) ts_move(&m, --to, --from);
    }
}

/* Fills a layer that has `have` connections up to l->count, anywhere, with weights uniform on +-limit (0: all 0). */
TS_API void ts_grow(ts_layer* l, uint32_t velocity, uint32_t have, float limit, uint32_t place_key, uint32_t weight_key,
                    uint32_t* words) {
    float* const room = l->weight + have;
    const uint32_t n = l->count - have;
    ts_draw_ranks(room, n, (uint32_t)((uint64_t)l->n_in * l->n_out - have), place_key);
    for (uint32_t done = 0, piece; done < n; done += piece) {
        piece = n - done < TS_EVOLVE_WORDS ? n - done : TS_EVOLVE_WORDS;
        for (uint32_t k = 0; k < piece; ++k) words[k] = ts_word(room + done + k) - done; /* `done` places are taken */
        ts_insert(l, velocity, have + done, words, piece, done, limit, weight_key);
    }
}

/* sqrt(x) for x > 0, to 2 units in the last place, by four steps of Newton from a guess of the exponent. */
TS_API float ts_root(float x) {
    float root;
    ts_set_word(&root, (ts_word(&x) >> 1) + 0x1FBD1DF5u);
    for (int n = 0; n < 4; ++n) root = 0.5f * (root + x / root);
    return root;
}

/* A share of n, rounded down. */
TS_API uint32_t ts_share(float share, uint32_t n) {
    const uint32_t part = (uint32_t)(share * (float)n);
    return part < n ? part : n;
}

/* Evolves one layer. Returns how many connections were replaced: 0 too where the layer is full and new weights would be
 * 0, as there is no other place to go. */
TS_API uint32_t ts_layer_evolve(ts_layer* l, uint32_t velocity, float zeta, uint32_t how, uint32_t place_key,
                                uint32_t weight_key) {
    uint32_t words[TS_EVOLVE_WORDS];
    const uint32_t cuts = how & TS_MAGNITUDE ? 1 : 2;
    const float limit = how & TS_FRESH_INIT ? ts_root(6.0f / (float)l->n_in) : 0;
    ts_cut cut[2] = {{0, 0}, {0, 0}};
    uint32_t negative = 0;
    if (cuts > 1)
        for (uint32_t k = 0; k < l->count; ++k) negative += ts_word(l->weight + k) >> 31;
    cut[0].ties = ts_share(zeta, l->count - negative);
    cut[1].ties = ts_share(zeta, negative);
    const uint32_t replaced = cut[0].ties + cut[1].ties;
    if (replaced == 0 || (limit <= 0 && l->count == (uint64_t)l->n_in * l->n_out)) return 0;
    ts_find_cuts(l->weight, l->count, cuts, cut, words);
    ts_grow(l, velocity, ts_remove(l, velocity, cuts, cut), limit, place_key, weight_key, words);
    return replaced;
}

/* Evolves the network's layers: removes the share zeta (0 to 1) and grows as many; `how` is a sum of TS_SET, ...
 * Returns the number of connections replaced; or TS_BAD_ARGUMENT, or TS_TOO_LARGE where a layer has 2^32 places or
 * more. */
TS_API ptrdiff_t ts_train_evolve(ts_train* t, float zeta, uint32_t how) {
    ptrdiff_t replaced = 0;
    if (!t || !(zeta >= 0 && zeta <= 1) || how > TS_EVOLVE_ALL) return TS_BAD_ARGUMENT;
    const uint32_t n = how & TS_OUTPUT_LAYER ? t->n_layers : t->n_layers - 1u - t->skip;
    for (uint32_t k = 0; k < n; ++k)
        if ((uint64_t)t->layers[k].n_in * t->layers[k].n_out > 0xFFFFFFFFu) return TS_TOO_LARGE;
    for (uint32_t k = 0; k < n; ++k)
        replaced += (ptrdiff_t)ts_layer_evolve(t->layers + k, t->config.velocity, zeta, how,
                                               ts_key(t->config.seed, TS_FOR_EVOLUTION, t->evolutions, k),
                                               ts_key(t->config.seed, TS_FOR_WEIGHTS, t->evolutions + 1u, k));
    ++t->evolutions;
    return replaced;
}

#endif
