// What happens to a row once its sums are there: activation and dropout on the way forward, their
// derivative on the way back. Eight batch columns at a time, on a row that is hot in the first cache.
#pragma once

#include "simd.hpp"
#include "sparse_view.hpp"

namespace ts::TS_ISA {

// Dropout bits are a pure function of (key, row, column): a 64-bit mix names the row's stream, and a 32-bit
// finaliser (two multiply-xorshift rounds) serves two columns, eight apart, with 16 bits each.
struct DropoutRow {
    uint32_t first, second, threshold;
    U32x8 bits{};

    // Without dropout nothing is computed: this happens once a row.
    TS_INLINE DropoutRow(const Epilogue& e, int64_t row) {
        first = second = threshold = 0;
        if (!e.kept) return;
        uint64_t z = e.key + uint64_t(row + 1) * 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        first = uint32_t(z);
        second = uint32_t(z >> 32);
        threshold = uint32_t(e.keep_probability * 65536.0 + 0.5);
    }

    // Bits of columns [column, column + 8); columns must be asked for in order.
    TS_INLINE uint8_t keep(int64_t column) {
        if (column % 16 == 0) {
            const U32x8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
            U32x8 x = (lane + uint32_t(column)) * 0x9E3779B9u + first;
            x ^= x >> 16;
            x *= 0x7FEB352Du;
            x ^= (x >> 15) ^ second;
            x *= 0x846CA68Bu;
            bits = x ^ (x >> 16);
            return to_bits((Vector<int32_t, 8>)((bits & 0xFFFFu) < threshold));
        }
        return to_bits((Vector<int32_t, 8>)((bits >> 16) < threshold));
    }
};

template <class T>
struct Forward8 {
    const Epilogue& e;
    T scale;

    TS_INLINE explicit Forward8(const Epilogue& epilogue)
        : e(epilogue), scale(epilogue.kept ? T(1 / epilogue.keep_probability) : T(1)) {}

    TS_INLINE Eight<T> operator()(Eight<T> z, DropoutRow& dropout, int64_t column, uint8_t* positive,
                                  uint8_t* kept) const {
        if (e.kind == Activation::leaky) {
            const Mask8<T> mask = z > T(0);
            if (positive) *positive = to_bits(mask);
            z = select<T>(mask, z, z * T(e.slope));
        } else if (e.kind == Activation::tanh) {
            z = tanh8(z);
        } else if (e.kind == Activation::sigmoid) {
            z = sigmoid8<T>(z);
        }
        if (kept) {
            *kept = dropout.keep(column);
            z = select<T>(from_bits<T>(*kept), z * scale, Eight<T>{});
        }
        return z;
    }
};

// dz from da: `a` is the stored (already dropped and scaled) activation.
template <class T>
struct Backward8 {
    const Epilogue& e;
    T scale;

    TS_INLINE explicit Backward8(const Epilogue& epilogue)
        : e(epilogue), scale(epilogue.kept ? T(1 / epilogue.keep_probability) : T(1)) {}

    TS_INLINE Eight<T> operator()(Eight<T> da, Eight<T> a, const uint8_t* positive, const uint8_t* kept) const {
        if (kept) {
            da = select<T>(from_bits<T>(*kept), da * scale, Eight<T>{});
            a = a * T(e.keep_probability);
        }
        if (e.kind == Activation::leaky) {
            da = select<T>(from_bits<T>(*positive), da, da * T(e.slope));
        } else if (e.kind == Activation::tanh) {
            da = da * (T(1) - a * a);
        } else if (e.kind == Activation::sigmoid) {
            da = da * (a * (T(1) - a));
        }
        return da;
    }
};

// out = body(eight values, column, byte index) along a row of n values; rows shorter than eight pass through a copy.
template <class T, class Body>
TS_INLINE void eights(const T* in, T* out, int64_t n, Body&& body) {
    if (n == 1) {
        out[0] = body(Eight<T>{} + in[0], 0, 0)[0];
        return;
    }
    if (n < 8) {
        T padded[8] = {};
        for (int64_t i = 0; i < n; ++i) padded[i] = in[i];
        store(padded, body(load<Eight<T>>(padded), 0, 0));
        for (int64_t i = 0; i < n; ++i) out[i] = padded[i];
        return;
    }
    for (int64_t c = 0; c < n; c += 8) store(out + c, body(load<Eight<T>>(in + c), c, c / 8));
}

// row: pre-activations in, activations out.
template <class T>
TS_INLINE void apply_epilogue(const Epilogue& e, int64_t row_number, T* row, int64_t stride) {
    if (e.kind == Activation::identity && !e.kept) return;
    DropoutRow dropout(e, row_number);
    const Forward8<T> forward(e);
    uint8_t* positive = e.positive ? e.positive + row_number * bit_stride(stride) : nullptr;
    uint8_t* kept = e.kept ? e.kept + row_number * bit_stride(stride) : nullptr;
    eights(row, row, stride, [&](Eight<T> z, int64_t column, int64_t byte) {
        return forward(z, dropout, column, positive ? positive + byte : nullptr, kept ? kept + byte : nullptr);
    });
}

// dz[c] = f'(...) * da[c]; `a` and `dz` may be the same row.
template <class T>
TS_INLINE void apply_derivative(const Epilogue& e, int64_t row_number, const T* da, const T* a, T* dz, int64_t stride) {
    const Backward8<T> backward(e);
    const uint8_t* positive = e.positive ? e.positive + row_number * bit_stride(stride) : nullptr;
    const uint8_t* kept = e.kept ? e.kept + row_number * bit_stride(stride) : nullptr;
    T short_row[8] = {};
    if (stride < 8)
        for (int64_t i = 0; i < stride; ++i) short_row[i] = a[i];
    eights(da, dz, stride, [&](Eight<T> g, int64_t column, int64_t byte) {
        const Eight<T> value = load<Eight<T>>(stride < 8 ? short_row : a + column);
        return backward(g, value, positive ? positive + byte : nullptr, kept ? kept + byte : nullptr);
    });
}

}  // namespace ts::TS_ISA
