// Carries out a decision: the kept connections and the grown ones of a layer, merged in order. Linear in connections.
#pragma once

#include "buffer.hpp"
#include "sparse_view.hpp"

namespace ts {

// Row pointers of what `keep` leaves.
Buffer<int64_t> kept_pointers(const Connections& connections, const uint8_t* keep, int threads);

// Row by row: the kept connections and the grown ones, merged by column.
void rewire_index(const Connections& old, const uint8_t* keep, const Connections& grown, const Connections& target,
                  int32_t* index, int threads);

// The same merge for an array that lies along the connections; `fresh` holds the grown connections' values,
// null for zeros.
template <class T>
void rewire_values(const Connections& old, const uint8_t* keep, const Connections& grown, const Connections& target,
                   const T* values, const T* fresh, T* out, int threads);

}  // namespace ts
