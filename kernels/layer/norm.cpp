#include "layer/norm.hpp"

#include <algorithm>

#include "base/buffer.hpp"
#include "base/threads.hpp"

namespace ts {
namespace {

constexpr int64_t kBlock = 1 << 14;  // values added together; fixed, as the order of additions is
constexpr int64_t kLanes = 16;       // sums beside each other, which the compiler puts into vectors

template <class T>
double block_sum(const T* values, int64_t count) {
    double lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (int64_t lane = 0; lane < kLanes; ++lane) {
            const double value = double(values[i + lane]);
            lanes[lane] += value * value;
        }
    for (; i < count; ++i) lanes[i % kLanes] += double(values[i]) * double(values[i]);
    double sum = 0;
    for (const double lane : lanes) sum += lane;
    return sum;
}

}  // namespace

template <class T>
double sum_of_squares(const T* values, int64_t count, int threads) {
    const int64_t blocks = (count + kBlock - 1) / kBlock;
    Buffer<double> sums(blocks);
    parallel_for(blocks, threads_for(count, threads),
                 [&](int64_t b) { sums[b] = block_sum(values + b * kBlock, std::min(kBlock, count - b * kBlock)); });
    double sum = 0;
    for (int64_t b = 0; b < blocks; ++b) sum += sums[b];
    return sum;
}

template double sum_of_squares(const float*, int64_t, int);
template double sum_of_squares(const double*, int64_t, int);

}  // namespace ts
