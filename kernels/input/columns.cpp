#include "input/columns.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/bfloat16.hpp"
#include "base/threads.hpp"
#include "input/transpose.hpp"
#include "isa/simd.hpp"

namespace ts {
using namespace TS_ISA;
namespace {

constexpr int64_t kFeatureBlock = 64, kSampleBlock = 16;

template <class To, class From>
TS_INLINE To as(From value) {
    if constexpr (std::is_same_v<To, From>) return value;
    else if constexpr (std::is_same_v<From, bf16>) return To(float(value));
    else return To(value);
}

// Runs body(f0, width) over blocks of features.
template <class Body>
void over_features(int64_t features, int64_t samples, int threads, Body&& body) {
    const int64_t blocks = (features + kFeatureBlock - 1) / kFeatureBlock;
    parallel_for(blocks, threads_for(features * samples * 4, threads), [&](int64_t block) {
        const int64_t f0 = block * kFeatureBlock;
        body(f0, std::min(features - f0, kFeatureBlock));
    });
}

}  // namespace

template <class S, class T>
void load_columns(const Samples<const S>& x, int64_t first, int64_t count, int64_t features, T* out, int64_t stride,
                  int threads) {
    over_features(features, stride, threads, [&](int64_t f0, int64_t width) {
        if (x.sample_stride == 1) {
            for (int64_t f = f0; f < f0 + width; ++f) {
                const S* from = x.data + f * x.feature_stride + first;
                T* to = out + f * stride;
                for (int64_t b = 0; b < count; ++b) to[b] = as<T>(from[b]);
                std::fill(to + count, to + stride, T(0));
            }
            return;
        }
        T tile[kSampleBlock][kFeatureBlock];
        for (int64_t b0 = 0; b0 < stride; b0 += kSampleBlock) {
            const int64_t rows = std::clamp<int64_t>(count - b0, 0, kSampleBlock);
            const S* from = x.data + (first + b0) * x.sample_stride + f0;
            const T* source = &tile[0][0];
            int64_t source_stride = kFeatureBlock;
            if (std::is_same_v<S, T> && rows == kSampleBlock) {  // nothing to convert
                source = reinterpret_cast<const T*>(from);
                source_stride = x.sample_stride;
            } else {
                for (int64_t b = 0; b < rows; ++b)
                    for (int64_t f = 0; f < width; ++f) tile[b][f] = as<T>(from[b * x.sample_stride + f]);
                for (int64_t b = rows; b < kSampleBlock; ++b) std::fill_n(tile[b], width, T(0));
            }
            const int64_t columns = std::min(stride - b0, kSampleBlock);
            int64_t f = 0;
            if (columns == kSampleBlock)
                for (; f + 4 <= width; f += 4)
                    for (int64_t b = 0; b < kSampleBlock; b += 4)
                        transpose4(source + b * source_stride + f, source_stride, out + (f0 + f) * stride + b0 + b,
                                   stride);
            for (; f < width; ++f)
                for (int64_t b = 0; b < columns; ++b) out[(f0 + f) * stride + b0 + b] = source[b * source_stride + f];
        }
    });
}

template <class S, class T>
void store_columns(const T* from, int64_t stride, int64_t first, int64_t count, int64_t features, const Samples<S>& x,
                   int threads) {
    over_features(features, count, threads, [&](int64_t f0, int64_t width) {
        if (x.sample_stride == 1) {
            for (int64_t f = f0; f < f0 + width; ++f) {
                S* to = x.data + f * x.feature_stride + first;
                for (int64_t b = 0; b < count; ++b) to[b] = as<S>(from[f * stride + b]);
            }
            return;
        }
        for (int64_t b0 = 0; b0 < count; b0 += kSampleBlock) {
            const int64_t rows = std::min(count - b0, kSampleBlock);
            S* to = x.data + (first + b0) * x.sample_stride + f0;
            const T* columns = from + f0 * stride + b0;
            if (std::is_same_v<S, T> && rows == kSampleBlock) {
                T* same = reinterpret_cast<T*>(to);
                int64_t f = 0;
                for (; f + 4 <= width; f += 4)
                    for (int64_t b = 0; b < kSampleBlock; b += 4)
                        transpose4(columns + f * stride + b, stride, same + b * x.sample_stride + f, x.sample_stride);
                for (; f < width; ++f)
                    for (int64_t b = 0; b < rows; ++b) same[b * x.sample_stride + f] = columns[f * stride + b];
                continue;
            }
            T tile[kSampleBlock][kFeatureBlock];
            for (int64_t f = 0; f < width; ++f)
                for (int64_t b = 0; b < rows; ++b) tile[b][f] = columns[f * stride + b];
            for (int64_t b = 0; b < rows; ++b)
                for (int64_t f = 0; f < width; ++f) to[b * x.sample_stride + f] = as<S>(tile[b][f]);
        }
    });
}

#define TS_COLUMNS(S, T)                                                                              \
    template void load_columns(const Samples<const S>&, int64_t, int64_t, int64_t, T*, int64_t, int); \
    template void store_columns(const T*, int64_t, int64_t, int64_t, int64_t, const Samples<S>&, int);
TS_COLUMNS(float, float)
TS_COLUMNS(bf16, float)
TS_COLUMNS(double, double)

}  // namespace ts
