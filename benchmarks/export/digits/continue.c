/* A network that Python trained learns on from new samples, evolves, and is written out: net.c is what
 * export.c(training=True) wrote. */
#include "device.h"
#include "digits.h"
#include "net.c"

static uint64_t memory[MEMORY / 8];
static uint8_t saved[SAVED];

int main(void) {
    uint32_t epochs;
    float rate, x[PIXELS];
    device_read(&epochs, sizeof epochs);
    device_read(&rate, sizeof rate);
    ts_train_config config = net_config();
    config.momentum = 0.9f, config.velocity = TS_FLOAT32, config.seed = 1;
    const int32_t needed = (int32_t)ts_train_memory(&config);
    device_write(&needed, sizeof needed);
    if (needed < 0) return 1;
    if ((uint32_t)needed > sizeof memory) return 0;
    if (net_init(memory, sizeof memory, &config)) return 2;
    for (uint32_t epoch = 0; epoch < epochs; epoch++) {
        for (uint32_t i = 0; i < N_TRAIN; i++) {
            for (int p = 0; p < PIXELS; p++) x[p] = train_x[i][p];
            if (ts_train_class(&net_network, x, train_y[i], rate)) return 3;
        }
        if (epoch + 1 < epochs && ts_train_evolve(&net_network, 0.3f, TS_SET) < 0) return 4;
    }
    const uint32_t bytes = (uint32_t)ts_train_save(&net_network, saved, sizeof saved);
    if (bytes > sizeof saved) return 5;
    for (int i = 0; i < N_TEST; i++) {
        for (int p = 0; p < PIXELS; p++) x[p] = test_x[i][p];
        const uint8_t label = (uint8_t)net_predict(x);
        device_write(&label, 1);
    }
    device_write(&bytes, sizeof bytes);
    device_write(saved, bytes);
    return 0;
}
