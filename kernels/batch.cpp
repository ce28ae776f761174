#include "batch.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "threads.hpp"

namespace ts {
namespace {

constexpr int64_t kFeatureBlock = 64, kSampleBlock = 16;
constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

int64_t earliest(const std::vector<int64_t>& found) {
    const int64_t first = *std::min_element(found.begin(), found.end());
    return first == kNone ? -1 : first;
}

}  // namespace

template <class S, class T>
int64_t load_dense(const S* x, int64_t row_stride, int64_t column_stride, const int64_t* rows, int64_t batch,
                   int64_t features, const double* shift, const double* factor, T* out, int64_t stride, int threads) {
    const int64_t blocks = (features + kFeatureBlock - 1) / kFeatureBlock;
    std::vector<int64_t> found(size_t(std::max<int64_t>(blocks, 1)), kNone);
    parallel_for(blocks, threads_for(features * stride * 4, threads), [&](int64_t block) {
        const int64_t f0 = block * kFeatureBlock, f1 = std::min(features, f0 + kFeatureBlock);
        for (int64_t b0 = 0; b0 < batch; b0 += kSampleBlock) {
            const int64_t b1 = std::min(batch, b0 + kSampleBlock);
            for (int64_t b = b0; b < b1; ++b) {
                const S* sample = x + rows[b] * row_stride;
                for (int64_t f = f0; f < f1; ++f) {
                    double value = double(sample[f * column_stride]);
                    if constexpr (std::numeric_limits<S>::has_infinity)
                        if (!std::isfinite(value)) found[size_t(block)] = std::min(found[size_t(block)], b * features + f);
                    if (shift) value = (value - shift[f]) * factor[f];
                    out[f * stride + b] = T(value);
                }
            }
        }
        for (int64_t f = f0; f < f1; ++f)
            for (int64_t b = batch; b < stride; ++b) out[f * stride + b] = T(0);
    });
    return earliest(found);
}

template <class T>
int64_t load_sparse(const int64_t* ptr, const int32_t* index, const T* value, int64_t batch, int64_t features,
                    const double* shift, const double* factor, T* out, int64_t stride, int threads) {
    parallel_ranges(features, threads_for(features * stride, threads), [&](int64_t begin, int64_t end) {
        for (int64_t f = begin; f < end; ++f)
            for (int64_t b = 0; b < stride; ++b)
                out[f * stride + b] = shift && b < batch ? T(-shift[f] * factor[f]) : T(0);
    });
    int64_t first = kNone;
    for (int64_t b = 0; b < batch; ++b)
        for (int64_t k = ptr[b]; k < ptr[b + 1]; ++k) {
            const int64_t f = index[k];
            if (!std::isfinite(value[k])) first = std::min(first, b * features + f);
            out[f * stride + b] += factor ? T(value[k] * factor[f]) : value[k];
        }
    return first == kNone ? -1 : first;
}

#define TS_DENSE(S, T)                                                                                              \
    template int64_t load_dense(const S*, int64_t, int64_t, const int64_t*, int64_t, int64_t, const double*, const double*, \
                                T*, int64_t, int);
#define TS_ALL(T)                                                                                                  \
    TS_DENSE(float, T)                                                                                             \
    TS_DENSE(double, T)                                                                                            \
    TS_DENSE(int8_t, T)                                                                                            \
    TS_DENSE(uint8_t, T)                                                                                           \
    TS_DENSE(int16_t, T)                                                                                           \
    TS_DENSE(uint16_t, T)                                                                                          \
    TS_DENSE(int32_t, T)                                                                                           \
    TS_DENSE(uint32_t, T)                                                                                          \
    TS_DENSE(int64_t, T)                                                                                           \
    TS_DENSE(uint64_t, T)                                                                                          \
    template int64_t load_sparse(const int64_t*, const int32_t*, const T*, int64_t, int64_t, const double*, const double*, \
                                 T*, int64_t, int);
TS_ALL(float)
TS_ALL(double)

}  // namespace ts
