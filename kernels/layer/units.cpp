// Units of a restricted Boltzmann machine. Compiled once per instruction set.
#include "layer/units.hpp"

#include "base/hash.hpp"
#include "layer/epilogue.hpp"

namespace ts::TS_ISA {
namespace {

template <int L>
TS_INLINE Vector<int32_t, L> lanes_from(int64_t first) {
    Vector<int32_t, L> lanes;
    for (int i = 0; i < L; ++i) lanes[i] = int32_t(first) + i;
    return lanes;
}

// Numbers of a stream, each the middle of one of 2^24 parts of (0, 1).
template <class T, int L>
TS_INLINE Vector<T, L> uniform(HashStream stream, Vector<int32_t, L> columns) {
    const auto bits = hash_at(stream, (Vector<uint32_t, L>)columns) >> 8;
    return __builtin_convertvector((Vector<int32_t, L>)bits, Vector<T, L>) * T(0x1p-24) + T(0x1p-25);
}

template <class T, bool Logistic, bool Sampled>
TS_INLINE void unit_row(const UnitArgs<T>& a, int64_t r) {
    constexpr int L = kGroup<T>;
    using V = Vector<T, L>;
    const HashStream stream = hash_stream(a.key, r);
    const T bias = a.bias ? a.bias[r] : T(0);
    groups<L>(a.stride, [&](int64_t c, int64_t count) __attribute__((always_inline)) {
        T* values = a.values + r * a.stride + c;
        const Vector<int32_t, L> columns = lanes_from<L>(c);
        V value = load_part<T, L>(values, count) + bias;
        if constexpr (Logistic) value = T(1) / (exp_lanes<T, L>(-value) + T(1));
        if constexpr (Sampled) value = uniform<T, L>(stream, columns) < value ? V{} + T(1) : V{};
        if (c + L > a.batch) value = __builtin_convertvector(columns, V) < T(a.batch) ? value : V{};
        store_part<T, L>(values, value, count);
    });
}

template <class T>
void units(const UnitArgs<T>& a, int64_t row0, int64_t row1) {
    const auto walk = [&](auto logistic, auto sampled) __attribute__((always_inline)) {
        for (int64_t r = row0; r < row1; ++r) unit_row<T, logistic(), sampled()>(a, r);
    };
    using Yes = std::true_type;
    using No = std::false_type;
    if (a.logistic && a.sampled) walk(Yes{}, Yes{});
    else if (a.logistic) walk(Yes{}, No{});
    else if (a.sampled) walk(No{}, Yes{});
    else walk(No{}, No{});
}

template <class T>
void join(const PhaseArgs<T>& a, int64_t row0, int64_t row1) {
    for (int64_t r = row0; r < row1; ++r) {
        const T *first = a.first + r * a.stride, *second = a.second + r * a.stride;
        T* joined = a.joined + 2 * r * a.stride;
        Eight<T> sum{}, squares{};
        groups<8>(a.stride, [&](int64_t c, int64_t count) __attribute__((always_inline)) {
            const Eight<T> x = load_part<T, 8>(first + c, count), y = load_part<T, 8>(second + c, count);
            store_part<T, 8>(joined + c, x * a.sign, count);
            store_part<T, 8>(joined + a.stride + c, y, count);
            // A row of one value is loaded into all lanes.
            const Eight<T> gain = count == 1 ? (y - x) * T(0.125) : y - x;
            sum += gain;
            squares += count == 1 ? (y - x) * (y - x) * T(0.125) : gain * gain;
        });
        if (a.difference) a.difference[r] = sum_lanes<8, T>(sum);
        if (a.error) a.error[r] += sum_lanes<8, T>(squares);
    }
}

// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|); the logarithm by the series of 2 artanh(s), s = e / (2 + e) <= 1/3.
TS_INLINE Eight<float> softplus8(Eight<float> x) {
    const Eight<float> e = exp8(-magnitude<float, 8>(x)), s = e / (e + 2.0f), square = s * s;
    Eight<float> p = square * (1.0f / 13) + 1.0f / 11;
    p = p * square + 1.0f / 9;
    p = p * square + 1.0f / 7;
    p = p * square + 1.0f / 5;
    p = p * square + 1.0f / 3;
    p = p * square + 1.0f;
    return (x > 0.0f ? x : Eight<float>{}) + 2.0f * s * p;
}

TS_INLINE Eight<double> softplus8(Eight<double> x) {
    Eight<double> y;
    for (int i = 0; i < 8; ++i) y[i] = (x[i] > 0 ? x[i] : 0) + __builtin_log1p(__builtin_exp(-__builtin_fabs(x[i])));
    return y;
}

template <class T>
void flips(const FlipArgs<T>& a, int64_t row0, int64_t row1) {
    const Connections& con = a.by_input;
    for (int64_t r = row0; r < row1; ++r) {
        const T* visible = a.visible + r * a.stride;
        T* gain = a.gain + r * a.stride;
        groups<8>(a.stride, [&](int64_t c, int64_t count) __attribute__((always_inline)) {
            const Eight<T> step = T(1) - T(2) * load_part<T, 8>(visible + c, count);
            Eight<T> lost = step * a.bias[r];
            for (int64_t k = con.ptr[r]; k < con.ptr[r + 1]; ++k) {
                const Eight<T> z = load_part<T, 8>(a.hidden + con.index[k] * a.stride + c, count);
                lost += softplus8(z + step * a.weight[k]) - softplus8(z);
            }
            store_part<T, 8>(gain + c, -lost, count);
        });
    }
}

}  // namespace

template <class T>
void fill_units(UnitKernels<T>& table) {
    table.units = units<T>;
    table.join = join<T>;
    table.flips = flips<T>;
}
template void fill_units(UnitKernels<float>&);
template void fill_units(UnitKernels<double>&);

}  // namespace ts::TS_ISA
