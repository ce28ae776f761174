// Two layers of which one is drawn towards the other, chunk by chunk of their difference.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/buffer.hpp"
#include "base/threads.hpp"
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

// Connections of t in a chunk.
template <class S>
int64_t t_size(const Mixed<S>& m, int64_t c) {
    return m.t_ptr[m.difference.row[c + 1]] - m.t_ptr[m.difference.row[c]];
}

template <class S>
MixedChunk<S> chunk_of(const Mixed<S>& m, int64_t c) {
    const Difference& d = m.difference;
    const int64_t row = d.row[c];
    return {d.event.data() + d.start[c], d.start[c + 1] - d.start[c], m.t + m.t_ptr[row], m.s + m.s_ptr[row],
            m.s + d.second_size};
}

template <class S>
int threads_of(const Mixed<S>& m, int threads) {
    return threads_for((m.difference.first_size + m.difference.second_size) * 2, threads);
}

// Arrays for a chunk at a time, one per thread.
template <class V>
class Scratch {
  public:
    Scratch(int64_t size, int threads) : size_((size + 15) / 16 * 16), memory_(size_ * std::max(threads, 1)) {}
    V* mine() { return memory_.data() + current_thread() * size_; }

  private:
    int64_t size_;
    Buffer<V> memory_;
};

// Room for a chunk's values of t, and for a group more; for one value per event, and one more.
template <class S>
int64_t largest_chunk(const Mixed<S>& m) {
    int64_t largest = 0;
    for (int64_t c = 0; c < m.difference.chunks(); ++c) largest = std::max(largest, t_size(m, c));
    return largest + kGroup;
}
inline int64_t most_events(const Difference& d) {
    int64_t most = 0;
    for (int64_t c = 0; c < d.chunks(); ++c) most = std::max(most, d.start[c + 1] - d.start[c]);
    return most + 1;
}

}  // namespace ts
