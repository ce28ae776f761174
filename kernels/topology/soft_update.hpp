// The soft update of a layer, t + tau * (s - t), of two layers whose connections differ: mixed on the union, of which
// the largest are kept, as many as s has. Linear in connections; the same whatever the threads.
//
// Nothing is written before what is kept has been chosen, as mostly few connections change: `choose` reads the weights,
// then either `mix_where_kept` writes those of t in place or `merge_chosen` makes new arrays.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/buffer.hpp"
#include "topology/difference.hpp"

namespace ts {

// Arrays of two layers; a missing connection's value is 0.
template <class S>
struct Mixed {
    const Difference& difference;  // of t and s
    const int64_t* t_ptr = nullptr;
    const int64_t* s_ptr = nullptr;
    const S* t = nullptr;
    const S* s = nullptr;
    Computed<S> tau = 0;
};

// What becomes of t's connections, chunk by chunk; positions count from the chunk's first connection.
struct Choice {
    struct Chunk {
        std::vector<uint32_t> removed;  // of t, ascending
        std::vector<uint32_t> at, from;  // from s: before which of t's, and which of s's
    };
    std::vector<Chunk> chunks;
    int64_t removed = 0, added = 0;
    double threshold = 0;  // the largest magnitude that was removed
    std::shared_ptr<Difference> difference;  // of the result and s; null where nothing is removed or added

    bool changes() const { return removed > 0 || added > 0; }
};

// Removes the smallest magnitudes of the union until s's number of connections are left, of equal ones the first.
// expected: the threshold of the update before, or less than 0; it saves time where it is close, and changes no result.
template <class S>
Choice choose(const Mixed<S>& mixed, double expected, int threads);

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
