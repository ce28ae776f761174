// Growth where the loss gradient is largest, without a dense gradient: it is computed tile by tile and never stored.
#pragma once

#include "topology/sampling.hpp"

namespace ts {

template <class T>
struct GradientArgs {
    const T* x = nullptr;   // n_in x stride: the layer's input
    const T* dy = nullptr;  // n_out x stride: gradient at its pre-activation
    int64_t stride = 0;
};

// The `count` empty places of largest |gradient| (of equal ones the first by position): exactly those of the dense
// gradient dy . x, of which no more than one tile per thread exists. Empty: not in `existing` (by input), or keep[k] ==
// 0. count is at most the number of empty places. Time n_in * n_out * stride; memory a few values per grown connection.
template <class T>
Positions grow_by_gradient(const Connections& existing, int64_t n_out, const uint8_t* keep, const GradientArgs<T>& args,
                           int64_t count, int threads);

// mark[c] = 1 where candidate c is an empty place. Both by input, ascending within a row.
void mark_empty(const Connections& existing, const uint8_t* keep, const Connections& candidates, uint8_t* mark,
                int threads);

}  // namespace ts
