// A tile of the dense weight gradient: dot products of input rows with output-gradient rows over the batch. Compiled
// once per instruction set.
#include "topology/gradient_tile.hpp"
#include "isa/simd.hpp"

namespace ts::TS_ISA {
namespace {

constexpr int kAcross = 4, kDown = kRegisters >= 32 ? 4 : 2;

template <class T, int N, int R, int C>
TS_INLINE void dots(const T* x, const T* dy, int64_t stride, T* out) {
    using Vec = Vector<T, N>;
    Vec sum[R][C] = {};
    for (int64_t b = 0; b < stride; b += N) {
        Vec a[C];
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) a[c] = load<Vec>(dy + c * stride + b);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
            const Vec v = load<Vec>(x + r * stride + b);
#pragma GCC unroll 4
            for (int c = 0; c < C; ++c) sum[r][c] += v * a[c];
        }
    }
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < C; ++c) out[r * kTileColumns + c] = sum_lanes<N, T>(sum[r][c]);
}

template <class T, int N>
TS_INLINE void tile(const T* x, const T* dy, int64_t stride, int64_t rows, int64_t columns, T* out) {
    int64_t r = 0;
    for (; r + kDown <= rows; r += kDown) {
        int64_t c = 0;
        for (; c + kAcross <= columns; c += kAcross)
            dots<T, N, kDown, kAcross>(x + r * stride, dy + c * stride, stride, out + r * kTileColumns + c);
        for (; c < columns; ++c)
            dots<T, N, kDown, 1>(x + r * stride, dy + c * stride, stride, out + r * kTileColumns + c);
    }
    for (; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c)
            dots<T, N, 1, 1>(x + r * stride, dy + c * stride, stride, out + r * kTileColumns + c);
}

template <class T>
void gradient_tile(const T* x, const T* dy, int64_t stride, int64_t rows, int64_t columns, T* out) {
    if (stride >= kLanes<T>) tile<T, kLanes<T>>(x, dy, stride, rows, columns, out);
    else if (stride == 8) tile<T, 8>(x, dy, stride, rows, columns, out);
    else tile<T, 1>(x, dy, stride, rows, columns, out);
}

}  // namespace

template <class T>
void fill_growth(GrowthKernels<T>& table) {
    table.gradient_tile = gradient_tile<T>;
}
template void fill_growth(GrowthKernels<float>&);
template void fill_growth(GrowthKernels<double>&);

}  // namespace ts::TS_ISA
