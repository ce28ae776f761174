// Values of one set of connections transferred to another: parallel training does this with gradients that were
// computed on an older topology, and with networks that evolved separately. Linear in connections.
#pragma once

#include "base/buffer.hpp"
#include "base/views.hpp"

namespace ts {

// out[k] = the value of `from` at the place of to's k-th connection, 0 where `from` has none; returns how many it has.
template <class T>
int64_t carry(const Connections& from, const T* value, const Connections& to, T* out, int threads);

template <class T>
struct Summed {
    Buffer<int64_t> ptr;
    Buffer<int32_t> index;
    Buffer<T> value;
};

// The union of two sets of connections, with the sum of their values; a missing connection counts as 0.
template <class T>
Summed<T> add(const Connections& a, const T* a_value, const Connections& b, const T* b_value, int threads);

}  // namespace ts
