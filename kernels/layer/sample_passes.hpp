// Both passes of a layer on matrices of samples that others own, such as PyTorch's: each pass is one call, which takes
// the samples in tiles of columns.
#pragma once

#include "input/columns.hpp"
#include "layer/passes.hpp"

namespace ts {

// A layer's connections, both ways, as its passes need them.
struct LayerTopology {
    int64_t n_in = 0, n_out = 0;
    Connections by_input;   // master order
    Connections by_output;  // with positions
    const int64_t* long_inputs = nullptr;
    int64_t n_long_inputs = 0;
    const int64_t* long_outputs = nullptr;
    int64_t n_long_outputs = 0;
};

// y = W x + b of `count` samples. S: how they are held.
template <class S, class T>
void forward_samples(const LayerTopology& topology, const T* weight, const T* bias, const Samples<const S>& x,
                     const Samples<S>& y, int64_t count, int threads);

// Gradients of the weights (in master order) and biases, and of x; each may be null. Sums over samples are taken tile
// by tile, so that they are the same for any number of threads.
template <class S, class T>
void backward_samples(const LayerTopology& topology, const T* weight, const Samples<const S>& x,
                      const Samples<const S>& dy, const Samples<S>& dx, T* weight_gradient, T* bias_gradient,
                      int64_t count, int threads);

}  // namespace ts
