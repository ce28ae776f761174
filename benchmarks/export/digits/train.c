/* Digits learned on a device from nothing: a network is drawn, trained sample by sample, evolves after each epoch, and
 * predicts samples that it has not seen, and is sent away. Samples lie in flash, one byte a pixel. */
#include "device.h"
#include "digits.h" /* N_TRAIN, N_TEST, PIXELS, CLASSES, train_x, train_y, test_x: pixels from 0 to 16 */
#include "ts_draw.h"
#include "ts_train.h"

typedef struct {
    uint32_t seed, epochs, hidden;
    float epsilon, rate, last, momentum, zeta, dropout, slope; /* the rate falls along a line to `last` times itself */
} settings;

static uint64_t memory[MEMORY / 8];
static uint16_t order[N_TRAIN];

static void load(float* to, const uint8_t* pixels) {
    for (int i = 0; i < PIXELS; i++) to[i] = ((float)pixels[i] - 8.0f) * 0.125f;
}

/* Another order in each epoch. */
static void shuffle(uint32_t seed, uint32_t epoch) {
    const uint32_t key = ts_key(seed, 100, epoch, 0);
    for (uint32_t i = 0; i < N_TRAIN; i++) order[i] = (uint16_t)i;
    for (uint32_t i = N_TRAIN; i-- > 1;) {
        const uint32_t j = ts_below(key, i, i + 1);
        const uint16_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

static int send(void* context, const void* bytes, size_t count) {
    (void)context;
    device_write(bytes, count);
    return 0;
}

int main(void) {
    settings s;
    ts_train t;
    float x[PIXELS];
    device_read(&s, sizeof s);
    const uint32_t sizes[4] = {PIXELS, s.hidden, s.hidden, CLASSES};
    ts_train_config c = ts_train_defaults();
    c.sizes = sizes, c.n_sizes = 4, c.epsilon = s.epsilon, c.seed = s.seed;
    c.slope = s.slope, c.all_relu = s.slope != 0.0f; /* All-ReLU, or ReLU */
    c.momentum = s.momentum, c.velocity = VELOCITY, c.dropout = s.dropout;
    const int32_t needed = (int32_t)ts_train_draw(&t, memory, sizeof memory, &c);
    device_write(&needed, sizeof needed); /* 0, or the bytes that MEMORY should be */
    if (needed) return needed > 0 ? 0 : 1;
    for (uint32_t epoch = 0; epoch < s.epochs; epoch++) {
        const float rate = s.rate * (1.0f - (1.0f - s.last) * (float)epoch / (float)s.epochs);
        float loss = 0;
        int32_t replaced = 0;
        uint32_t count = 0;
        shuffle(s.seed, epoch);
        for (uint32_t i = 0; i < N_TRAIN; i++) {
            load(x, train_x[order[i]]);
            COUNT_START();
            const int problem = ts_train_class(&t, x, train_y[order[i]], rate);
            count += COUNT_STOP();
            if (problem) return 2;
            loss += t.loss;
        }
        device_write(&count, sizeof count);
        COUNT_START();
        if (epoch + 1 < s.epochs) replaced = (int32_t)ts_train_evolve(&t, s.zeta, TS_SET);
        count = COUNT_STOP();
        device_write(&count, sizeof count);
        device_write(&replaced, sizeof replaced);
        device_write(&loss, sizeof loss);
    }
    for (int i = 0; i < N_TEST; i++) {
        load(x, test_x[i]);
        const uint8_t label = (uint8_t)ts_train_predict(&t, x);
        device_write(&label, 1);
    }
    if (ts_train_send(&t, send, NULL)) return 3; /* in pieces: a second copy would not fit */
    const uint32_t stack[2] = {device_stack_used(), device_stack_space()};
    device_write(stack, sizeof stack);
    return 0;
}
