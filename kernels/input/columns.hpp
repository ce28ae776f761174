// Samples of another owner's matrix, taken as columns of a neurons x batch array, and put back.
#pragma once

#include <cstdint>

namespace ts {

// A matrix of samples x features as its owner has it. Strides are in elements, and one of them is 1: samples lie one
// after the other, or features do, as in an array neurons x batch.
template <class S>
struct Samples {
    S* data = nullptr;
    int64_t sample_stride = 0, feature_stride = 1;
};

// out[f * stride + b] = x(first + b, f) for b below `count`, zeros up to the stride.
template <class S, class T>
void load_columns(const Samples<const S>& x, int64_t first, int64_t count, int64_t features, T* out, int64_t stride,
                  int threads);

// The way back: x(first + b, f) = from[f * stride + b].
template <class S, class T>
void store_columns(const T* from, int64_t stride, int64_t first, int64_t count, int64_t features, const Samples<S>& x,
                   int threads);

}  // namespace ts
