// bfloat16: the upper half of a float. Eight bits of significand, the exponent range of a float.
#pragma once

#include <cstdint>

namespace ts {

struct bf16 {
    uint16_t bits = 0;

    bf16() = default;
    // To the nearest, ties to even; a NaN stays one.
    explicit bf16(float value) {
        uint32_t u;
        __builtin_memcpy(&u, &value, sizeof(u));
        bits = value != value ? uint16_t(0x7FC0) : uint16_t((u + 0x7FFFu + ((u >> 16) & 1)) >> 16);
    }
    explicit bf16(double value) : bf16(float(value)) {}

    explicit operator float() const {
        const uint32_t u = uint32_t(bits) << 16;
        float value;
        __builtin_memcpy(&value, &u, sizeof(value));
        return value;
    }
};

}  // namespace ts
