/* CartPole-v1 of Gymnasium: a pole on a cart that is pushed left (0) or right (1), 1 for every step until the pole
 * leans by more than 12 degrees, the cart leaves +-2.4, or 500 steps are over. In float32, without libm. */
#ifndef CARTPOLE_H
#define CARTPOLE_H

#include "ts_random.h"

enum { CARTPOLE_STEPS = 500 };

/* Gymnasium's are 0.5 m (half the pole) and 10 N. */
typedef struct {
    float length, force;
} cartpole;

/* Starts an episode of a stream: each value uniform on +-0.05. */
static void cartpole_reset(float* state, uint32_t key, uint32_t episode) {
    for (uint32_t i = 0; i < 4; ++i) state[i] = 0.1f * ts_uniform(key, 4 * episode + i) - 0.05f;
}

/* One step of 0.02 s by Euler's method. Returns whether the episode has ended. */
static int cartpole_step(const cartpole* c, float* state, uint32_t action) {
    const float x = state[0], v = state[1], angle = state[2], turn = state[3], a2 = angle * angle;
    const float inertia = 0.1f * c->length; /* the pole's mass is 0.1 kg, the cart's 1 kg */
    /* Taylor's polynomials: exact to 1e-9 below 0.6 radians */
    const float sine = angle * (1 - a2 * (1 / 6.0f) * (1 - a2 * (1 / 20.0f) * (1 - a2 * (1 / 42.0f))));
    const float cosine = 1 - a2 * 0.5f * (1 - a2 * (1 / 12.0f) * (1 - a2 * (1 / 30.0f) * (1 - a2 * (1 / 56.0f))));
    const float push = ((action ? c->force : -c->force) + inertia * turn * turn * sine) / 1.1f;
    const float turning = (9.8f * sine - cosine * push) / (c->length * (4 / 3.0f - 0.1f * cosine * cosine / 1.1f));
    state[0] = x + 0.02f * v;
    state[1] = v + 0.02f * (push - inertia * turning * cosine / 1.1f);
    state[2] = angle + 0.02f * turn;
    state[3] = turn + 0.02f * turning;
    return !(state[0] >= -2.4f && state[0] <= 2.4f && state[2] >= -0.20943951f && state[2] <= 0.20943951f);
}

#endif
