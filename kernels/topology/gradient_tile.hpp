// The loop of gradient-guided growth. Apart from grow.hpp, as files compiled per instruction set use no containers.
#pragma once

#include <cstdint>

namespace ts {

constexpr int64_t kTileRows = 32, kTileColumns = 128;

template <class T>
struct GrowthKernels {
    // out[r * kTileColumns + c] = x_r . dy_c
    void (*gradient_tile)(const T* x, const T* dy, int64_t stride, int64_t rows, int64_t columns, T* out);
};

}  // namespace ts
