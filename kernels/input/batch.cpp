#include "input/batch.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "base/threads.hpp"
#include "input/transpose.hpp"
#include "isa/simd.hpp"

namespace ts {
using namespace TS_ISA;
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
                   int64_t features, const double* offset, const double* factor, T* out, int64_t stride, int threads) {
    // Types that the network's own type holds exactly are scaled in it, the others in double.
    using Wide = std::conditional_t<(sizeof(S) <= 2 || std::is_same_v<S, float>), T, double>;
    constexpr bool kChecked = std::numeric_limits<S>::has_infinity;  // whole numbers stay in range
    if (batch == 1 && stride == 1 && column_stride == 1) {  // one sample: nothing to transpose
        const S* sample = x + rows[0] * row_stride;
        if (offset)
            for (int64_t f = 0; f < features; ++f) out[f] = T((Wide(sample[f]) - Wide(offset[f])) * Wide(factor[f]));
        else
            for (int64_t f = 0; f < features; ++f) out[f] = T(sample[f]);
        unsigned wrong = 0;
        if constexpr (kChecked)
            for (int64_t f = 0; f < features; ++f) wrong |= out[f] * T(0) != T(0);
        return wrong ? std::find_if(out, out + features, [](T value) { return !std::isfinite(value); }) - out : -1;
    }
    const int64_t blocks = (features + kFeatureBlock - 1) / kFeatureBlock;
    std::vector<int64_t> found(size_t(std::max<int64_t>(blocks, 1)), kNone);
    parallel_for(blocks, threads_for(features * stride * 4, threads), [&](int64_t block) {
        const int64_t f0 = block * kFeatureBlock, width = std::min(features - f0, kFeatureBlock);
        Wide block_offset[kFeatureBlock], block_factor[kFeatureBlock];
        for (int64_t f = 0; f < width; ++f) {
            block_offset[f] = offset ? Wide(offset[f0 + f]) : Wide(0);
            block_factor[f] = offset ? Wide(factor[f0 + f]) : Wide(1);
        }
        T tile[kSampleBlock][kFeatureBlock];
        for (int64_t b0 = 0; b0 < stride; b0 += kSampleBlock) {
            const int64_t count = std::clamp<int64_t>(batch - b0, 0, kSampleBlock);
            const auto sample = [&](int64_t b) { return x + rows[b0 + b] * row_stride + f0 * column_stride; };
            T check[kFeatureBlock] = {};  // by feature, or vectors could not add; 0 where every result is finite
            const auto convert = [&](int64_t b, int64_t step) __attribute__((always_inline)) {
                const S* from = sample(b);
                for (int64_t f = 0; f < width; ++f) {
                    const T value = T((Wide(from[f * step]) - block_offset[f]) * block_factor[f]);
                    if constexpr (kChecked) check[f] += value * 0;
                    tile[b][f] = value;
                }
            };
            for (int64_t f = 0; f < width; ++f) __builtin_prefetch(out + (f0 + f) * stride + b0, 1);
            for (int64_t b = 0; b < count; ++b) {
                const int64_t next = b0 + kSampleBlock + b;
                if (next < batch && column_stride == 1)
                    for (int64_t f = 0; f < width; f += 64 / int64_t(sizeof(S)))
                        __builtin_prefetch(x + rows[next] * row_stride + f0 + f);
                if (column_stride == 1) convert(b, 1);
                else convert(b, column_stride);
            }
            if (kChecked && std::any_of(check, check + width, [](T sum) { return sum != 0; })) {
                int64_t b = 0, f = 0;
                while (std::isfinite(tile[b][f]))
                    if (++f == width) ++b, f = 0;
                found[size_t(block)] = std::min(found[size_t(block)], (b0 + b) * features + f0 + f);
            }
            for (int64_t b = count; b < kSampleBlock; ++b) std::fill_n(tile[b], width, T(0));
            const int64_t columns = std::min(stride - b0, kSampleBlock);
            int64_t f = 0;
            if (columns == kSampleBlock)
                for (; f + 4 <= width; f += 4)
                    for (int64_t b = 0; b < kSampleBlock; b += 4)
                        transpose4(&tile[b][f], kFeatureBlock, out + (f0 + f) * stride + b0 + b, stride);
            for (; f < width; ++f)
                for (int64_t b = 0; b < columns; ++b) out[(f0 + f) * stride + b0 + b] = tile[b][f];
        }
    });
    return earliest(found);
}

template <class T>
int64_t load_sparse(const int64_t* ptr, const int32_t* index, const T* value, int64_t batch, int64_t features,
                    const double* offset, const double* factor, T* out, int64_t stride, int threads) {
    parallel_ranges(features, threads_for(features * stride, threads), [&](int64_t begin, int64_t end) {
        for (int64_t f = begin; f < end; ++f)
            for (int64_t b = 0; b < stride; ++b)
                out[f * stride + b] = offset && b < batch ? T(-offset[f] * factor[f]) : T(0);
    });
    int64_t first = kNone;
    for (int64_t b = 0; b < batch; ++b)
        for (int64_t k = ptr[b]; k < ptr[b + 1]; ++k) {
            const int64_t f = index[k];
            T& to = out[f * stride + b];
            to += factor ? T(value[k] * factor[f]) : value[k];
            if (!std::isfinite(to) || !std::isfinite(value[k])) first = std::min(first, b * features + f);
        }
    return first == kNone ? -1 : first;
}

template <class T>
void store_dense(const T* from, int64_t stride, int64_t batch, int64_t features, const double* factor, T* out,
                 int64_t out_stride, int threads) {
    const int64_t blocks = (features + kFeatureBlock - 1) / kFeatureBlock;
    parallel_for(blocks, threads_for(features * batch * 4, threads), [&](int64_t block) {
        const int64_t f0 = block * kFeatureBlock, width = std::min(features - f0, kFeatureBlock);
        T tile[kFeatureBlock][kSampleBlock] = {};
        for (int64_t b0 = 0; b0 < batch; b0 += kSampleBlock) {
            const int64_t count = std::min(batch - b0, kSampleBlock);
            for (int64_t f = 0; f < width; ++f) {
                const T* row = from + (f0 + f) * stride + b0;
                const T scale = factor ? T(factor[f0 + f]) : T(1);
                for (int64_t b = 0; b < count; ++b) tile[f][b] = row[b] * scale;
            }
            T* to = out + b0 * out_stride + f0;
            int64_t f = 0;
            if (count == kSampleBlock)
                for (; f + 4 <= width; f += 4)
                    for (int64_t b = 0; b < kSampleBlock; b += 4)
                        transpose4(&tile[f][b], kSampleBlock, to + b * out_stride + f, out_stride);
            for (; f < width; ++f)
                for (int64_t b = 0; b < count; ++b) to[b * out_stride + f] = tile[f][b];
        }
    });
}

#define TS_DENSE(S, T)                                                                                       \
    template int64_t load_dense(const S*, int64_t, int64_t, const int64_t*, int64_t, int64_t, const double*, \
                                const double*, T*, int64_t, int);
#define TS_ALL(T)                                                                                           \
    TS_DENSE(float, T)                                                                                      \
    TS_DENSE(double, T)                                                                                     \
    TS_DENSE(int8_t, T)                                                                                     \
    TS_DENSE(uint8_t, T)                                                                                    \
    TS_DENSE(int16_t, T)                                                                                    \
    TS_DENSE(uint16_t, T)                                                                                   \
    TS_DENSE(int32_t, T)                                                                                    \
    TS_DENSE(uint32_t, T)                                                                                   \
    TS_DENSE(int64_t, T)                                                                                    \
    TS_DENSE(uint64_t, T)                                                                                   \
    template int64_t load_sparse(const int64_t*, const int32_t*, const T*, int64_t, int64_t, const double*, \
                                 const double*, T*, int64_t, int);                                          \
    template void store_dense(const T*, int64_t, int64_t, int64_t, const double*, T*, int64_t, int);
TS_ALL(float)
TS_ALL(double)

}  // namespace ts
