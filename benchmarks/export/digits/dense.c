/* The peer of train.c: a dense network of the same depth, the same rule (momentum SGD, one sample a step, ReLU,
 * dropout) in plain C, weights and momentum in float32. It writes what train.c writes; nothing evolves. */
#include "device.h"
#include "digits.h"
#include "ts_math.h"
#include "ts_random.h"

typedef struct {
    uint32_t seed, epochs, hidden;
    float epsilon, rate, last, momentum, zeta, dropout, slope;
} settings;

#define LAYERS 3
typedef struct {
    uint32_t n_in, n_out;
    float *weight, *velocity, *bias, *bias_velocity, *y, *dy; /* weight: n_out rows of n_in */
} layer;

static float memory[MEMORY / 4];
static uint16_t order[N_TRAIN];
static layer layers[LAYERS];

static float root(float x) {
    float r = x < 1 ? 1 : x;
    for (int i = 0; i < 20; i++) r = 0.5f * (r + x / r);
    return r;
}

/* Floats that the arrays take; places and fills them where they fit. */
static uint32_t place(const uint32_t* sizes, uint32_t seed) {
    uint32_t needed = 0;
    for (int l = 0; l < LAYERS; l++) needed += 2 * sizes[l] * sizes[l + 1] + 4 * sizes[l + 1];
    if (needed > sizeof memory / 4) return needed;
    float* at = memory;
    for (int l = 0; l < LAYERS; l++) {
        layer* k = layers + l;
        const uint32_t count = sizes[l] * sizes[l + 1], key = ts_key(seed, TS_FOR_WEIGHTS, 0, (uint32_t)l);
        const float limit = root(6.0f / (float)sizes[l]) * (l + 1 < LAYERS ? 1.0f : 0.25f);
        k->n_in = sizes[l], k->n_out = sizes[l + 1];
        k->weight = at, k->velocity = at + count, k->bias = at + 2 * count;
        k->bias_velocity = k->bias + k->n_out, k->y = k->bias_velocity + k->n_out, k->dy = k->y + k->n_out;
        at = k->dy + k->n_out;
        for (uint32_t i = 0; i < count; i++) k->weight[i] = limit * (2 * ts_uniform(key, i) - 1), k->velocity[i] = 0;
        for (uint32_t o = 0; o < k->n_out; o++) k->bias[o] = k->bias_velocity[o] = 0;
    }
    return 0;
}

static void load(float* to, const uint8_t* pixels) {
    for (int i = 0; i < PIXELS; i++) to[i] = ((float)pixels[i] - 8.0f) * 0.125f;
}

static void forward(const float* x, float dropout, uint32_t key) {
    for (int l = 0; l < LAYERS; l++) {
        const layer* k = layers + l;
        for (uint32_t o = 0; o < k->n_out; o++) {
            const float* w = k->weight + o * k->n_in;
            float sum = k->bias[o];
            for (uint32_t i = 0; i < k->n_in; i++) sum += w[i] * x[i];
            if (l + 1 < LAYERS && sum < 0) sum = 0;
            if (l + 1 < LAYERS && dropout > 0)
                sum = ts_uniform(key + (uint32_t)l, o) < dropout ? 0 : sum / (1 - dropout);
            k->y[o] = sum;
        }
        x = k->y;
    }
}

static int best(void) {
    const float* z = layers[LAYERS - 1].y;
    int found = 0;
    for (int c = 1; c < CLASSES; c++)
        if (z[c] > z[found]) found = c;
    return found;
}

/* One step; returns the softmax's probability of the label. */
static float step(const float* x, uint32_t label, float rate, const settings* s, uint32_t key) {
    layer* const last = layers + LAYERS - 1;
    forward(x, s->dropout, key);
    float sum = 0;
    const float top = last->y[best()];
    for (uint32_t c = 0; c < CLASSES; c++) sum += last->dy[c] = ts_exp(last->y[c] - top);
    for (uint32_t c = 0; c < CLASSES; c++) last->dy[c] = last->dy[c] / sum - (c == label ? 1.0f : 0.0f);
    const float probability = last->dy[label] + 1.0f;
    for (int l = LAYERS - 1; l >= 0; l--) {
        const layer* k = layers + l;
        const float* in = l ? k[-1].y : x;
        float* const down = l ? k[-1].dy : 0;
        for (uint32_t i = 0; down && i < k->n_in; i++) down[i] = 0;
        for (uint32_t o = 0; o < k->n_out; o++) {
            float *w = k->weight + o * k->n_in, *v = k->velocity + o * k->n_in;
            const float d = k->dy[o], move = rate * d;
            if (down)
                for (uint32_t i = 0; i < k->n_in; i++) down[i] += w[i] * d;
            for (uint32_t i = 0; i < k->n_in; i++) {
                v[i] = s->momentum * v[i] - move * in[i];
                w[i] += v[i];
            }
            k->bias_velocity[o] = s->momentum * k->bias_velocity[o] - move;
            k->bias[o] += k->bias_velocity[o];
        }
        for (uint32_t i = 0; down && i < k->n_in; i++) down[i] = in[i] > 0 ? down[i] / (1 - s->dropout) : 0;
    }
    return probability;
}

int main(void) {
    settings s;
    float x[PIXELS];
    device_read(&s, sizeof s);
    const uint32_t sizes[LAYERS + 1] = {PIXELS, s.hidden, s.hidden, CLASSES};
    const int32_t needed = (int32_t)(4 * place(sizes, s.seed));
    device_write(&needed, sizeof needed);
    if (needed) return 0;
    for (uint32_t epoch = 0; epoch < s.epochs; epoch++) {
        const float rate = s.rate * (1.0f - (1.0f - s.last) * (float)epoch / (float)s.epochs);
        const uint32_t key = ts_key(s.seed, 100, epoch, 0), none[2] = {0, 0};
        float doubt = 0;
        uint32_t count = 0;
        for (uint32_t i = 0; i < N_TRAIN; i++) order[i] = (uint16_t)i;
        for (uint32_t i = N_TRAIN; i-- > 1;) {
            const uint32_t j = ts_below(key, i, i + 1);
            const uint16_t kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        for (uint32_t i = 0; i < N_TRAIN; i++) {
            load(x, train_x[order[i]]);
            COUNT_START();
            doubt +=
                1.0f - step(x, train_y[order[i]], rate, &s, ts_key(s.seed, TS_FOR_DROPOUT, epoch * N_TRAIN + i, 0));
            count += COUNT_STOP();
        }
        device_write(&count, sizeof count);
        device_write(none, sizeof none);
        device_write(&doubt, sizeof doubt); /* mean of 1 - probability, in the place of the loss */
    }
    for (int i = 0; i < N_TEST; i++) {
        load(x, test_x[i]);
        forward(x, 0, 0);
        const uint8_t label = (uint8_t)best();
        device_write(&label, 1);
    }
    const uint32_t stack[2] = {device_stack_used(), device_stack_space()};
    device_write(stack, sizeof stack);
    return 0;
}
