/* Training of a sparse network on the device itself, in memory that the caller gives. C99, no other library.
 *
 *     ts_train_config c = ts_train_defaults();
 *     c.blob = net_blob, c.blob_bytes = sizeof(net_blob), c.momentum = 0.9f, c.velocity = TS_FLOAT32;
 *     static uint64_t memory[8000];                      // ts_train_memory(&c) says how many bytes it takes
 *     ts_train t;
 *     if (ts_train_init(&t, memory, sizeof(memory), &c) != TS_OK) ...
 *     if (ts_train_class(&t, x, label, 0.002f) != TS_OK) ...    // one sample, one step; t.loss is its loss
 *     int label = ts_train_predict(&t, x);
 */
#ifndef TS_TRAIN_H
#define TS_TRAIN_H

#include "ts_network.h"

/* A configuration with batch 1, SGD without momentum, no dropout. */
TS_API ts_train_config ts_train_defaults(void);

/* Bytes that training takes besides ts_train itself, or an error below 0. */
TS_API ptrdiff_t ts_train_memory(const ts_train_config* c);

/* Places a network in memory (a multiple of 8; the blob's, weights copied) and starts or resumes its training.
 * Returns TS_OK; or, where `bytes` are too few, the bytes needed; or an error. Changes nothing but in the first case.
 */
TS_API ptrdiff_t ts_train_init(ts_train* t, void* memory, size_t bytes, const ts_train_config* c);

/* The same for a network drawn from c->sizes, c->epsilon and c->seed (ts_draw.h). */
TS_API ptrdiff_t ts_train_draw(ts_train* t, void* memory, size_t bytes, const ts_train_config* c);

/* One update by a mini-batch of n samples, n x n_in values, sample after sample; targets: n class numbers (softmax) or
 * n x n_out values. TS_OK with t->loss, TS_DIVERGED (no weight changed), TS_BAD_TARGET. */
TS_API int ts_train_batch(ts_train* t, const float* x, const float* targets, uint32_t n, float rate);
TS_API int ts_train_step(ts_train* t, const float* x, const float* target, float rate);
TS_API int ts_train_class(ts_train* t, const float* x, uint32_t label, float rate);

/* The parts of a step, for losses of one's own: forward leaves the outputs' values (before softmax) in
 * ts_output_layer(t)->values, n_out x n, value b of output o at [o * n + b]; update takes the gradient at them from
 * there, goes back and changes weights and biases. target: 1 for the target network's weights. */
TS_API void ts_train_forward(ts_train* t, const float* x, uint32_t n, int training, int target);
TS_API void ts_train_update(ts_train* t, const float* x, uint32_t n, float rate);

/* Values of the outputs before softmax or sigmoid; of regression in the targets' own unit. */
TS_API void ts_train_scores(ts_train* t, const float* x, float* scores);
/* The output of the largest score, the first of equal ones; of one output: whether its score is above 0. */
TS_API int ts_train_predict(ts_train* t, const float* x);

/* Writes the network with its momentum and counters as a blob. Returns the blob's bytes where they fit, and also, with
 * nothing written, where they do not: compare with `bytes`. */
TS_API size_t ts_train_save(const ts_train* t, void* buffer, size_t bytes);

#endif
