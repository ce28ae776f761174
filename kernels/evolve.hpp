// Topology evolution in three steps, each usable alone: choose what to keep, sample empty places
// (connectivity.hpp), rewire. Linear in connections; the order of connections stays sorted.
#pragma once

#include "buffer.hpp"
#include "sparse_view.hpp"

namespace ts {

// keep[k] = 0 for the floor(zeta * n) positive weights closest to zero and the floor(zeta * m) negative
// weights closest to zero (n, m: how many there are; a zero counts by its sign bit), else 1. Of equal
// weights the earlier goes first. Returns the number removed. (Mocanu et al. 2018, algorithm 1.)
template <class T>
int64_t keep_by_sign_magnitude(const T* weight, int64_t count, double zeta, uint8_t* keep, int threads);

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
