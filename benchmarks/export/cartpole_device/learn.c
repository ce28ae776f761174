/* CartPole learned on a device: Q-learning with a replay buffer, a target network and topology evolution. The network is
 * drawn on the device or, with POLICY, one that a policy was exported as. Returns are of the network alone, without
 * random actions, on episodes that it does not learn from. */
#include "cartpole.h"
#include "device.h"
#include "ts_draw.h"
#include "ts_td.h"
#ifdef POLICY
#include "policy.h" /* policy_blob: observations as they are, scaled inside */
#endif

typedef struct {
    uint32_t seed, steps, evolve_every, episodes;
    uint32_t exploring; /* steps in which the share of random actions falls from `first` to `last` */
    uint32_t hidden;
    float epsilon, rate, momentum, gamma, tau, zeta, first, last; /* rate: falls to 0 along a line */
    cartpole cart;
} settings;

typedef struct {
    float before, after;
    uint32_t network, replay; /* bytes */
    uint32_t connections, replaced, episodes, stack;
    uint64_t acting, learning, evolving; /* instructions */
    uint32_t updates, evolutions;
} outcome;

enum { BATCH = 8, WARMING = 200 };
static const float REWARD = 0.05f; /* keeps values below 5 */
static uint64_t memory[NETWORK_BYTES / 8], replay_memory[REPLAY_BYTES / 8];

static void observe(const float* state, float* x) {
#ifdef POLICY
    memcpy(x, state, 4 * sizeof(float));
#else
    static const float factor[4] = {1 / 2.4f, 0.5f, 5.0f, 0.5f};
    for (int i = 0; i < 4; ++i) x[i] = state[i] * factor[i];
#endif
}

static float mean_return(ts_train* t, const settings* s, uint32_t key) {
    float total = 0;
    for (uint32_t episode = 0; episode < s->episodes; ++episode) {
        float state[4], x[4];
        int ended = 0;
        cartpole_reset(state, key, episode);
        for (int step = 0; step < CARTPOLE_STEPS && !ended; ++step) {
            observe(state, x);
            ended = cartpole_step(&s->cart, state, ts_td_act(t, x, 0, 0));
            total += 1;
        }
    }
    return s->episodes ? total / (float)s->episodes : 0.0f;
}

static int learn(ts_train* t, ts_replay* r, const settings* s, outcome* o) {
    const ts_td td = {s->gamma, 0, 1};
    const uint32_t key = ts_key(s->seed, 100, 0, 0);
    float state[4], x[4];
    uint32_t step = 0;
    cartpole_reset(state, key, 0);
    for (uint32_t n = 0; n < s->steps; ++n) {
        const float done = n < s->exploring ? (float)n / (float)s->exploring : 1.0f;
        observe(state, x);
        COUNT_START();
        const uint32_t action = ts_td_act(t, x, s->first + done * (s->last - s->first), n);
        o->acting += COUNT_STOP();
        const int ended = cartpole_step(&s->cart, state, action), cut = !ended && ++step == CARTPOLE_STEPS;
        if (ts_replay_add(r, x, action, REWARD, ended)) return 1;
        if (cut) {
            observe(state, x);
            ts_replay_cut(r, x);
        }
        if (ended || cut) {
            step = 0;
            cartpole_reset(state, key, ++o->episodes);
        }
        if (n < WARMING) continue;
        ts_transitions batch;
        COUNT_START();
        if (ts_replay_sample(r, &batch) != TS_OK) return 2;
        if (ts_td_step(t, &td, &batch, s->rate * (1 - (float)n / (float)s->steps)) != TS_OK) return 3;
        ts_td_copy(t, s->tau);
        o->learning += COUNT_STOP();
        ++o->updates;
        if (s->evolve_every && o->updates % s->evolve_every == 0 && n < s->steps / 5 * 4) {
            COUNT_START();
            o->replaced += (uint32_t)ts_train_evolve(t, s->zeta, TS_SET);
            o->evolving += COUNT_STOP();
            ++o->evolutions;
        }
    }
    return 0;
}

int main(void) {
    settings s;
    outcome o;
    ts_train t;
    ts_replay r;
    device_read(&s, sizeof s);
    memset(&o, 0, sizeof o);
    const uint32_t sizes[4] = {4, s.hidden, s.hidden, 2};
    const ts_replay_config replay = {4, CAPACITY, BATCH, 4.0f, s.seed};
    ts_train_config c = ts_train_defaults();
    c.seed = s.seed, c.batch = BATCH, c.momentum = s.momentum, c.target_network = 1;
    c.velocity = s.momentum > 0 ? TS_FLOAT32 : TS_NO_VELOCITY;
#ifdef POLICY
    (void)sizes;
    c.blob = policy_blob, c.blob_bytes = sizeof policy_blob;
    const ptrdiff_t status = ts_train_init(&t, memory, sizeof memory, &c);
#else
    c.sizes = sizes, c.n_sizes = 4, c.epsilon = s.epsilon, c.output = TS_OUTPUT_IDENTITY;
    const ptrdiff_t status = ts_train_draw(&t, memory, sizeof memory, &c);
#endif
    o.network = (uint32_t)ts_train_memory(&c), o.replay = (uint32_t)ts_replay_memory(&replay);
    if (status == TS_OK && ts_replay_init(&r, replay_memory, sizeof replay_memory, &replay) == TS_OK) {
        for (uint32_t k = 0; k < t.n_layers; ++k) o.connections += t.layers[k].count;
        o.before = mean_return(&t, &s, ts_key(s.seed, 101, 0, 0));
        const int problem = learn(&t, &r, &s, &o);
        if (problem) return problem;
        o.after = mean_return(&t, &s, ts_key(s.seed, 101, 0, 0));
        o.stack = device_stack_used();
    }
    device_write(&o, sizeof o); /* without connections where NETWORK_BYTES or REPLAY_BYTES are too few */
    return status < 0;
}
