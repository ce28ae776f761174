// What follows the sums of a row: activation and dropout in the forward pass, their derivative in the
// backward pass, on a row that is in the first-level cache.
#pragma once

#include "base/hash.hpp"
#include "base/views.hpp"
#include "isa/simd.hpp"

namespace ts::TS_ISA {

// Batch columns taken at a time: a vector of floats, or eight (of doubles, and where vectors are narrower).
template <class T>
constexpr int kGroup = kVectorBytes == 64 && sizeof(T) == 4 ? 16 : 8;

template <class T, int L>
using Mask = Vector<IntegerOf<T, L>, L>;
template <int L>
using Bits = std::conditional_t<L == 16, uint16_t, uint8_t>;

// Dropout bits are a pure function of (key, row, column): each row is a stream, each of whose numbers serves two
// columns, eight apart, with 16 bits each.
struct DropoutRow {
    HashStream stream;
    uint32_t threshold;
    U32x8 bits{};

    TS_INLINE DropoutRow(const Epilogue& e, int64_t row)
        : stream(hash_stream(e.key, row)), threshold(uint32_t(e.keep_probability * 65536.0 + 0.5)) {}

    // Of columns [column, column + L), which must be asked for in order: their bits, and for T, which are kept.
    template <class T, int L>
    TS_INLINE Mask<T, L> keep(int64_t column, Bits<L>& kept) {
        using Lanes = Vector<int32_t, 8>;
        if constexpr (L == 16) {
            draw(column);
            const auto low = to_bits((Lanes)((bits & 0xFFFFu) < threshold)),
                       high = to_bits((Lanes)((bits >> 16) < threshold));
            kept = Bits<L>(low | high << 8);
            return from_bits<T, L>(kept);
        } else {
            if (column % 16 == 0) draw(column);
            const Lanes mask = (Lanes)((column % 16 == 0 ? bits & 0xFFFFu : bits >> 16) < threshold);
            kept = to_bits(mask);
            if constexpr (sizeof(T) == 4) return mask;
            else return __builtin_convertvector(mask, Mask<T, L>);
        }
    }

  private:
    TS_INLINE void draw(int64_t column) {
        const U32x8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
        bits = hash_at(stream, lane + uint32_t(column));
    }
};

template <class T, Activation Kind, int L>
TS_INLINE Vector<T, L> activate(Vector<T, L> z, T slope) {
    if constexpr (Kind == Activation::leaky) return z > T(0) ? z : z * slope;
    else if constexpr (Kind == Activation::tanh) return tanh8(z);
    else if constexpr (Kind == Activation::sigmoid) return sigmoid8<T>(z);
    else if constexpr (Kind == Activation::gelu) return z * normal<T, L>(z).below;
    else if constexpr (Kind == Activation::silu) return z * logistic<T, L>(z).below;
    else return z;
}

// The activation's derivative times da; `a` is the activation or, where needs_pre_activation, the pre-activation,
// `positive` the bits of the pre-activation.
template <class T, Activation Kind, int L>
TS_INLINE Vector<T, L> derive(Vector<T, L> da, Vector<T, L> a, Bits<L> positive, T slope) {
    if constexpr (Kind == Activation::leaky) return from_bits<T, L>(positive) ? da : da * slope;
    else if constexpr (Kind == Activation::tanh) return da * (T(1) - a * a);
    else if constexpr (Kind == Activation::sigmoid) return da * (a * (T(1) - a));
    else if constexpr (Kind == Activation::gelu) {
        const Normal<T, L> n = normal<T, L>(a);
        return da * (n.below + a * n.density);
    } else if constexpr (Kind == Activation::silu) {
        const Logistic<T, L> s = logistic<T, L>(a);
        return da * (s.below + a * (s.below * s.above));
    } else return da;
}

// Whether `derive` looks at `a`.
constexpr bool reads_values(Activation kind) {
    return kind == Activation::tanh || kind == Activation::sigmoid || needs_pre_activation(kind);
}

// Walks a row of n values: body(column, count) for each group; short rows are one group, of which only count exist.
template <int L, class Body>
TS_INLINE void groups(int64_t n, Body&& body) {
    if (n < L) return body(0, n);
    for (int64_t c = 0; c < n; c += L) body(c, int64_t(L));
}

template <class T, int L>
TS_INLINE Vector<T, L> load_part(const T* p, int64_t count) {
    if (count == L) return load<Vector<T, L>>(p);
    if (count == 1) return Vector<T, L>{} + *p;
    T padded[L] = {};
    for (int64_t i = 0; i < count; ++i) padded[i] = p[i];
    return load<Vector<T, L>>(padded);
}

template <class T, int L>
TS_INLINE void store_part(T* p, Vector<T, L> v, int64_t count) {
    if (count == L) return store(p, v);
    if (count == 1) return void(*p = v[0]);
    T padded[L];
    store(padded, v);
    for (int64_t i = 0; i < count; ++i) p[i] = padded[i];
}

// A group of 16 in a row of at most 8 has only its first byte.
template <int L>
TS_INLINE Bits<L> load_bits(const uint8_t* p, int64_t count) {
    if (count <= 8) return *p;
    Bits<L> bits;
    __builtin_memcpy(&bits, p, sizeof(bits));
    return bits;
}

template <int L>
TS_INLINE void store_bits(uint8_t* p, Bits<L> bits, int64_t count) {
    if (count <= 8) *p = uint8_t(bits);
    else __builtin_memcpy(p, &bits, sizeof(bits));
}

// n values in place, pre-activations in, activations out; `stream` names the row's dropout stream, bits go to
// `positive` (null: not needed) and `kept`. n is below a group, or a multiple of it.
template <class T, Activation Kind, bool Drop>
TS_INLINE void activate_values(const Epilogue& e, int64_t stream, uint8_t* positive, uint8_t* kept, T* row, int64_t n) {
    // These two work on eight values only.
    constexpr int L = Kind == Activation::tanh || Kind == Activation::sigmoid ? 8 : kGroup<T>;
    const T slope = T(e.slope), scale = Drop ? T(1 / e.keep_probability) : T(1);
    const auto walk = [&](auto&& dropped) __attribute__((always_inline)) {
        groups<L>(n, [&](int64_t c, int64_t count) __attribute__((always_inline)) {
            Vector<T, L> z = load_part<T, L>(row + c, count);
            if (Kind == Activation::leaky && positive) store_bits<L>(positive + c / 8, to_bits(z > T(0)), count);
            store_part<T, L>(row + c, dropped(activate<T, Kind, L>(z, slope), c, count), count);
        });
    };
    if constexpr (Drop) {
        DropoutRow dropout(e, stream);
        walk([&](Vector<T, L> y, int64_t c, int64_t count) __attribute__((always_inline)) {
            Bits<L> bits;
            const Mask<T, L> keep = dropout.keep<T, L>(c, bits);
            store_bits<L>(kept + c / 8, bits, count);
            return keep ? y * scale : Vector<T, L>{};
        });
    } else {
        walk([](Vector<T, L> y, int64_t, int64_t) __attribute__((always_inline)) { return y; });
    }
}

// dz = f' * da for n values; n and `a` as above.
template <class T, Activation Kind, bool Drop>
TS_INLINE void derive_values(const Epilogue& e, const uint8_t* positive, const uint8_t* kept, const T* da, const T* a,
                             T* dz, int64_t n) {
    constexpr int L = kGroup<T>;
    const T slope = T(e.slope), scale = Drop ? T(1 / e.keep_probability) : T(1),
            keep_probability = T(e.keep_probability);
    groups<L>(n, [&](int64_t c, int64_t count) __attribute__((always_inline)) {
        Vector<T, L> g = load_part<T, L>(da + c, count), value{};
        if constexpr (reads_values(Kind)) value = load_part<T, L>(a + c, count);
        if constexpr (Drop) {
            g = from_bits<T, L>(load_bits<L>(kept + c / 8, count)) ? g * scale : Vector<T, L>{};
            if constexpr (!needs_pre_activation(Kind)) value = value * keep_probability;
        }
        const Bits<L> bits = Kind == Activation::leaky ? load_bits<L>(positive + c / 8, count) : Bits<L>(0);
        store_part<T, L>(dz + c, derive<T, Kind, L>(g, value, bits, slope), count);
    });
}

// Calls body with the activation as a constant.
template <class Body>
TS_INLINE void by_kind(Activation kind, Body&& body) {
    using enum Activation;
    switch (kind) {
        case leaky: return body(std::integral_constant<Activation, leaky>{});
        case tanh: return body(std::integral_constant<Activation, tanh>{});
        case sigmoid: return body(std::integral_constant<Activation, sigmoid>{});
        case gelu: return body(std::integral_constant<Activation, gelu>{});
        case silu: return body(std::integral_constant<Activation, silu>{});
        case identity: return body(std::integral_constant<Activation, identity>{});
    }
}

// Long formulas stay out of the loops that the short ones are inlined into.
template <class T, Activation Kind>
TS_APART void activate_apart(const Epilogue& e, int64_t stream, uint8_t* kept, T* row, int64_t n) {
    if (kept) activate_values<T, Kind, true>(e, stream, nullptr, kept, row, n);
    else activate_values<T, Kind, false>(e, stream, nullptr, nullptr, row, n);
}
template <class T, Activation Kind>
TS_APART void derive_apart(const Epilogue& e, const uint8_t* kept, const T* da, const T* z, T* dz, int64_t n) {
    if (kept) derive_values<T, Kind, true>(e, nullptr, kept, da, z, dz, n);
    else derive_values<T, Kind, false>(e, nullptr, nullptr, da, z, dz, n);
}

template <class T>
TS_INLINE void activate_run(const Epilogue& e, int64_t stream, uint8_t* positive, uint8_t* kept, T* row, int64_t n) {
    by_kind(e.kind, [&](auto kind) __attribute__((always_inline)) {
        if constexpr (needs_pre_activation(kind())) activate_apart<T, kind()>(e, stream, kept, row, n);
        else if (kept) activate_values<T, kind(), true>(e, stream, positive, kept, row, n);
        else activate_values<T, kind(), false>(e, stream, positive, nullptr, row, n);
    });
}

template <class T>
TS_INLINE void derive_run(const Epilogue& e, const uint8_t* positive, const uint8_t* kept, const T* da, const T* a,
                          T* dz, int64_t n) {
    by_kind(e.kind, [&](auto kind) __attribute__((always_inline)) {
        if constexpr (needs_pre_activation(kind())) derive_apart<T, kind()>(e, kept, da, a, dz, n);
        else if (kept) derive_values<T, kind(), true>(e, positive, kept, da, a, dz, n);
        else derive_values<T, kind(), false>(e, positive, nullptr, da, a, dz, n);
    });
}

// The bits of row `row_number`, where there are any.
TS_INLINE uint8_t* row_bits(uint8_t* bits, int64_t row_number, int64_t stride) {
    return bits ? bits + row_number * bit_stride(stride) : nullptr;
}

// row: pre-activations in, activations out.
template <class T>
TS_INLINE void apply_epilogue(const Epilogue& e, int64_t row_number, T* row, int64_t stride) {
    if (e.pre) __builtin_memcpy(static_cast<T*>(e.pre) + row_number * stride, row, size_t(stride) * sizeof(T));
    if (e.kind == Activation::identity && !e.kept) return;
    activate_run<T>(e, row_number, row_bits(e.positive, row_number, stride), row_bits(e.kept, row_number, stride), row,
                    stride);
}

// dz[c] = f'(...) * da[c]; `a`, the stored (dropped and scaled) activation, and `dz` may be the same row.
template <class T>
TS_INLINE void apply_derivative(const Epilogue& e, int64_t row_number, const T* da, const T* a, T* dz, int64_t stride) {
    if (e.pre) a = static_cast<const T*>(e.pre) + row_number * stride;
    derive_run<T>(e, row_bits(e.positive, row_number, stride), row_bits(e.kept, row_number, stride), da, a, dz, stride);
}

}  // namespace ts::TS_ISA
