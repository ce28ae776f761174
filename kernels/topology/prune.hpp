// Which connections are kept, by their values: exact selection in linear time, ties broken by position.
#pragma once

#include <cstdint>
#include <vector>

namespace ts {

// Values along the connections of one layer, and the keep mask to fill: 1 is kept, 0 is removed.
template <class T>
struct Marked {
    const T* value = nullptr;
    uint8_t* keep = nullptr;
    int64_t count = 0;
};

// Marks the floor(zeta * n) positive values closest to zero and the floor(zeta * m) negative values closest to zero
// (n, m: how many there are; a zero counts by its sign bit). Of equal values the earlier is removed first. Returns the
// number removed. (Mocanu et al. 2018, algorithm 1.)
template <class T>
int64_t keep_by_sign_magnitude(const Marked<T>& layer, double zeta, int threads);

// Marks the `remove` values of least magnitude of all the layers together; of equal ones the earlier is removed first.
template <class T>
void keep_by_magnitude(const std::vector<Marked<T>>& layers, int64_t remove, int threads);

// The smallest magnitudes of some values: all whose bits, as an unsigned number, lie below `threshold`, and `ties` of
// those at it.
struct Smallest {
    uint64_t threshold = 0;
    int64_t ties = 0;
};

// The `rank` smallest magnitudes of the values of all parts together. keep is not written.
template <class T>
Smallest smallest_magnitudes(const std::vector<Marked<T>>& parts, int64_t rank, int threads);

}  // namespace ts
