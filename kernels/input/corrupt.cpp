// Swaps, noise and zeros on rows of values. Compiled once per instruction set.
#include "input/corrupt.hpp"

#include "base/hash.hpp"
#include "isa/simd.hpp"

namespace ts::TS_ISA {
namespace {

// They set the streams of the zeros, of what is swapped and of what with apart from that of the noise.
constexpr uint64_t kMask = 0x6A09E667F3BCC909u, kSwap = 0xBB67AE8584CAA73Bu, kOther = 0x3C6EF372FE94F82Bu;

TS_INLINE Eight<float> root8(Eight<float> x) {
#if defined(__AVX__)
    return (Eight<float>)_mm256_sqrt_ps((__m256)x);
#else
    float root[8];
    store(root, x);
    for (int i = 0; i < 8; ++i) root[i] = __builtin_sqrtf(root[i]);
    return load<Eight<float>>(root);
#endif
}

// Box and Muller's pairs (1958) of normal values, r * x and r * y.
TS_INLINE void normal_pairs(U32x8 first, U32x8 second, Eight<float>& one, Eight<float>& other) {
    using I = Vector<int32_t, 8>;
    // The middle of one of 2^24 parts of (0, 1).
    const Eight<float> u = __builtin_convertvector((I)(first >> 8), Eight<float>) * 0x1p-24f + 0x1p-25f;
    const Eight<float> power = log8(u) * -2.0f, r = root8(power > 0.0f ? power : Eight<float>{});
    // The angle's quarter in the upper two bits; within it -pi/4 to pi/4.
    const U32x8 quarter = second >> 30;
    const Eight<float> a = __builtin_convertvector((I)(second << 2), Eight<float>) * (1.57079632679f * 0x1p-32f);
    const Eight<float> square = a * a;
    const Eight<float> sine =
        a + a * square * ((square * -1.9515295891e-4f + 8.3321608736e-3f) * square - 1.6666654611e-1f);
    const Eight<float> cosine =
        1.0f - square * 0.5f +
        square * square * ((square * 2.443315711e-5f - 1.388731625e-3f) * square + 4.166664568e-2f);
    const I swapped = (I)((quarter & 1u) != 0u);
    Eight<float> x = swapped ? sine : cosine, y = swapped ? cosine : sine;
    x = (I)((quarter == 1u) | (quarter == 2u)) ? -x : x;
    y = (I)(quarter >= 2u) ? -y : y;
    one = r * x;
    other = r * y;
}

// The numbers of sixteen columns from c on. Numbers n and n + 8, with n modulo 16 below 8, share what is drawn at n.
struct Numbers {
    U32x8 low, high;                             // of columns c + i and c + 8 + i, as that n
    bool plain;                                  // whether those of `high` are the partners of `low`
    Vector<int32_t, 8> second_low, second_high;  // whether each is n + 8

    template <class T>
    TS_INLINE Numbers(const CorruptArgs<T>& a, int64_t c, int64_t count) : plain(a.number == nullptr) {
        const U32x8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
        low = lane + uint32_t(c);
        if (plain) return;
        uint32_t own[16] = {};
        for (int64_t i = 0; i < count; ++i) own[i] = uint32_t(a.number[c + i]);
        split(load<U32x8>(own), low, second_low);
        split(load<U32x8>(own + 8), high, second_high);
    }

  private:
    static TS_INLINE void split(U32x8 own, U32x8& first, Vector<int32_t, 8>& second) {
        first = own & ~8u;
        second = (Vector<int32_t, 8>)((own & 8u) != 0u);
    }
};

// The normal values of sixteen columns.
TS_INLINE void normals(HashStream stream, const Numbers& at, float* out) {
    Eight<float> one, other;
    normal_pairs(hash_at(stream, at.low), hash_at(stream, at.low + 8u), one, other);
    if (at.plain) {
        store(out, one);
        store(out + 8, other);
        return;
    }
    store(out, at.second_low ? other : one);
    normal_pairs(hash_at(stream, at.high), hash_at(stream, at.high + 8u), one, other);
    store(out + 8, at.second_high ? other : one);
}

// Which of sixteen columns are kept: half of the bits drawn at n are those of n, the others those of n + 8.
TS_INLINE void kept(HashStream stream, const Numbers& at, uint32_t threshold, Vector<int32_t, 8> out[2]) {
    using I = Vector<int32_t, 8>;
    U32x8 bits = hash_at(stream, at.low);
    if (at.plain) {
        out[0] = (I)((bits & 0xFFFFu) < threshold);
        out[1] = (I)((bits >> 16) < threshold);
        return;
    }
    out[0] = (I)((at.second_low ? bits >> 16 : bits & 0xFFFFu) < threshold);
    bits = hash_at(stream, at.high);
    out[1] = (I)((at.second_high ? bits >> 16 : bits & 0xFFFFu) < threshold);
}

// Values of the row become those of other columns.
template <class T>
TS_INLINE void swap_values(const CorruptArgs<T>& a, int64_t r, T* row, T* scratch) {
    if (a.batch < 2) return;  // there is no other sample
    const HashStream which = hash_stream(a.key ^ kSwap, r), other = hash_stream(a.key ^ kOther, r);
    const uint64_t threshold = uint64_t(a.swap_probability * 0x1p32);
    for (int64_t c = 0; c < a.batch; ++c) scratch[c] = row[c];
    const U32x8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
    for (int64_t c = 0; c < a.batch; c += 8) {
        const U32x8 drawn = hash_at(which, lane + uint32_t(c)), pick = hash_at(other, lane + uint32_t(c));
        for (int64_t i = 0; i < 8 && c + i < a.batch; ++i) {
            if (drawn[i] >= threshold) continue;
            const int64_t before = int64_t(uint64_t(pick[i]) * uint64_t(a.batch - 1) >> 32);
            row[c + i] = scratch[before + (before >= c + i)];
        }
    }
}

// Noise and zeros of one row's columns [c, c + count), count at most 16; a constant where there are 16.
template <class T, class Count>
TS_INLINE void columns(const CorruptArgs<T>& a, HashStream noise_stream, HashStream zero_stream, T* row, int64_t c,
                       Count count) {
    const Numbers at(a, c, count);
    T value[16] = {};
    for (int i = 0; i < count; ++i) value[i] = row[c + i];
    if (a.noise != 0) {
        const T noise = T(a.noise);
        float z[16];
        normals(noise_stream, at, z);
        for (int i = 0; i < 16; ++i) value[i] += noise * T(z[i]);
    }
    if (a.keep_probability < 1) {
        const T scale = a.rescale ? T(1 / a.keep_probability) : T(1);
        Vector<int32_t, 8> keep[2];
        kept(zero_stream, at, uint32_t(a.keep_probability * 65536.0 + 0.5), keep);
        for (int half = 0; half < 2; ++half) {
            const Eight<T> v = load<Eight<T>>(value + 8 * half) * scale;
            if constexpr (sizeof(T) == 4) store(value + 8 * half, keep[half] ? v : Eight<T>{});
            else store(value + 8 * half, __builtin_convertvector(keep[half], Vector<int64_t, 8>) ? v : Eight<T>{});
        }
    }
    for (int i = 0; i < count; ++i) row[c + i] = value[i];
}

template <class T>
void rows(const CorruptArgs<T>& a, int64_t row0, int64_t row1, T* scratch) {
    for (int64_t r = row0; r < row1; ++r) {
        const HashStream noise_stream = hash_stream(a.key, r), zero_stream = hash_stream(a.key ^ kMask, r);
        T* row = a.x + r * a.stride;
        if (a.swap_probability > 0) swap_values(a, r, row, scratch);
        if (a.noise == 0 && a.keep_probability >= 1) continue;
        int64_t c = 0;
        for (; c + 16 <= a.batch; c += 16)
            columns(a, noise_stream, zero_stream, row, c, std::integral_constant<int, 16>{});
        if (c < a.batch) columns(a, noise_stream, zero_stream, row, c, int(a.batch - c));
    }
}

}  // namespace

template <class T>
void fill_corrupt(CorruptKernels<T>& table) {
    table.rows = rows<T>;
}
template void fill_corrupt(CorruptKernels<float>&);
template void fill_corrupt(CorruptKernels<double>&);

}  // namespace ts::TS_ISA
