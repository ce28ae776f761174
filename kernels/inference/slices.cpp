// y = f(W x + b) for one sample, rows of similar length side by side. Compiled once per instruction set.
#include <bit>

#include "inference/slices.hpp"
#include "layer/epilogue.hpp"

namespace ts::TS_ISA {
namespace {

// The inputs of connections [k, k + 8), one for each row of a slice whose indices begin at `index`.
template <class T, class Index>
TS_INLINE Eight<T> gather(const T* x, const Index* index, int64_t k) {
    index += k;
    if constexpr (sizeof(Index) == 2 && std::endian::native == std::endian::little) {
        // Loads bind: four indices come with one.
        uint64_t a, b;
        __builtin_memcpy(&a, index, sizeof(a));
        __builtin_memcpy(&b, index + 4, sizeof(b));
        const auto at = [&](uint64_t four, int i) __attribute__((always_inline)) { return x[four >> 16 * i & 0xFFFF]; };
        return Eight<T>{at(a, 0), at(a, 1), at(a, 2), at(a, 3), at(b, 0), at(b, 1), at(b, 2), at(b, 3)};
    } else {
        return Eight<T>{x[index[0]], x[index[1]], x[index[2]], x[index[3]],
                        x[index[4]], x[index[5]], x[index[6]], x[index[7]]};
    }
}
template <class T>
TS_INLINE Eight<T> gather(const T* x, const NoIndex*, int64_t k) {
    return Eight<T>{} + x[k / kSliceRows];
}

template <class T, class Index, Activation Kind>
TS_INLINE void run(const SlicedLayer<T, Index>& layer, const T* x, T* y) {
    static_assert(kSliceRows == 8);
    const T slope = T(layer.slope);
    for (int64_t s = 0; s < layer.slices; ++s) {
        const Index* index = layer.index;
        if constexpr (!std::is_same_v<Index, NoIndex>) index += layer.start[s];
        const T* weight = layer.weight + layer.start[s];
        const int64_t count = layer.start[s + 1] - layer.start[s];
        Eight<T> even = load<Eight<T>>(layer.bias + s * 8), odd{};
        int64_t k = 0;
        for (; k + 16 <= count; k += 16) {
            even += load<Eight<T>>(weight + k) * gather(x, index, k);
            odd += load<Eight<T>>(weight + k + 8) * gather(x, index, k + 8);
        }
        if (k < count) even += load<Eight<T>>(weight + k) * gather(x, index, k);
        T z[8];
        store(z, activate<T, Kind, 8>(even + odd, slope));
        const int32_t* row = layer.row + s * 8;
        for (int i = 0; i < 8; ++i) y[row[i]] = z[i];
    }
}

template <class T, class Index>
void slices_forward(const SlicedLayer<T, Index>& layer, const T* x, T* y) {
    by_kind(layer.kind, [&](auto kind) __attribute__((always_inline)) { run<T, Index, kind()>(layer, x, y); });
}

}  // namespace

template <class T>
void fill_slices(SliceKernels<T>& table) {
    table.narrow = slices_forward<T, uint16_t>;
    table.wide = slices_forward<T, int32_t>;
    table.full = slices_forward<T, NoIndex>;
}
template void fill_slices(SliceKernels<float>&);
template void fill_slices(SliceKernels<double>&);

}  // namespace ts::TS_ISA
