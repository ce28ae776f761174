// Applies an evolution step: the kept connections and the new ones of a layer, merged in order. Linear in connections.
#pragma once

#include "base/buffer.hpp"
#include "base/views.hpp"

namespace ts {

// Row pointers of what `keep` leaves.
Buffer<int64_t> kept_pointers(const Connections& connections, const uint8_t* keep, int threads);

// An array that lies along the connections, and its new form. fresh: the grown connections' values; null: each gets
// `fill`.
template <class T>
struct Moved {
    const T* values = nullptr;
    const T* fresh = nullptr;
    T* out = nullptr;
    T fill = 0;
};

// Row by row the kept connections and the grown ones, merged by column: their indices, and up to three arrays (weights
// and optimizer state) along with them, in one pass. `target` has the new row pointers.
template <class T>
void rewire(const Connections& old, const uint8_t* keep, const Connections& grown, const Connections& target,
            int32_t* index, const Moved<T>* moved, int count, int threads);

}  // namespace ts
