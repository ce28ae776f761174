/* Training of a sparse network on the device itself, in memory that the caller gives: C99, nothing but memcpy and
 * memset.
 *
 *     ts_train_config c = ts_train_defaults();
 *     c.blob = net_blob, c.blob_bytes = sizeof(net_blob), c.momentum = 0.9f, c.velocity = TS_FLOAT32;
 *     static uint64_t memory[8000];                            // ts_train_memory(&c) says how many bytes it takes
 *     ts_train t;
 *     if (ts_train_init(&t, memory, sizeof(memory), &c) != TS_OK) ...
 *     if (ts_train_class(&t, x, label, 0.002f) != TS_OK) ...   // one sample, one update; t.loss is its loss
 *     int label = ts_train_predict(&t, x);
 *     size_t bytes = ts_train_save(&t, buffer, sizeof(buffer)); // trulysparse.load reads them from a file
 *
 * There is no state beside ts_train and the memory block, so several networks can be trained side by side. The memory
 * figure, and ts_train_memory, are exact. The network's blob has to stay in place while it is trained: scaling and text
 * are read from it.
 */
#ifndef TS_TRAIN_H
#define TS_TRAIN_H

#include "ts_loss.h"
#include "ts_passes.h"
#include "ts_save.h"

/* A configuration with one sample a step, SGD without momentum, no dropout. The network is still to be named. */
TS_API ts_train_config ts_train_defaults(void) {
    ts_train_config c;
    memset(&c, 0, sizeof(c));
    c.batch = 1;
    c.epsilon = 10.0f;
    c.activation = TS_LEAKY;
    return c;
}

/* One update by a mini-batch of n samples, at most config.batch.
 * x: n x n_in values, sample after sample. targets: n class numbers (softmax), or n x n_out values. rate: above 0.
 * Returns TS_OK; TS_BAD_ARGUMENT or TS_BAD_TARGET; TS_DIVERGED where the loss, t->loss, is not finite. Weights,
 * momentum and counters change in the first case only. */
TS_API int ts_train_batch(ts_train* t, const float* x, const float* targets, uint32_t n, float rate) {
    if (!t || !x || !targets || n == 0 || n > t->config.batch || !(rate >= 0.0f) || !ts_is_finite(rate)) {
        return TS_BAD_ARGUMENT;
    }
    const int problem = ts_targets_problem(t, targets, n);
    if (problem != TS_OK) return problem;
    ts_train_forward(t, x, n, 1, 0);
    t->loss = ts_loss(t, targets, n);
    if (!ts_is_finite(t->loss)) return TS_DIVERGED;
    ts_train_update(t, x, n, rate);
    return TS_OK;
}

/* One update by one sample; target: one class number (softmax), or n_out values. */
TS_API int ts_train_step(ts_train* t, const float* x, const float* target, float rate) {
    return ts_train_batch(t, x, target, 1, rate);
}

/* One update by one sample of a class. */
TS_API int ts_train_class(ts_train* t, const float* x, uint32_t label, float rate) {
    if (!t || t->output != TS_OUTPUT_SOFTMAX || label >= ts_output_layer(t)->n_out) return TS_BAD_TARGET;
    const float target = (float)label;
    return ts_train_batch(t, x, &target, 1, rate);
}

/* The values of the outputs before softmax or sigmoid; of regression in the targets' own unit. */
TS_API void ts_train_scores(ts_train* t, const float* x, float* scores) {
    const ts_layer* y = ts_output_layer(t);
    ts_train_forward(t, x, 1, 0, 0);
    for (uint32_t o = 0; o < y->n_out; ++o) {
        float z = y->values[o];
        if (t->target_offset) {
            const float factor = ts_read_float(t->target_factor + 4u * (size_t)o);
            z = (factor != 0.0f ? z / factor : 0.0f) + ts_read_float(t->target_offset + 4u * (size_t)o);
        }
        scores[o] = z;
    }
}

/* The output of the largest score, of equal ones the first; of one output that is no softmax, whether its score is
 * above 0. */
TS_API int ts_train_predict(ts_train* t, const float* x) {
    const ts_layer* y = ts_output_layer(t);
    uint32_t best = 0;
    ts_train_forward(t, x, 1, 0, 0);
    for (uint32_t o = 1; o < y->n_out; ++o) {
        if (y->values[o] > y->values[best]) best = o;
    }
    return y->n_out == 1u && t->output != TS_OUTPUT_SOFTMAX ? y->values[0] > 0.0f : (int)best;
}

#endif
