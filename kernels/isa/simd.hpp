// Vectors in the compiler's notation (GCC and Clang vector extensions): one source gives SSE2,
// AVX2, AVX-512 and NEON code, by the flags it is compiled with. Everything lies in a namespace named
// after the instruction set, so that the linker never takes a function of one set for that of another; for the
// same reason the files that include this use no standard containers.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifndef TS_ISA
#define TS_ISA baseline
#endif

#define TS_INLINE inline __attribute__((always_inline))
// For large functions with dozens of variants: inlined into one, they cost GCC minutes.
#define TS_APART __attribute__((noinline))

// Keeps a value in a register: without it GCC folds a load into each of its users and loads twice.
#if defined(__clang__)
#define TS_IN_REGISTER(v) (void)0
#elif defined(__AVX512F__)
#define TS_IN_REGISTER(v) __asm__("" : "+v"(v))
#elif defined(__SSE2__)
#define TS_IN_REGISTER(v) __asm__("" : "+x"(v))
#elif defined(__aarch64__)
#define TS_IN_REGISTER(v) __asm__("" : "+w"(v))
#else
#define TS_IN_REGISTER(v) (void)0
#endif

namespace ts::TS_ISA {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64, kRegisters = 32;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32, kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kVectorBytes = 16, kRegisters = 32;
#else
constexpr int kVectorBytes = 16, kRegisters = 16;
#endif

template <class T>
constexpr int kLanes = kVectorBytes / int(sizeof(T));

template <class T, int N>
struct VectorOf {
    typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class T>
struct VectorOf<T, 1> {
    using type = T;
};
template <class T, int N>
using Vector = typename VectorOf<T, N>::type;

template <class V, class T>
TS_INLINE V load(const T* p) {
    V v;
    __builtin_memcpy(&v, p, sizeof(V));
    return v;
}

template <class V, class T>
TS_INLINE void store(T* p, V v) {
    __builtin_memcpy(p, &v, sizeof(V));
}

template <class T, int N>
using IntegerOf = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

// Lanes of a (0 to N - 1) and b (N to 2N - 1), picked by a function of the lane.
template <int N, class T, class Pick, int... Lane>
TS_INLINE Vector<T, N> shuffle_lanes(Vector<T, N> a, Vector<T, N> b, Pick, std::integer_sequence<int, Lane...>) {
#if defined(__clang__) || __GNUC__ >= 12
    return __builtin_shufflevector(a, b, Pick{}(Lane)...);
#else
    return __builtin_shuffle(a, b, Vector<IntegerOf<T, N>, N>{Pick{}(Lane)...});
#endif
}

// One step of summing the lanes of many vectors at once: a and b hold blocks of Block partial sums; the result
// holds blocks of half the size, those of a and b in turn.
template <int N, int Block, class T>
TS_INLINE Vector<T, N> fold(Vector<T, N> a, Vector<T, N> b) {
    struct Low {
        constexpr int operator()(int lane) const {
            const int block = lane / Block * Block, r = lane % Block;
            return r < Block / 2 ? block + r : N + block + r - Block / 2;
        }
    };
    struct High {
        constexpr int operator()(int lane) const {
            const int block = lane / Block * Block, r = lane % Block;
            return r < Block / 2 ? block + Block / 2 + r : N + block + r;
        }
    };
    constexpr auto lanes = std::make_integer_sequence<int, N>{};
    return shuffle_lanes<N, T>(a, b, Low{}, lanes) + shuffle_lanes<N, T>(a, b, High{}, lanes);
}

// Lane i of the result is the sum of the lanes of the vector at p + i * N: N sums for about three operations each.
template <int N, class T, int First = 0, int Step = 1>
TS_INLINE Vector<T, N> sum_each(const T* p) {
    if constexpr (Step == N) {
        return load<Vector<T, N>>(p + First * N);
    } else {
        return fold<N, 2 * Step, T>(sum_each<N, T, First, 2 * Step>(p), sum_each<N, T, First + Step, 2 * Step>(p));
    }
}

// Sum of the N values of one vector, halves first.
template <int N, class T>
TS_INLINE T sum_lanes(Vector<T, N> v) {
    if constexpr (N == 1) {
        return v;
    } else if constexpr (N == 2) {
        return v[0] + v[1];
    } else {
        struct Halves {
            Vector<T, N / 2> low, high;
        } halves;
        __builtin_memcpy(&halves, &v, sizeof(v));
        return sum_lanes<N / 2, T>(halves.low + halves.high);
    }
}

// Copies a row of whole cache lines past the caches: it will not be read again before it leaves them anyway.
template <class T>
TS_INLINE void stream_row(T* to, const T* from, int64_t count) {
#if defined(__AVX512F__)
    for (int64_t i = 0; i < count * int64_t(sizeof(T)); i += 64)
        _mm512_stream_si512(reinterpret_cast<__m512i*>(reinterpret_cast<char*>(to) + i),
                            _mm512_loadu_si512(reinterpret_cast<const char*>(from) + i));
#elif defined(__AVX2__)
    for (int64_t i = 0; i < count * int64_t(sizeof(T)); i += 32)
        _mm256_stream_si256(
            reinterpret_cast<__m256i*>(reinterpret_cast<char*>(to) + i),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(reinterpret_cast<const char*>(from) + i)));
#else
    __builtin_memcpy(to, from, size_t(count) * sizeof(T));
#endif
}

TS_INLINE void stream_done() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

// How many connections ahead to fetch rows of so many bytes: about 32 cache lines are then in flight, the most that a
// core supports. (Measured at 512-byte rows: 4 is best, 2 and 12 cost a tenth.)
constexpr int64_t fetch_ahead(int bytes) { return bytes >= 512 ? 4 : bytes <= 64 ? 32 : 2048 / bytes; }

template <int Bytes>
TS_INLINE void prefetch(const void* p) {
    for (int offset = 0; offset < Bytes; offset += 64) __builtin_prefetch(static_cast<const char*>(p) + offset, 0, 0);
}

// ---- groups of eight: activations, dropout and their bits work on eight batch columns at a time ----

template <class T>
using Eight = Vector<T, 8>;
using U32x8 = Vector<uint32_t, 8>;

// One bit for each true lane (lanes are 0 or -1).
TS_INLINE uint8_t to_bits(Vector<int32_t, 8> mask) {
#if defined(__AVX2__)
    __m256 m;
    __builtin_memcpy(&m, &mask, sizeof(m));
    return uint8_t(_mm256_movemask_ps(m));
#elif defined(__SSE2__)
    __m128 m[2];
    __builtin_memcpy(m, &mask, sizeof(m));
    return uint8_t(_mm_movemask_ps(m[0]) | (_mm_movemask_ps(m[1]) << 4));
#elif defined(__ARM_NEON) && defined(__aarch64__)
    const Vector<int32_t, 8> weights = {1, 2, 4, 8, 16, 32, 64, 128};
    const Vector<int32_t, 8> picked = mask & weights;
    int32x4_t m[2];
    __builtin_memcpy(m, &picked, sizeof(m));
    return uint8_t(vaddvq_s32(vorrq_s32(m[0], m[1])));
#else
    uint8_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = uint8_t(bits | ((mask[i] & 1) << i));
    return bits;
#endif
}

TS_INLINE uint8_t to_bits(Vector<int64_t, 8> mask) {
    return to_bits(__builtin_convertvector(mask, Vector<int32_t, 8>));
}

#if defined(__AVX512F__)
TS_INLINE uint16_t to_bits(Vector<int32_t, 16> mask) {
    __m512i m;
    __builtin_memcpy(&m, &mask, sizeof(m));
    return uint16_t(_mm512_movepi32_mask(m));
}
#endif

// A lane is true where its bit is set.
template <class T, int L, class B>
TS_INLINE Vector<IntegerOf<T, L>, L> from_bits(B bits) {
    using I = IntegerOf<T, L>;
    if constexpr (L == 16) {
        const Vector<I, L> weights = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
        return (weights & I(bits)) != 0;
    } else {
        const Vector<I, L> weights = {1, 2, 4, 8, 16, 32, 64, 128};
        return (weights & I(bits)) != 0;
    }
}

// e^x. float: Cody-Waite reduction and a degree-6 polynomial, about 2 units in the last place on
// [-87, 88], clamped outside. double: the library's function, lane by lane.
template <class T, int L>
TS_INLINE Vector<T, L> exp_lanes(Vector<T, L> x) {
    using V = Vector<T, L>;
    if constexpr (sizeof(T) == 8) {
        V y{};
        for (int i = 0; i < L; ++i) y[i] = __builtin_exp(x[i]);
        return y;
    } else {
        using I = Vector<int32_t, L>;
        const V low = x < -87.0f ? V{} - 87.0f : x;
        x = low > 88.0f ? V{} + 88.0f : low;
        const V magic = V{} + 12582912.0f;  // 1.5 * 2^23: adding rounds to an integer
        const V shifted = x * 1.44269504f + magic;
        const V n = shifted - magic;
        V r = x - n * 0.693359375f;
        r = r + n * 2.12194440e-4f;
        V p = V{} + 1.9875691500e-4f;
        p = p * r + 1.3981999507e-3f;
        p = p * r + 8.3334519073e-3f;
        p = p * r + 4.1665795894e-2f;
        p = p * r + 1.6666665459e-1f;
        p = p * r + 5.0000001201e-1f;
        p = p * (r * r) + r + 1.0f;
        const I exponent = (__builtin_convertvector(n, I) + 127) << 23;
        V scale;
        __builtin_memcpy(&scale, &exponent, sizeof(scale));
        return p * scale;
    }
}

TS_INLINE Eight<float> exp8(Eight<float> x) { return exp_lanes<float, 8>(x); }
TS_INLINE Eight<double> exp8(Eight<double> x) { return exp_lanes<double, 8>(x); }

// log x, x > 0. float: the polynomial of Cephes' logf on a significand between sqrt(1/2) and sqrt(2), about 1e-7 off;
// infinity and NaN stay. double: the library's function, lane by lane.
TS_INLINE Eight<double> log8(Eight<double> x) {
    Eight<double> y{};
    for (int i = 0; i < 8; ++i) y[i] = __builtin_log(x[i]);
    return y;
}
TS_INLINE Eight<float> log8(Eight<float> x) {
    using V = Eight<float>;
    using I = Vector<int32_t, 8>;
    I bits;
    __builtin_memcpy(&bits, &x, sizeof(bits));
    I exponent = ((bits >> 23) & 255) - 126;
    bits = (bits & 0x007fffff) | 0x3f000000;
    V m;
    __builtin_memcpy(&m, &bits, sizeof(m));  // in [1/2, 1)
    const I small = m < 0.707106781f;
    exponent += small;  // -1 where true
    m = small ? m + m - 1.0f : m - 1.0f;
    const V e = __builtin_convertvector(exponent, V), square = m * m;
    V p = V{} + 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    V y = p * m * square - e * 2.12194440e-4f - square * 0.5f;
    y = m + y + e * 0.693359375f;
    return x < __builtin_inff() ? y : x;
}

template <class T>
TS_INLINE Eight<T> sigmoid8(Eight<T> x) {
    return T(1) / (exp8(-x) + T(1));
}

TS_INLINE Eight<float> tanh8(Eight<float> x) {
    // Near zero the exponential form cancels; the odd series is exact to rounding there.
    const Eight<float> square = x * x;
    const Eight<float> series =
        x + x * square * (square * (square * -0.05396825397f + 0.13333333333f) - 0.33333333333f);
    const Eight<float> wide = 1.0f - 2.0f / (exp8(x * 2.0f) + 1.0f);
    return square < 0.01f ? series : wide;
}

TS_INLINE Eight<double> tanh8(Eight<double> x) {
    Eight<double> y;
    for (int i = 0; i < 8; ++i) y[i] = __builtin_tanh(x[i]);
    return y;
}

template <class T, int L>
TS_INLINE Vector<T, L> magnitude(Vector<T, L> x) {
    using I = IntegerOf<T, L>;
    Vector<I, L> bits;
    __builtin_memcpy(&bits, &x, sizeof(x));
    bits &= std::is_same_v<I, int32_t> ? I(0x7FFFFFFF) : I(0x7FFFFFFFFFFFFFFF);
    __builtin_memcpy(&x, &bits, sizeof(x));
    return x;
}

// The share of the standard normal distribution under z, and its density at z.
template <class T, int L>
struct Normal {
    Vector<T, L> below, density;
};

// float: e^(-t^2/2) times a polynomial in (t - 4) / (t + 4) over t + 4, for t = |z|; its relative error is 4.5e-8, that
// of what is under -t a few 1e-7, or 1e-6 far out, where it is nothing beside 1. double: the library's erfc.
template <class T, int L>
TS_INLINE Normal<T, L> normal(Vector<T, L> z) {
    using V = Vector<T, L>;
    const V t = magnitude<T, L>(z);
    if constexpr (sizeof(T) == 8) {
        V below{};
        for (int i = 0; i < L; ++i) below[i] = 0.5 * __builtin_erfc(z[i] * -0.70710678118654752440);
        return {below, exp_lanes<T, L>(t * t * -0.5) * 0.39894228040143267794};
    } else {
        const V e = exp_lanes<T, L>(t * t * -0.5f), inverse = 1.0f / (t + 4.0f), u = (t - 4.0f) * inverse;
        V p = V{} + 4.22099110e-4f;
        p = p * u + 1.59852230e-3f;
        p = p * u - 3.65518802e-3f;
        p = p * u - 7.56593514e-3f;
        p = p * u + 6.04324192e-2f;
        p = p * u - 1.86516345e-1f;
        p = p * u + 3.87134820e-1f;
        p = p * u - 6.07896864e-1f;
        p = p * u + 7.55285144e-1f;
        const auto near = t < 12.9f;  // beyond, it is under the least normal number
        const V tail = near ? e * (p * inverse) : V{}, density = near ? e * 0.398942280f : V{};
        return {z < 0.0f ? tail : 1.0f - tail, density};
    }
}

// 1 / (1 + e^-z), and 1 minus that, both without cancellation.
template <class T, int L>
struct Logistic {
    Vector<T, L> below, above;
};

template <class T, int L>
TS_INLINE Logistic<T, L> logistic(Vector<T, L> z) {
    using V = Vector<T, L>;
    const V t = magnitude<T, L>(z);
    V e = exp_lanes<T, L>(-t);
    if constexpr (sizeof(T) == 4) e = t < 87.0f ? e : V{};
    const V large = T(1) / (e + T(1)), small = e * large;
    const auto negative = z < T(0);
    return {negative ? small : large, negative ? large : small};
}

}  // namespace ts::TS_ISA
