/* Q-learning on the device: a network that gives the value of each action learns from what the agent lives through, one
 * transition or a small batch at a time, straight on or from a replay buffer in the caller's memory.
 *
 *     uint32_t action = ts_td_act(&t, x, 0.1f, step);                              // random at a share of 0.1
 *     ts_replay_add(&r, x, action, reward, terminal);
 *     if (ts_replay_sample(&r, &batch) == TS_OK) ts_td_step(&t, &td, &batch, 0.001f);
 *     ts_td_copy(&t, 0.01f);                                                       // the target network follows
 */
#ifndef TS_TD_H
#define TS_TD_H

#include "ts_replay.h"
#include "ts_train.h"

enum { TS_FOR_ACTING = 16 };

typedef struct {
    float gamma; /* discount, in [0, 1] */
    float clip; /* the error counts up to this in the gradient (Huber's loss); 0: all of it (squared error) */
    uint32_t twice; /* 1: the network chooses the next action, the target network says its value (double Q-learning) */
} ts_td;

/* The best of the values of sample b, of n: the first of equal ones. */
TS_API uint32_t ts_td_best(const ts_layer* l, uint32_t n, uint32_t b) {
    uint32_t best = 0;
    for (uint32_t a = 1; a < l->n_out; ++a)
        if (l->values[a * n + b] > l->values[best * n + b]) best = a;
    return best;
}

/* One update by n transitions, n at most config.batch: the value of the action taken goes towards
 * reward + gamma * value of the best next action, which the target network says where there is one. TS_OK with t->loss,
 * the mean over transitions of error^2 / 2 (beyond the clip: clip * (|error| - clip / 2)); TS_DIVERGED where an error
 * is not finite: nothing has changed. The loss of other networks than those of output TS_OUTPUT_IDENTITY is another. */
TS_API int ts_td_step(ts_train* t, const ts_td* td, const ts_transitions* s, float rate) {
    if (!t || !td || !s || !s->x || !s->action || !s->reward || !s->next || !s->terminal) return TS_BAD_ARGUMENT;
    if (s->n < 1 || s->n > t->config.batch || !(td->gamma >= 0 && td->gamma <= 1) || !(td->clip >= 0))
        return TS_BAD_ARGUMENT;
    if (!(rate >= 0) || !ts_is_finite(rate)) return TS_BAD_ARGUMENT;
    if (t->output != TS_OUTPUT_IDENTITY) return TS_UNSUPPORTED;
    const ts_layer* const out = ts_output_layer(t);
    const uint32_t n = s->n, target = t->config.target_network;
    float *const goal = t->scratch + 2u * t->config.batch, *const best =
                                                               goal + n; /* forward passes leave these alone */
    for (uint32_t b = 0; b < n; ++b)
        if (s->action[b] >= out->n_out) return TS_BAD_TARGET;
    if (td->twice && target) {
        ts_train_forward(t, s->next, n, 0, 0);
        for (uint32_t b = 0; b < n; ++b) best[b] = (float)ts_td_best(out, n, b);
    }
    ts_train_forward(t, s->next, n, 0, target ? 1 : 0);
    for (uint32_t b = 0; b < n; ++b) {
        const uint32_t a = td->twice && target ? (uint32_t)best[b] : ts_td_best(out, n, b);
        goal[b] = s->reward[b] + (s->terminal[b] ? 0.0f : td->gamma * out->values[a * n + b]);
    }
    ts_train_forward(t, s->x, n, 1, 0);
    float loss = 0;
    for (uint32_t b = 0; b < n; ++b) {
        const float error = out->values[s->action[b] * n + b] - goal[b], size = error < 0 ? -error : error;
        const int beyond = td->clip > 0 && size > td->clip;
        loss += beyond ? td->clip * (size - 0.5f * td->clip) : 0.5f * error * error;
        for (uint32_t a = 0; a < out->n_out; ++a) out->values[a * n + b] = 0; /* the other actions learn nothing */
        out->values[s->action[b] * n + b] = (beyond ? (error < 0 ? -td->clip : td->clip) : error) / (float)n;
    }
    if (!ts_is_finite(loss)) return TS_DIVERGED;
    t->loss = loss / (float)n;
    ts_train_update(t, s->x, n, rate);
    return TS_OK;
}

/* Moves the target network towards the network: target += share * (weight - target); share 1 copies it. */
TS_API int ts_td_copy(ts_train* t, float share) {
    if (!t || !(share >= 0 && share <= 1)) return TS_BAD_ARGUMENT;
    if (!t->config.target_network) return TS_UNSUPPORTED;
    for (uint32_t k = 0; k < t->n_layers; ++k) {
        const ts_layer* const l = t->layers + k;
        for (uint32_t c = 0; c < l->count; ++c)
            l->target[c] = share < 1 ? l->target[c] + share * (l->weight[c] - l->target[c]) : l->weight[c];
        for (uint32_t o = 0; l->bias && o < l->n_out; ++o)
            l->bias_target[o] = share < 1 ? l->bias_target[o] + share * (l->bias[o] - l->bias_target[o]) : l->bias[o];
    }
    return TS_OK;
}

/* The best action at x, or, with probability epsilon, any; by seed and `step`, which should be another each time. */
TS_API uint32_t ts_td_act(ts_train* t, const float* x, float epsilon, uint32_t step) {
    const ts_layer* const out = ts_output_layer(t);
    const uint32_t key = ts_key(t->config.seed, TS_FOR_ACTING, step, 0);
    if (ts_uniform(key, 0) < epsilon) return ts_below(key, 1, out->n_out);
    ts_train_forward(t, x, 1, 0, 0);
    return ts_td_best(out, 1, 0);
}

#endif
