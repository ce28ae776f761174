// Noise and zeros on rows of values. Compiled once per instruction set.
#include "input/corrupt.hpp"

#include "layer/epilogue.hpp"

namespace ts::TS_ISA {
namespace {

constexpr uint64_t kMask = 0x6A09E667F3BCC909u;  // sets the stream of the zeros apart from that of the noise

// ln x for x in (0, 1]: the mantissa's logarithm by the polynomial of Cephes' logf, about 1e-7 off.
TS_INLINE Eight<float> log8(Eight<float> x) {
    using I = Vector<int32_t, 8>;
    I bits;
    __builtin_memcpy(&bits, &x, sizeof(bits));
    const I mantissa = (bits & 0x7FFFFF) | 0x3F000000;
    Eight<float> m, n = __builtin_convertvector((bits >> 23) - 126, Eight<float>);
    __builtin_memcpy(&m, &mantissa, sizeof(m));
    const I low = m < 0.707106781f;
    n = low ? n - 1.0f : n;
    m = low ? m + m - 1.0f : m - 1.0f;
    const Eight<float> square = m * m;
    Eight<float> p = m * 7.0376836292e-2f - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    p = p * m * square - n * 2.12194440e-4f - square * 0.5f;
    return m + p + n * 0.693359375f;
}

// Sixteen normal values: Box and Muller's pairs (1958) of columns c + i and c + 8 + i.
TS_INLINE void normals(HashStream stream, int64_t c, float* out) {
    using I = Vector<int32_t, 8>;
    const U32x8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
    const U32x8 first = hash_at(stream, lane + uint32_t(c)), second = hash_at(stream, lane + uint32_t(c + 8));
    // The middle of one of 2^24 parts of (0, 1).
    const Eight<float> u = __builtin_convertvector((I)(first >> 8), Eight<float>) * 0x1p-24f + 0x1p-25f;
    const Eight<float> power = log8(u) * -2.0f;
    float radius[8];
    store(radius, power);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) radius[i] = __builtin_sqrtf(radius[i] > 0 ? radius[i] : 0);
    const Eight<float> r = load<Eight<float>>(radius);
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
    store(out, r * x);
    store(out + 8, r * y);
}

template <class T>
void rows(const CorruptArgs<T>& a, int64_t row0, int64_t row1) {
    Epilogue zeros;
    zeros.key = a.key ^ kMask;
    zeros.keep_probability = a.keep_probability;
    const T noise = T(a.noise), scale = T(1 / a.keep_probability);
    for (int64_t r = row0; r < row1; ++r) {
        const HashStream stream = hash_stream(a.key, r);
        DropoutRow dropout(zeros, r);
        T* row = a.x + r * a.stride;
        for (int64_t c = 0; c < a.batch; c += 16) {
            const int64_t count = a.batch - c < 16 ? a.batch - c : 16;
            T value[16] = {};
            for (int64_t i = 0; i < count; ++i) value[i] = row[c + i];
            if (noise != 0) {
                float z[16];
                normals(stream, c, z);
                for (int i = 0; i < 16; ++i) value[i] += noise * T(z[i]);
            }
            if (a.keep_probability < 1) {
                for (int half = 0; half < 16; half += 8) {
                    uint8_t bits;
                    const Mask<T, 8> keep = dropout.keep<T, 8>(c + half, bits);
                    const Eight<T> v = load<Eight<T>>(value + half) * scale;
                    store(value + half, keep ? v : Eight<T>{});
                }
            }
            for (int64_t i = 0; i < count; ++i) row[c + i] = value[i];
        }
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
