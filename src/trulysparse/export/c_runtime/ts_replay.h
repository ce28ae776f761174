/* A replay buffer in the caller's memory: the last transitions that an agent lived through, a ring. An observation is
 * stored once, for it is where one transition ends and the next begins; as float32 or, with a range, in 16 bits.
 *
 *     ts_replay_config c = {.n_in = 4, .capacity = 2000, .batch = 8, .range = 5.0f, .seed = 1};
 *     if (ts_replay_init(&r, memory, sizeof(memory), &c) != TS_OK) ...     // ts_replay_memory(&c) says the bytes
 *     ts_replay_add(&r, x, action, reward, terminal);                      // at x
 *     ts_replay_cut(&r, x);                                                // at x the episode was cut off
 *     ts_transitions s;
 *     if (ts_replay_sample(&r, &s) == TS_OK) ...
 */
#ifndef TS_REPLAY_H
#define TS_REPLAY_H

#include "ts_network.h"

enum { TS_FOR_REPLAY = 17 };

/* n transitions: at x (n x n_in) the action (n) gave the reward (n) and led to next (n x n_in), unless the episode
 * ended with it (terminal, n: 0 or 1; next does not count then). An episode that was cut off has not ended. */
typedef struct {
    uint32_t n;
    const float *x, *next, *reward;
    const uint32_t *action, *terminal;
} ts_transitions;

typedef struct {
    uint32_t n_in, capacity; /* values of an observation; observations kept, at least 2 */
    uint32_t batch;          /* transitions of a sample */
    float range;             /* 16 bits for values from -range to range, others become these; 0: float32 */
    uint32_t seed;
} ts_replay_config;

typedef struct {
    ts_replay_config config;
    uint32_t used, at, ready; /* slots written, the next to write, those that hold a whole transition */
    uint32_t samples;         /* drawn so far */
    void* kept;               /* capacity x n_in, int16_t or float */
    float* reward;
    uint16_t* action; /* and in the two upper bits what it led to */
    float *x, *next, *rewards;
    uint32_t *actions, *terminal;
} ts_replay;

#define TS_REPLAY_ACTIONS 0x4000u
enum { TS_REPLAY_STEP = 0x0000, TS_REPLAY_TERMINAL = 0x4000, TS_REPLAY_CUT = 0x8000 };

/* Gives each array its place, or only counts where memory is NULL. Returns the bytes. */
TS_API uint64_t ts_replay_place(ts_replay* r, void* memory, const ts_replay_config* c) {
    const uint64_t values = (uint64_t)c->batch * c->n_in;
    const uint64_t sizes[8] = {(uint64_t)c->capacity * c->n_in * (c->range > 0 ? 2u : 4u),
                               4u * (uint64_t)c->capacity,
                               2u * (uint64_t)c->capacity,
                               4u * values,
                               4u * values,
                               4u * (uint64_t)c->batch,
                               4u * (uint64_t)c->batch,
                               4u * (uint64_t)c->batch};
    uint8_t* parts[8];
    uint64_t used = 0;
    for (int k = 0; k < 8; ++k) {
        parts[k] = memory ? (uint8_t*)memory + used : NULL;
        used += (sizes[k] + 3u) / 4u * 4u;
    }
    if (!memory) return used;
    r->kept = parts[0], r->reward = (float*)(void*)parts[1], r->action = (uint16_t*)(void*)parts[2];
    r->x = (float*)(void*)parts[3], r->next = (float*)(void*)parts[4], r->rewards = (float*)(void*)parts[5];
    r->actions = (uint32_t*)(void*)parts[6], r->terminal = (uint32_t*)(void*)parts[7];
    return used;
}

/* Bytes that a buffer takes besides ts_replay itself, or TS_BAD_ARGUMENT or TS_TOO_LARGE. */
TS_API ptrdiff_t ts_replay_memory(const ts_replay_config* c) {
    if (!c || c->n_in < 1 || c->n_in > TS_MAX_WIDTH || c->capacity < 2 || c->batch < 1) return TS_BAD_ARGUMENT;
    if (!(c->range >= 0 && c->range < 3.4e38f)) return TS_BAD_ARGUMENT;
    const uint64_t bytes = ts_replay_place(NULL, NULL, c);
    return bytes > (uint64_t)PTRDIFF_MAX ? (ptrdiff_t)TS_TOO_LARGE : (ptrdiff_t)bytes;
}

/* Makes an empty buffer in memory (a multiple of 8). Returns TS_OK; or, where `bytes` are too few, the bytes needed; or
 * an error. Changes nothing but in the first case. */
TS_API ptrdiff_t ts_replay_init(ts_replay* r, void* memory, size_t bytes, const ts_replay_config* c) {
    const ptrdiff_t needed = ts_replay_memory(c);
    if (needed < 0) return needed;
    if ((size_t)needed > bytes) return needed;
    if (!r || !memory) return TS_BAD_ARGUMENT;
    if ((uintptr_t)memory % 8u) return TS_MISALIGNED;
    r->config = *c;
    r->used = r->at = r->ready = r->samples = 0;
    ts_replay_place(r, memory, c);
    return TS_OK;
}

/* Slots from one write back to the newest. */
TS_API uint32_t ts_replay_newest(const ts_replay* r) { return (r->at ? r->at : r->config.capacity) - 1u; }

TS_API int ts_replay_whole(const ts_replay* r, uint32_t slot) {
    const uint32_t what = r->action[slot] & 0xC000u;
    return what == TS_REPLAY_TERMINAL || (what == TS_REPLAY_STEP && slot != ts_replay_newest(r));
}

TS_API void ts_replay_write(ts_replay* r, const float* x, uint32_t action, float reward, uint32_t what) {
    const uint32_t slot = r->at, n = r->config.n_in, full = r->used == r->config.capacity;
    const size_t first = (size_t)slot * n;
    if (full && ts_replay_whole(r, slot)) --r->ready;
    if (r->used > 0 && (r->action[ts_replay_newest(r)] & 0xC000u) == TS_REPLAY_STEP) ++r->ready;
    for (uint32_t i = 0; i < n; ++i) {
        if (r->config.range > 0) {
            float q = x[i] * (32767.0f / r->config.range);
            q = q > -32767.0f ? (q < 32767.0f ? q : 32767.0f) : -32767.0f;
            ((int16_t*)r->kept)[first + i] = (int16_t)(q < 0 ? q - 0.5f : q + 0.5f);
        } else {
            ((float*)r->kept)[first + i] = x[i];
        }
    }
    r->action[slot] = (uint16_t)(action | what);
    r->reward[slot] = reward;
    r->at = slot + 1u < r->config.capacity ? slot + 1u : 0;
    r->used += !full;
    r->ready += what == TS_REPLAY_TERMINAL;
}

/* At x the action (below 16,384) gave the reward; terminal: the episode ended with it. Otherwise the next call says
 * where it led to: that of ts_replay_add for the next step, or ts_replay_cut. */
TS_API int ts_replay_add(ts_replay* r, const float* x, uint32_t action, float reward, int terminal) {
    if (!r || !x || action >= TS_REPLAY_ACTIONS) return TS_BAD_ARGUMENT;
    ts_replay_write(r, x, action, reward, terminal ? TS_REPLAY_TERMINAL : TS_REPLAY_STEP);
    return TS_OK;
}

/* The last step led to x, where the episode was cut off without having ended. */
TS_API int ts_replay_cut(ts_replay* r, const float* x) {
    if (!r || !x) return TS_BAD_ARGUMENT;
    ts_replay_write(r, x, 0, 0, TS_REPLAY_CUT);
    return TS_OK;
}

TS_API void ts_replay_read(const ts_replay* r, uint32_t slot, float* x) {
    const uint32_t n = r->config.n_in;
    const size_t first = (size_t)slot * n;
    for (uint32_t i = 0; i < n; ++i)
        x[i] = r->config.range > 0 ? (float)((const int16_t*)r->kept)[first + i] * (r->config.range / 32767.0f)
                                   : ((const float*)r->kept)[first + i];
}

/* Draws config.batch transitions, each of those that are whole equally likely, the same one perhaps twice. They lie in
 * the buffer until the next call. TS_BAD_ARGUMENT where there is none yet. */
TS_API int ts_replay_sample(ts_replay* r, ts_transitions* s) {
    if (!r || !s || r->ready == 0) return TS_BAD_ARGUMENT;
    const uint32_t n = r->config.n_in, key = ts_key(r->config.seed, TS_FOR_REPLAY, r->samples++, 0);
    uint32_t position = 0;
    for (uint32_t b = 0; b < r->config.batch; ++b) {
        uint32_t slot;
        do {
            slot = ts_below(key, position++, r->used);
        } while (!ts_replay_whole(r, slot));
        const uint32_t ended = (r->action[slot] & 0xC000u) == TS_REPLAY_TERMINAL;
        ts_replay_read(r, slot, r->x + (size_t)b * n);
        ts_replay_read(r, ended ? slot : slot + 1u < r->config.capacity ? slot + 1u : 0, r->next + (size_t)b * n);
        r->actions[b] = r->action[slot] & 0x3FFFu;
        r->rewards[b] = r->reward[slot];
        r->terminal[b] = ended;
    }
    s->n = r->config.batch;
    s->x = r->x, s->next = r->next, s->reward = r->rewards, s->action = r->actions, s->terminal = r->terminal;
    return TS_OK;
}

#endif
