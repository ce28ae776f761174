// The size of a gradient.
#pragma once

#include <cstdint>

namespace ts {

// The sum of squares in double precision, added in an order that depends on `count` alone: the same bits for any number
// of threads.
template <class T>
double sum_of_squares(const T* values, int64_t count, int threads);

}  // namespace ts
