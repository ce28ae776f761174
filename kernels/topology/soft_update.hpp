// The soft update of a layer, t + tau * (s - t), of two layers whose connections differ: mixed on the union, of which
// the largest are kept, as many as s has. Linear in connections; the same whatever the threads.
//
// Nothing is written before what is kept has been chosen (choose.hpp), as mostly few connections change: then either
// `mix_where_kept` writes the weights of t in place or `merge_chosen` makes new arrays.
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.hpp"
#include "topology/choose.hpp"

namespace ts {

// t += tau * (s - t) where t has connections: all there is to do where none is removed or added. key: see
// MixingKernels.
template <class S>
void mix_where_kept(const Mixed<S>& mixed, S* t, uint64_t key, int threads);

template <class S>
struct Merged {
    Buffer<int64_t> ptr;
    Buffer<uint32_t> number;
    Buffer<S> value;
};

// The connections that a choice leaves, and their values. indexed: with ptr and number; else values alone.
template <class S>
Merged<S> merge_chosen(const Mixed<S>& mixed, const Choice& choice, const uint32_t* t_number, const uint32_t* s_number,
                       bool indexed, uint64_t key, int threads);

// Arrays of one type, mixed place by place.
template <class S>
struct Pair {
    S* t = nullptr;
    const S* s = nullptr;
    int64_t count = 0;
    uint64_t key = 0;
};
template <class S>
void mix(const std::vector<Pair<S>>& pairs, Computed<S> tau, int threads);

}  // namespace ts
