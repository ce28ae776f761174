// Neurons seen from their connections: their strength, and the steps of removing them. Linear in connections.
#pragma once

#include "base/views.hpp"

namespace ts {

// strength[j] = sum of |weight| over row j's connections, reached through position where that is not null.
template <class T>
void strength(const Connections& connections, const T* weight, double* strength, int threads);

// count[r] = how many of row r's connections lead to a marked column.
void count_marked(const Connections& connections, const uint8_t* mark_column, int64_t* count, int threads);

// keep[k] = 1 where both ends of connection k stay. keep_row, keep_column: one mark per neuron.
void mark_between(const Connections& connections, const uint8_t* keep_row, const uint8_t* keep_column, uint8_t* keep,
                  int threads);

// index[k] = number[index[k]], in place.
void renumber(int32_t* index, int64_t count, const int32_t* number, int threads);

// bias[j] += sum over rows i with constant[i] != 0 of weight(i, j) * constant[i].
template <class T>
void fold_constants(const Connections& by_input, const T* weight, const double* constant, T* bias, int64_t n_out);

}  // namespace ts
