// Soft removal: connections remain at random, those of large magnitude more often. Linear in connections.
#pragma once

#include <cstdint>

#include "base/views.hpp"

namespace ts {

// Marks those that remain when all but `remove` of `count` connections are drawn one by one without replacement, each
// with probability proportional to |value|^power among those not drawn yet. Zeros remain only where nothing else is
// left, any of them as likely; of power 0 all are equally likely. The draw depends on key and position alone. (Zhang et
// al., NeurIPS 2025: weight magnitude.)
template <class T>
void soft_keep(const T* value, int64_t count, double power, int64_t remove, uint64_t key, uint8_t* keep, int threads);

// The same with |value| / row_sum + |value| / column_sum in place of |value|; the sums are those of |value| over a row
// and over a column. (Zhang et al., NeurIPS 2025: relative importance.)
template <class T>
void soft_keep_relative(const Connections& con, const T* value, const double* row_sum, const double* column_sum,
                        double power, int64_t remove, uint64_t key, uint8_t* keep, int threads);

}  // namespace ts
