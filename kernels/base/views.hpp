// What every layer kernel takes. Nothing here owns memory.
//
// Activations lie neurons x batch: row i holds neuron i's values for the whole batch, `stride` values
// long (the batch size padded, see padded_batch). A connection is then one contiguous multiply-add.
#pragma once

#include <cstdint>

namespace ts {

// Rows of connections, sorted by column within a row. `ptr` has rows + 1 entries.
struct Connections {
    int64_t rows = 0;
    const int64_t* ptr = nullptr;
    const int32_t* index = nullptr;
    // Position of each connection's weight in the master arrays; null where they are in this order.
    const uint32_t* position = nullptr;
};

enum class Activation : int { identity = 0, leaky = 1, tanh = 2, sigmoid = 3 };

// The activation and dropout of one layer's output, and the bits that its derivative needs later.
// Bit b of byte g of a row belongs to batch column 8 * g + b.
struct Epilogue {
    Activation kind = Activation::identity;
    double slope = 0;             // leaky: value of f'(x) for x <= 0
    uint8_t* positive = nullptr;  // leaky: pre-activation > 0; null at inference
    uint8_t* kept = nullptr;      // not dropped; null without dropout
    double keep_probability = 1;
    uint64_t key = 0;             // of the dropout stream
};

template <class T>
struct ForwardArgs {
    Connections by_output;
    const T* weight = nullptr;
    const T* bias = nullptr;
    const T* x = nullptr;  // n_in x stride
    T* y = nullptr;        // n_out x stride
    int64_t stride = 0;
    Epilogue epilogue;
    bool prefetch = false;  // the gathered rows do not fit the second-level cache
    bool stream = false;    // y will have left the caches before it is read; whole aligned lines only
};

enum class Update : int { none = 0, gradient = 1, sgd = 2, nesterov = 3, adam = 4 };

template <class T>
struct UpdateArgs {
    Update kind = Update::none;
    T learning_rate = 0, momentum = 0;
    T l2 = 0;     // added to the gradient, times the weight
    T decay = 0;  // fraction of the weight removed at each step
    T beta1 = 0, beta2 = 0, epsilon = 0, correction1 = 1, correction2 = 1;
};

// One group of parameters with its optimizer state, all in master order.
template <class T>
struct Parameters {
    T* value = nullptr;
    T* slot0 = nullptr;
    T* slot1 = nullptr;
    T* gradient = nullptr;  // Update::gradient writes here and touches nothing else
};

// A gradient of a group of parameters, and what it counts.
template <class T>
struct Scaled {
    const T* gradient = nullptr;
    T scale = 1;
};

template <class T>
struct BackwardArgs {
    Connections by_input;  // master order: position is null
    Parameters<T> weights;
    Parameters<T> biases;
    UpdateArgs<T> weight_update, bias_update;
    int64_t n_out = 0;
    const T* dy = nullptr;  // n_out x stride: gradient of the loss at this layer's pre-activation
    T* x = nullptr;         // n_in x stride: this layer's input
    T* dx = nullptr;        // null, or where the gradient at the input's pre-activation goes (x itself is allowed)
    int64_t stride = 0;
    Epilogue input;         // the activation that made x
    bool prefetch = false;
};

// Rows with more connections than this are cut into segments, so that one neuron with millions of
// connections does not keep one thread busy alone.
constexpr int64_t kSegment = 1 << 14;

// 1, 2, 4, 8, 16, then multiples of 16: whole cache lines where the batch allows.
constexpr int64_t padded_batch(int64_t batch) {
    int64_t padded = 1;
    while (padded < batch && padded < 16) padded *= 2;
    return padded < batch ? (batch + 15) / 16 * 16 : padded;
}

constexpr int64_t bit_stride(int64_t stride) { return stride >= 8 ? stride / 8 : 1; }

// The loops, compiled once per instruction set. All are plain ranges; threads are the caller's matter.
template <class T>
struct LayerKernels {
    // scratch: kSegment values, and a row of `stride` for forward_rows.
    void (*forward_rows)(const ForwardArgs<T>&, int64_t row0, int64_t row1, T* scratch);
    void (*forward_segment)(const ForwardArgs<T>&, int64_t k0, int64_t k1, T* partial, T* scratch);
    void (*forward_join)(const ForwardArgs<T>&, int64_t row, const T* partials, int64_t count);
    void (*backward_rows)(const BackwardArgs<T>&, int64_t row0, int64_t row1, T* scratch);
    void (*backward_segment)(const BackwardArgs<T>&, int64_t row, int64_t k0, int64_t k1, T* partial);
    void (*backward_join)(const BackwardArgs<T>&, int64_t row, T* partials, int64_t count);
    void (*bias_rows)(const BackwardArgs<T>&, int64_t row0, int64_t row1);
    // Parameters [begin, end) by the sum of scale[i] * gradient[i].
    void (*update)(const UpdateArgs<T>&, const Parameters<T>&, const Scaled<T>* gradients, int64_t count, int64_t begin,
                   int64_t end);
};

enum class Loss : int { softmax_cross_entropy = 0, binary_cross_entropy = 1, mean_squared_error = 2 };

template <class T>
struct LossArgs {
    Loss kind = Loss::softmax_cross_entropy;
    int64_t outputs = 0, batch = 0, stride = 0;
    T* z = nullptr;                   // outputs x stride: in, the output layer's values; out, the gradient at them
    const int32_t* label = nullptr;   // softmax: one class a sample
    const T* target = nullptr;        // the others: outputs x stride
    const T* sample_weight = nullptr; // `stride` values, 0 in the padding; already divided by their sum
    double* partial = nullptr;        // softmax: `stride` values, else `outputs` values: parts of the loss
};

template <class T>
struct LossKernels {
    void (*softmax_columns)(const LossArgs<T>&, int64_t column0, int64_t column1);
    void (*output_rows)(const LossArgs<T>&, int64_t row0, int64_t row1);
    // In place: predictions from the output layer's values. softmax works on columns, sigmoid on rows.
    void (*softmax)(T* z, int64_t outputs, int64_t stride, int64_t column0, int64_t column1);
    void (*sigmoid)(T* z, int64_t count);
};

}  // namespace ts
