// A square of 4 x 4 values, turned about its diagonal.
#pragma once

#include <cstdint>

#include "isa/simd.hpp"

namespace ts::TS_ISA {

// to[j * to_stride + i] = from[i * from_stride + j].
template <class T>
TS_INLINE void transpose4(const T* from, int64_t from_stride, T* to, int64_t to_stride) {
    using V = Vector<T, 4>;
    V row[4];
    for (int i = 0; i < 4; ++i) row[i] = load<V>(from + i * from_stride);
    const auto pairs = [](V a, V b, auto low) {
        return shuffle_lanes<4, T>(a, b, low, std::make_integer_sequence<int, 4>{});
    };
    const auto first = [](int lane) { return lane / 2 + lane % 2 * 4; };       // a0 b0 a1 b1
    const auto second = [](int lane) { return 2 + lane / 2 + lane % 2 * 4; };  // a2 b2 a3 b3
    const auto lows = [](int lane) { return lane < 2 ? lane : lane + 2; };     // a0 a1 b0 b1
    const auto highs = [](int lane) { return lane < 2 ? lane + 2 : lane + 4; };
    const V a = pairs(row[0], row[1], first), b = pairs(row[2], row[3], first);
    const V c = pairs(row[0], row[1], second), d = pairs(row[2], row[3], second);
    store(to, pairs(a, b, lows));
    store(to + to_stride, pairs(a, b, highs));
    store(to + 2 * to_stride, pairs(c, d, lows));
    store(to + 3 * to_stride, pairs(c, d, highs));
}

}  // namespace ts::TS_ISA
