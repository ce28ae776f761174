// A layer laid out for one sample at a time: rows are sorted by their number of connections and taken eight
// together (a slice), the k-th connections of the eight side by side; shorter rows are filled up with weights of zero.
// Weights and indices are then one stream, the eight sums are independent of each other, and no row ends in a
// mispredicted branch. (The layout is known as SELL-C-sigma: Kreutzer et al., SIAM J. Sci. Comput. 36, 2014.) A layer
// that has all its connections needs no indices.
#pragma once

#include "base/views.hpp"

namespace ts {

constexpr int64_t kSliceRows = 8;

struct NoIndex {};  // the k-th connections of a slice come from input k

template <class T, class Index>
struct SlicedLayer {
    int64_t slices = 0;
    const int64_t* start = nullptr;  // slices + 1: where a slice's connections begin
    const Index* index = nullptr;    // input neuron; not for NoIndex
    const T* weight = nullptr;
    const int32_t* row = nullptr;    // slices x 8: output neuron; the number of rows where there is none
    const T* bias = nullptr;         // slices x 8
    Activation kind = Activation::identity;
    double slope = 0;
};

template <class T>
struct SliceKernels {
    // y has one element more than there are rows.
    void (*narrow)(const SlicedLayer<T, uint16_t>&, const T* x, T* y);
    void (*wide)(const SlicedLayer<T, int32_t>&, const T* x, T* y);
    void (*full)(const SlicedLayer<T, NoIndex>&, const T* x, T* y);
};

}  // namespace ts
