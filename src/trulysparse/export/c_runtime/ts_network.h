/* A network in training: its layers, what the caller configures, and where all of it lies in the caller's memory. */
#ifndef TS_NETWORK_H
#define TS_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "ts_random.h"

/* What functions return: 0, or below 0 for an error. Nothing is changed then, but where a function says so. */
enum {
    TS_OK = 0,
    TS_BAD_ARGUMENT = -1, /* a null pointer, or a number out of its range */
    TS_BAD_TARGET = -2,   /* a class that the network does not have */
    TS_DIVERGED = -3,     /* the loss is not finite; the weights stay as they were */
    TS_MISALIGNED = -4,   /* memory that does not begin at a multiple of 8 */
    TS_NOT_A_BLOB = -5,   /* bytes that do not begin as a blob does, or of another version */
    TS_CORRUPT = -6,      /* a blob that was cut off or changed (checksum), or contradicts itself */
    TS_TOO_LARGE = -7,    /* a network beyond 65,536 neurons per layer, or beyond what addresses reach */
    TS_UNSUPPORTED = -8   /* what this build of the runtime, or this network, does not have */
};

/* Activations of hidden layers, numbered as in the library. */
enum { TS_IDENTITY = 0, TS_LEAKY = 1, TS_TANH = 2, TS_SIGMOID = 3, TS_GELU = 4, TS_SILU = 5 };

/* Of the output layer; it says the loss too: cross-entropy, binary cross-entropy (mean over outputs), squared error
 * (mean over outputs). */
enum { TS_OUTPUT_SOFTMAX = 0, TS_OUTPUT_SIGMOID = 1, TS_OUTPUT_IDENTITY = 2 };

/* How momentum is held. */
enum { TS_NO_VELOCITY = 0, TS_FLOAT32 = 1, TS_BFLOAT16 = 2 };

#define TS_MAX_WIDTH 65536u

typedef struct {
    uint32_t n_in, n_out, count; /* count connections, rows by input neuron */
    uint32_t* start;             /* n_in + 1: where the row of an input neuron begins */
    uint16_t* index;             /* count; output neurons, ascending within a row */
    float* weight;               /* count, in the order of index */
    void* velocity;              /* count of float or, with TS_BFLOAT16, of uint16_t; NULL without momentum */
    float* target;               /* count; weights of the target network of ts_td_step, NULL without one */
    float* bias;                 /* n_out; NULL of a layer without biases */
    float* bias_velocity;        /* n_out, always float; NULL without momentum or biases */
    float* bias_target;          /* n_out; NULL without a target network or biases */
    float* values;               /* n_out x batch: sums, activations or gradients of its outputs */
    uint32_t activation;         /* TS_LEAKY, ... */
    float slope;                 /* TS_LEAKY: x for x > 0, slope * x for x <= 0 */
} ts_layer;

/* What the caller chooses, before there is any memory. Begin with ts_train_defaults(). */
typedef struct {
    /* The network: of a blob (which must stay where it is: the scaling is read from it) ... */
    const void* blob;
    size_t blob_bytes;
    /* ... or, where blob is NULL, one that ts_train_draw draws: layers sizes[0] to sizes[n_sizes - 1], each with
     * epsilon * (n_in + n_out) connections. */
    const uint32_t* sizes;
    uint32_t n_sizes;
    float epsilon;
    uint32_t activation, output; /* of its hidden layers; of its output layer */
    float slope;
    uint32_t all_relu; /* 1: the slope counts negative on the first, third, ... hidden layer, as in AllReLU */

    uint32_t seed;           /* of all that is random */
    uint32_t batch;          /* samples of a step at most, at least 1 */
    uint32_t velocity;       /* TS_NO_VELOCITY where momentum is 0, TS_FLOAT32 or TS_BFLOAT16 */
    uint32_t target_network; /* 1: room for the target network of ts_td_step */
    uint32_t nesterov;       /* 1: Nesterov's momentum */
    float momentum;          /* in [0, 1) */
    float l2;                /* added to gradients: l2 * weight; not of biases */
    float decay;             /* share that weights lose at each step; not of biases */
    float dropout;           /* share of hidden activations dropped in training, in [0, 1) */
} ts_train_config;

typedef struct {
    ts_train_config config;
    uint32_t n_layers;           /* all, a skip layer included */
    uint32_t skip;               /* 1: the last layer goes from the inputs straight to the output sums */
    uint32_t output;             /* TS_OUTPUT_SOFTMAX, ... */
    ts_layer* layers;
    float* scratch;              /* 4 x batch; the passes use the first 2 x batch alone */
    const uint8_t* offset; /* n_in floats in the blob, any alignment: inputs are (x - offset) * factor; or NULL */
    const uint8_t* factor;
    const uint8_t* target_offset; /* of regression, n_out floats: targets are (y - offset) * factor; or NULL */
    const uint8_t* target_factor;
    const uint8_t* text; /* what the blob says of names, kept as it is */
    uint32_t text_bytes;
    uint32_t step; /* updates so far */
    uint32_t evolutions; /* evolutions so far */
    float loss; /* of the last step, before its update */
} ts_train;

/* The layer that gives the network's outputs. */
TS_API ts_layer* ts_output_layer(const ts_train* t) { return t->layers + (t->n_layers - 1u - t->skip); }

#endif
