#include "input/images.hpp"

#include <algorithm>
#include <cmath>

#include "base/buffer.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "input/transpose.hpp"
#include "isa/simd.hpp"

namespace ts {
using namespace TS_ISA;
namespace {

constexpr int64_t kColumnBlock = 16;  // a cache line of floats: threads never write to the same one
constexpr int64_t kGroup = 4;         // images at a time, which stay in cache
constexpr int64_t kPixelBlock = 64;

// Where a block of pixels of one row comes from: the first of its four pixels, and how far towards the next row and
// the next column it lies.
template <class T>
struct Places {
    int32_t first[kPixelBlock];
    T down[kPixelBlock], right[kPixelBlock];

    void find(const double* m, int64_t i, int64_t j0, int64_t count, const ImageShape& shape) {
        const T row0 = T(m[0] * double(i) + m[2]), row_step = T(m[1]);
        const T column0 = T(m[3] * double(i) + m[5]), column_step = T(m[4]);
        const T bottom = T(shape.height - 1), edge = T(shape.width - 1);
        // The last row and column have no next: they are reached from the one before.
        const int32_t last_row = int32_t(std::max<int64_t>(shape.height - 2, 0));
        const int32_t last_column = int32_t(std::max<int64_t>(shape.width - 2, 0));
        const int32_t width = int32_t(shape.width), step = int32_t(shape.pixel_step()), from = int32_t(j0);
        for (int32_t k = 0; k < int32_t(count); ++k) {
            const T j = T(from + k);
            T row = row0 + row_step * j, column = column0 + column_step * j;
            row = row > 0 ? row : T(0);
            row = row < bottom ? row : bottom;
            column = column > 0 ? column : T(0);
            column = column < edge ? column : edge;
            int32_t r = int32_t(row), c = int32_t(column);
            r = r < last_row ? r : last_row;
            c = c < last_column ? c : last_column;
            first[k] = (r * width + c) * step;
            down[k] = row - T(r);
            right[k] = column - T(c);
        }
    }
};

template <class T>
void transform(const T* from, T* to, const ImageShape& shape, const double* m) {
    const int64_t step = shape.pixel_step(), next_column = shape.width > 1 ? step : 0;
    const int64_t next_row = shape.height > 1 ? step * shape.width : 0;
    Places<T> places;
    for (int64_t i = 0; i < shape.height; ++i)
        for (int64_t j0 = 0; j0 < shape.width; j0 += kPixelBlock) {
            const int64_t count = std::min(shape.width - j0, kPixelBlock);
            places.find(m, i, j0, count, shape);
            for (int64_t c = 0; c < shape.channels; ++c) {
                const T* source = from + c * shape.channel_step();
                T* target = to + c * shape.channel_step() + (i * shape.width + j0) * step;
                for (int64_t k = 0; k < count; ++k) {
                    const T* p = source + places.first[k];
                    const T* q = p + next_row;
                    const T above = p[0] + places.right[k] * (p[next_column] - p[0]);
                    const T below = q[0] + places.right[k] * (q[next_column] - q[0]);
                    target[k * step] = above + places.down[k] * (below - above);
                }
            }
        }
}

}  // namespace

void draw_transforms(uint64_t key, const int64_t* rows, int64_t count, const ImageShape& shape,
                     const ImageRanges& ranges, double* transforms) {
    const Philox random{key};
    const double row = double(shape.height - 1) / 2, column = double(shape.width - 1) / 2;
    for (int64_t b = 0; b < count; ++b) {
        const Philox::Block bits = random(uint64_t(rows[b]));
        const auto between = [&](int word, double limit) {
            return limit * ((double(bits.word[word]) + 0.5) * 0x1p-31 - 1);
        };
        const double angle = between(0, ranges.rotation);
        const double down = between(1, ranges.row_shift), right = between(2, ranges.column_shift);
        const double side = ranges.flip && bits.word[3] >> 31 ? -1 : 1;
        const double cosine = std::cos(angle), sine = std::sin(angle);
        double* m = transforms + b * kTransform;
        m[0] = cosine;
        m[1] = -sine * side;
        m[2] = row + cosine * (down - row) - sine * (right - side * column);
        m[3] = sine;
        m[4] = cosine * side;
        m[5] = column + sine * (down - row) + cosine * (right - side * column);
    }
}

template <class T>
void transform_images(T* x, int64_t stride, int64_t batch, const ImageShape& shape, const double* transforms,
                      const double* offset, const double* factor, int threads) {
    const int64_t features = shape.features(), blocks = (stride + kColumnBlock - 1) / kColumnBlock;
    parallel_for(blocks, threads_for(features * batch * 8, threads), [&](int64_t block) {
        const int64_t start = block * kColumnBlock, stop = std::min(stride, start + kColumnBlock);
        Buffer<T> given(kGroup * features), made(kGroup * features);
        for (int64_t b0 = start; b0 < stop; b0 += kGroup) {
            const int64_t columns = std::min(stop - b0, kGroup), count = std::clamp<int64_t>(batch - b0, 0, columns);
            const bool square = columns == kGroup;
            int64_t f = 0;
            if (square)
                for (; f + 4 <= features; f += 4) transpose4(x + f * stride + b0, stride, &given[f], features);
            for (; f < features; ++f)
                for (int64_t b = 0; b < columns; ++b) given[b * features + f] = x[f * stride + b0 + b];
            for (int64_t b = 0; b < count; ++b) {
                T* image = &made[b * features];
                transform(&given[b * features], image, shape, transforms + (b0 + b) * kTransform);
                if (offset)
                    for (int64_t at = 0; at < features; ++at) image[at] = (image[at] - T(offset[at])) * T(factor[at]);
            }
            for (int64_t b = count; b < columns; ++b) std::fill_n(&made[b * features], features, T(0));
            f = 0;
            if (square)
                for (; f + 4 <= features; f += 4) transpose4(&made[f], features, x + f * stride + b0, stride);
            for (; f < features; ++f)
                for (int64_t b = 0; b < columns; ++b) x[f * stride + b0 + b] = made[b * features + f];
        }
    });
}

template void transform_images(float*, int64_t, int64_t, const ImageShape&, const double*, const double*, const double*,
                               int);
template void transform_images(double*, int64_t, int64_t, const ImageShape&, const double*, const double*,
                               const double*, int);

}  // namespace ts
