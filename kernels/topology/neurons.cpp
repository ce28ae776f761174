#include "topology/neurons.hpp"

#include <cmath>
#include <vector>

#include "base/threads.hpp"

namespace ts {

template <class T>
void strength(const Connections& con, const T* weight, double* out, int threads) {
    const int64_t total = con.ptr[con.rows];
    parallel_ranges(con.rows, threads_for(total * 8, threads), [&](int64_t begin, int64_t end) {
        constexpr int64_t ahead = 32;
        for (int64_t r = begin; r < end; ++r) {
            double sum = 0;
            for (int64_t k = con.ptr[r]; k < con.ptr[r + 1]; ++k) {
                if (con.position) {
                    __builtin_prefetch(weight + con.position[k + ahead < total ? k + ahead : k]);
                    sum += std::abs(double(weight[con.position[k]]));
                } else {
                    sum += std::abs(double(weight[k]));
                }
            }
            out[r] = sum;
        }
    });
}
template void strength(const Connections&, const float*, double*, int);
template void strength(const Connections&, const double*, double*, int);

void count_marked(const Connections& con, const uint8_t* mark_column, int64_t* count, int threads) {
    parallel_ranges(con.rows, threads_for(con.ptr[con.rows] * 4, threads), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            int64_t marked = 0;
            for (int64_t k = con.ptr[r]; k < con.ptr[r + 1]; ++k) marked += mark_column[con.index[k]] != 0;
            count[r] = marked;
        }
    });
}

void mark_between(const Connections& con, const uint8_t* keep_row, const uint8_t* keep_column, uint8_t* keep,
                  int threads) {
    parallel_ranges(con.rows, threads_for(con.ptr[con.rows] * 4, threads), [&](int64_t begin, int64_t end) {
        const int64_t last = con.ptr[end] - 1;
        for (int64_t r = begin; r < end; ++r) {
            const uint8_t stays = keep_row[r] != 0;
            for (int64_t k = con.ptr[r]; k < con.ptr[r + 1]; ++k) {
                __builtin_prefetch(keep_column + con.index[k + 64 < last ? k + 64 : last]);
                keep[k] = stays & uint8_t(keep_column[con.index[k]] != 0);
            }
        }
    });
}

void renumber(int32_t* index, int64_t count, const int32_t* number, int threads) {
    parallel_ranges(count, threads_for(count * 4, threads), [&](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k) index[k] = number[index[k]];
    });
}

template <class T>
void fold_constants(const Connections& by_input, const T* weight, const double* constant, T* bias, int64_t n_out) {
    std::vector<double> sum(size_t(n_out), 0.0);
    for (int64_t r = 0; r < by_input.rows; ++r)
        if (constant[r] != 0)
            for (int64_t k = by_input.ptr[r]; k < by_input.ptr[r + 1]; ++k)
                sum[size_t(by_input.index[k])] += double(weight[k]) * constant[r];
    for (int64_t j = 0; j < n_out; ++j) bias[j] = T(double(bias[j]) + sum[size_t(j)]);
}
template void fold_constants(const Connections&, const float*, const double*, float*, int64_t);
template void fold_constants(const Connections&, const double*, const double*, double*, int64_t);

}  // namespace ts
