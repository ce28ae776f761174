// The median of values along connections: exact, in linear time, with counters as its only memory.
#pragma once

#include <cstdint>

namespace ts {

// The median of the values whose `keep` is not 0, the mean of the two in the middle where their number is even; 0 where
// there are none. The same bits for any number of threads.
template <class T>
double kept_median(const T* value, const uint8_t* keep, int64_t count, int threads);

}  // namespace ts
