#include "input/images.hpp"

#include <algorithm>
#include <cmath>

#include "base/buffer.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "base/views.hpp"
#include "input/transpose.hpp"
#include "isa/simd.hpp"

namespace ts {
using namespace TS_ISA;
namespace {

constexpr int64_t kColumnBlock = 16;  // a cache line of floats: threads never write to the same one
constexpr int64_t kPixelBlock = 64;

// Where a block of pixels of one row comes from: the first of its four pixels, and how far towards the next row and
// the next column it lies. Those of the last row and column are 0 away from the next ones, which do not exist.
template <class T>
struct Places {
    int32_t first[kPixelBlock];
    T down[kPixelBlock], right[kPixelBlock];

    void find(const double* m, int64_t i, int64_t j0, int64_t count, const ImageShape& shape) {
        using V = Vector<T, 4>;
        using I = Vector<int32_t, 4>;
        const T row0 = T(m[0] * double(i) + m[2]), column0 = T(m[3] * double(i) + m[5]);
        const V row_step = V{} + T(m[1]), column_step = V{} + T(m[4]);
        const V bottom = V{} + T(shape.height - 1), edge = V{} + T(shape.width - 1), zero = {};
        V j = V{0, 1, 2, 3} + T(j0);
        for (int64_t k = 0; k < count; k += 4, j += 4) {
            V row = row0 + row_step * j, column = column0 + column_step * j;
            row = row > zero ? row : zero;
            row = row < bottom ? row : bottom;
            column = column > zero ? column : zero;
            column = column < edge ? column : edge;
            const I r = __builtin_convertvector(row, I), c = __builtin_convertvector(column, I);
            store(first + k, r * int32_t(shape.width) + c);
            store(down + k, row - __builtin_convertvector(r, V));
            store(right + k, column - __builtin_convertvector(c, V));
        }
    }
};

// The four pairs of neighbours at p[first[0..3]], as their lefts and their rights.
template <class T>
TS_INLINE void load_pairs(const T* p, const int32_t* first, Vector<T, 4>& left, Vector<T, 4>& right) {
    T pairs[8];
    for (int k = 0; k < 4; ++k) __builtin_memcpy(pairs + 2 * k, p + first[k], 2 * sizeof(T));
    const auto a = load<Vector<T, 4>>(pairs), b = load<Vector<T, 4>>(pairs + 4);
    constexpr auto lanes = std::make_integer_sequence<int, 4>{};
    left = shuffle_lanes<4, T>(a, b, [](int lane) { return 2 * lane; }, lanes);
    right = shuffle_lanes<4, T>(a, b, [](int lane) { return 2 * lane + 1; }, lanes);
}

// One image, as planes; from a row and one value beyond each are read, but do not count.
template <class T>
void transform(const T* from, T* to, const ImageShape& shape, const double* m) {
    using V = Vector<T, 4>;
    const int64_t next_row = shape.width;
    Places<T> places;
    for (int64_t i = 0; i < shape.height; ++i)
        for (int64_t j0 = 0; j0 < shape.width; j0 += kPixelBlock) {
            const int64_t count = std::min(shape.width - j0, kPixelBlock);
            places.find(m, i, j0, count, shape);
            for (int64_t c = 0; c < shape.channels; ++c) {
                const T* plane = from + c * shape.pixels();
                T* target = to + c * shape.pixels() + i * shape.width + j0;
                int64_t k = 0;
                for (; k + 4 <= count; k += 4) {
                    V a, b, d, e;
                    load_pairs(plane, places.first + k, a, b);
                    load_pairs(plane + next_row, places.first + k, d, e);
                    const V right = load<V>(places.right + k), above = a + right * (b - a);
                    store(target + k, above + load<V>(places.down + k) * (d + right * (e - d) - above));
                }
                for (; k < count; ++k) {
                    const T *p = plane + places.first[k], *q = p + next_row, right = places.right[k];
                    const T above = p[0] + right * (p[1] - p[0]);
                    target[k] = above + places.down[k] * (q[0] + right * (q[1] - q[0]) - above);
                }
            }
        }
}

// Columns of x, as planes: an image each `size` values.
template <class T>
void to_planes(const T* x, int64_t stride, int64_t columns, const ImageShape& shape, T* planes, int64_t size) {
    const int64_t step = shape.pixel_step() * stride;
    for (int64_t c = 0; c < shape.channels; ++c) {
        const T* from = x + c * shape.channel_step() * stride;
        T* to = planes + c * shape.pixels();
        int64_t p = 0;
        if (columns % 4 == 0)
            for (; p + 4 <= shape.pixels(); p += 4)
                for (int64_t b = 0; b < columns; b += 4) transpose4(from + p * step + b, step, to + b * size + p, size);
        for (; p < shape.pixels(); ++p)
            for (int64_t b = 0; b < columns; ++b) to[b * size + p] = from[p * step + b];
    }
}

template <class T>
void from_planes(const T* planes, int64_t size, int64_t columns, const ImageShape& shape, T* x, int64_t stride) {
    const int64_t step = shape.pixel_step() * stride;
    for (int64_t c = 0; c < shape.channels; ++c) {
        const T* from = planes + c * shape.pixels();
        T* to = x + c * shape.channel_step() * stride;
        int64_t p = 0;
        if (columns % 4 == 0)
            for (; p + 4 <= shape.pixels(); p += 4)
                for (int64_t b = 0; b < columns; b += 4) transpose4(from + b * size + p, size, to + p * step + b, step);
        for (; p < shape.pixels(); ++p)
            for (int64_t b = 0; b < columns; ++b) to[p * step + b] = from[b * size + p];
    }
}

// Figures of features, in the order of planes.
template <class T>
void in_planes(const double* figures, const ImageShape& shape, T* planes) {
    for (int64_t c = 0; c < shape.channels; ++c)
        for (int64_t p = 0; p < shape.pixels(); ++p)
            *planes++ = T(figures[c * shape.channel_step() + p * shape.pixel_step()]);
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
    // Not a multiple of a page, at which images would displace each other from the cache.
    const int64_t size = padded_batch(features) + kColumnBlock;
    parallel_for(blocks, threads_for(features * batch * 8, threads), [&](int64_t block) {
        const int64_t start = block * kColumnBlock, columns = std::min(stride - start, kColumnBlock);
        const int64_t count = std::clamp<int64_t>(batch - start, 0, columns);
        Buffer<T> given(columns * size + shape.width + 1), made(columns * size);
        Buffer<T> scaling(offset ? 2 * features : 0);
        T *less = scaling.data(), *times = less + features;
        if (offset) in_planes(offset, shape, less), in_planes(factor, shape, times);
        // What is read beyond an image is multiplied by 0, so it must be a number.
        for (int64_t b = 0; b < columns; ++b) std::fill_n(&given[b * size + features], size - features, T(0));
        std::fill_n(&given[columns * size], shape.width + 1, T(0));
        to_planes(x + start, stride, columns, shape, given.data(), size);
        for (int64_t b = 0; b < count; ++b) {
            transform(&given[b * size], &made[b * size], shape, transforms + (start + b) * kTransform);
            if (!offset) continue;
            T* image = &made[b * size];
            for (int64_t at = 0; at < features; ++at) image[at] = (image[at] - less[at]) * times[at];
        }
        std::fill_n(made.data() + count * size, (columns - count) * size, T(0));
        from_planes(made.data(), size, columns, shape, x + start, stride);
    });
}

template void transform_images(float*, int64_t, int64_t, const ImageShape&, const double*, const double*, const double*,
                               int);
template void transform_images(double*, int64_t, int64_t, const ImageShape&, const double*, const double*,
                               const double*, int);

}  // namespace ts
