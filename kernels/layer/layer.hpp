// A layer of indexed connections: what its passes take, and the loops they are made of.
#pragma once

#include "base/views.hpp"

namespace ts {

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
    bool add = false;       // to what y holds, in place of the biases; without an activation
    bool stream = false;    // y will have left the caches before it is read; whole aligned lines only
};

// A gradient of a group of parameters, and its weight in the sum.
template <class T>
struct Scaled {
    const T* gradient = nullptr;
    T scale = 1;
};

template <class T>
struct BackwardArgs {
    Connections by_input;  // master order: position is null
    Connections by_output;  // with positions; may be empty
    Parameters<T> weights;
    Parameters<T> biases;
    UpdateArgs<T> weight_update, bias_update;
    int64_t n_out = 0;
    const T* dy = nullptr;  // n_out x stride: gradient of the loss at this layer's pre-activation
    T* x = nullptr;         // n_in x stride: this layer's input
    T* dx = nullptr;        // null, or where the gradient at the input's pre-activation goes (x itself is allowed)
    int64_t stride = 0;
    Epilogue input;         // the activation that made x
    bool add = false;       // to what dx holds; of an input without an activation
    bool prefetch = false;
};

// Rows with more connections than this are cut into segments, so that one neuron with millions of
// connections is shared by several threads.
constexpr int64_t kSegment = 1 << 14;

// The loops, compiled once per instruction set. All take plain ranges; the caller distributes them over threads.
template <class T>
struct LayerKernels {
    // scratch: kSegment values, and a row of `stride` for forward_rows.
    void (*forward_rows)(const ForwardArgs<T>&, int64_t row0, int64_t row1, T* scratch);
    void (*forward_segment)(const ForwardArgs<T>&, int64_t k0, int64_t k1, T* partial, T* scratch);
    void (*forward_join)(const ForwardArgs<T>&, int64_t row, const T* partials, int64_t count);
    void (*backward_rows)(const BackwardArgs<T>&, int64_t row0, int64_t row1, T* scratch);
    void (*backward_segment)(const BackwardArgs<T>&, int64_t row, int64_t k0, int64_t k1, T* partial);
    void (*backward_join)(const BackwardArgs<T>&, int64_t row, T* partials, int64_t count);
    // The weights' gradients alone, of rows in any order: gradient[position of k] of each connection k. by_input and
    // dy are the connections and what is gathered along them, x is what a row of them is multiplied with.
    void (*gradient_rows)(const BackwardArgs<T>&, int64_t row0, int64_t row1, T* gradient);
    // Weights [begin, end) by gradients that are added to earlier ones, where the rule says so.
    void (*apply)(const BackwardArgs<T>&, int64_t begin, int64_t end, T* gradient);
    void (*bias_rows)(const BackwardArgs<T>&, int64_t row0, int64_t row1);
    // Parameters [begin, end) by the sum of scale[i] * gradient[i].
    void (*update)(const UpdateArgs<T>&, const Parameters<T>&, const Scaled<T>* gradients, int64_t count, int64_t begin,
                   int64_t end);
};

}  // namespace ts
