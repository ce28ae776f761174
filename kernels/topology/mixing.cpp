// The loops of a soft update. Compiled once per instruction set.
#include "topology/mixing.hpp"

#include "base/hash.hpp"
#include "tiled/rows.hpp"

namespace ts::TS_ISA {
namespace {

template <class V, class C>
TS_INLINE V mix_of(V t, V s, C tau) {
    return t + tau * (s - t);
}

// L values as floats or doubles.
template <int L>
TS_INLINE Vector<float, L> read(const bf16* p) {
    if constexpr (L == 1) return float(*p);
    else return widen<L>(load<Vector<uint16_t, L>>(&p->bits));
}
template <int L>
TS_INLINE Vector<float, L> read(const float* p) {
    return load<Vector<float, L>>(p);
}
template <int L>
TS_INLINE Vector<double, L> read(const double* p) {
    return load<Vector<double, L>>(p);
}

template <class C>
TS_INLINE C magnitude_of(C value) {
    return sizeof(C) == 4 ? C(__builtin_fabsf(float(value))) : C(__builtin_fabs(double(value)));
}

template <class C>
TS_INLINE MagnitudeBits<C> bits_of(C magnitude) {
    MagnitudeBits<C> bits;
    __builtin_memcpy(&bits, &magnitude, sizeof(bits));
    return bits;
}

// To bfloat16, up or down by 16 bits of the number at its position.
template <int L>
TS_INLINE void write_rounded(bf16* to, Vector<float, L> v, HashStream random, uint32_t position) {
    if constexpr (L == 1) {
        uint32_t bits;
        __builtin_memcpy(&bits, &v, sizeof(bits));
        const bool finite = (bits & 0x7F800000u) != 0x7F800000u;
        to->bits = uint16_t((bits + (finite ? hash_at(random, position) & 0xFFFFu : 0u)) >> 16);
    } else {
        using U = Vector<uint32_t, L>;
        U bits, lane;
        __builtin_memcpy(&bits, &v, sizeof(bits));
        for (int i = 0; i < L; ++i) lane[i] = uint32_t(i);
        const U more = hash_at(random, lane + position) & 0xFFFFu;
        const U rounded = (bits & 0x7F800000u) != 0x7F800000u ? bits + more : bits;
        store(&to->bits, __builtin_convertvector(rounded >> 16, Vector<uint16_t, L>));
    }
}
template <int L>
TS_INLINE void write_rounded(float* to, Vector<float, L> v, HashStream, uint32_t) {
    store(to, v);
}
template <int L>
TS_INLINE void write_rounded(double* to, Vector<double, L> v, HashStream, uint32_t) {
    store(to, v);
}

template <class S>
void mix(S* t, const S* s, int64_t count, int64_t first, Computed<S> tau, uint64_t key) {
    constexpr int L = kLanes<Computed<S>>;
    const HashStream random = hash_stream(key, 0);
    int64_t k = 0;
    for (; k + L <= count; k += L)
        write_rounded<L>(t + k, mix_of(read<L>(t + k), read<L>(s + k), tau), random, uint32_t(first + k));
    for (; k < count; ++k)
        write_rounded<1>(t + k, mix_of(read<1>(t + k), read<1>(s + k), tau), random, uint32_t(first + k));
}

template <class S>
void mixed(const S* t, const S* s, int64_t count, Computed<S> tau, Computed<S>* out) {
    constexpr int L = kLanes<Computed<S>>;
    int64_t k = 0;
    for (; k + L <= count; k += L) store(out + k, mix_of(read<L>(t + k), read<L>(s + k), tau));
    for (; k < count; ++k) out[k] = mix_of(read<1>(t + k), read<1>(s + k), tau);
}

template <class S>
void round_all(const Computed<S>* from, S* to, int64_t count, int64_t first, uint64_t key) {
    using C = Computed<S>;
    constexpr int L = kLanes<C>;
    const HashStream random = hash_stream(key, 0);
    int64_t k = 0;
    for (; k + L <= count; k += L) write_rounded<L>(to + k, load<Vector<C, L>>(from + k), random, uint32_t(first + k));
    for (; k < count; ++k) write_rounded<1>(to + k, from[k], random, uint32_t(first + k));
}

template <class S>
TS_INLINE void copy_group(S* to, const S* from) {
    struct Group {
        char bytes[kGroup * sizeof(S)];
    } group;
    __builtin_memcpy(&group, static_cast<const void*>(from), sizeof(group));
    __builtin_memcpy(static_cast<void*>(to), &group, sizeof(group));
}

// Runs are short where topologies differ much, and their lengths cannot be predicted: whole groups are copied, and what
// is beyond a run's end is written over by what follows.
template <class S>
void align(const MixedChunk<S>& chunk, S* out) {
    const S* s = chunk.s;
    for (int64_t e = 0; e < chunk.events; ++e) {
        const int64_t run = chunk.event[e] >> 2;
        const uint32_t what = chunk.event[e] & 3;
        if (chunk.s_end - s >= run + kGroup) {
            copy_group(out, s);
            for (int64_t k = kGroup; k < run; k += kGroup) copy_group(out + k, s + k);
        } else {
            __builtin_memcpy(out, s, size_t(run) * sizeof(S));
        }
        out += run;
        *out = S{};
        out += what == kFirstOnly;
        s += run + (what == kSecondOnly);
    }
}

template <class S>
void alone(const S* values, const uint32_t* place, int64_t count, bool first, Computed<S> tau, Computed<S>* magnitude) {
    using C = Computed<S>;
    if (first)
        for (int64_t k = 0; k < count; ++k) magnitude[k] = magnitude_of(mix_of(read<1>(values + place[k]), C(0), tau));
    else
        for (int64_t k = 0; k < count; ++k) magnitude[k] = magnitude_of(mix_of(C(0), read<1>(values + place[k]), tau));
}

int64_t places(const uint32_t* event, int64_t events, Event whose, uint32_t* place) {
    uint32_t at = 0;
    int64_t found = 0;
    for (int64_t e = 0; e < events; ++e) {
        at += event[e] >> 2;
        place[found] = at;
        const uint32_t here = (event[e] & 3) == uint32_t(whose);
        at += here;
        found += here;
    }
    return found;
}

void starts(const uint32_t* event, int64_t events, uint32_t* first, uint32_t* second) {
    uint32_t t = 0, s = 0;
    for (int64_t e = 0; e < events; ++e) {
        first[e] = t;
        second[e] = s;
        t += (event[e] >> 2) + uint32_t((event[e] & 3) == kFirstOnly);
        s += (event[e] >> 2) + uint32_t((event[e] & 3) == kSecondOnly);
    }
    first[events] = t;
    second[events] = s;
}

template <class S>
int64_t smallest(const S* t, const S* s, int64_t count, Computed<S> tau, MagnitudeBits<Computed<S>> most,
                 Computed<S>* magnitude, uint32_t* place) {
    using C = Computed<S>;
    using B = Vector<MagnitudeBits<C>, 8>;
    constexpr int64_t kBlock = 64;  // one bit each
    constexpr auto without_sign = MagnitudeBits<C>(~uint64_t(0) >> (65 - 8 * sizeof(C)));
    int64_t found = 0, k = 0;
    for (; k + kBlock <= count; k += kBlock) {
        C block[kBlock];
        uint64_t close = 0;
#pragma GCC unroll 8
        for (int g = 0; g < 8; ++g) {
            const Eight<C> v = mix_of(read<8>(t + k + 8 * g), read<8>(s + k + 8 * g), tau);
            B bits;
            __builtin_memcpy(&bits, &v, sizeof(bits));
            bits &= without_sign;
            store(block + 8 * g, bits);
            close |= uint64_t(to_bits(bits <= most)) << (8 * g);
        }
        for (; close; close &= close - 1) {
            const int i = __builtin_ctzll(close);
            magnitude[found] = block[i];
            place[found++] = uint32_t(k + i);
        }
    }
    for (; k < count; ++k) {
        const C m = magnitude_of(mix_of(read<1>(t + k), read<1>(s + k), tau));
        magnitude[found] = m;
        place[found] = uint32_t(k);
        found += bits_of(m) <= most;
    }
    return found;
}

// One step along two rows. In arithmetic: which of the two is ahead cannot be predicted.
TS_INLINE void step(const uint32_t* a, const uint32_t* b, int64_t& i, int64_t& j, int64_t& run, uint32_t*& event) {
    const uint32_t x = a[i], y = b[j];
    const uint32_t first = x < y, second = y < x, differ = first | second;
    *event = uint32_t(run) << 2 | first * kFirstOnly | second * kSecondOnly;
    event += differ;
    run = (run + 1) & (int64_t(differ) - 1);
    i += 1 - int64_t(second);
    j += 1 - int64_t(first);
}

// One bit for each of eight numbers that differ.
TS_INLINE uint32_t differing(const uint32_t* a, const uint32_t* b) {
    return to_bits(Vector<int32_t, 8>(load<U32x8>(a) != load<U32x8>(b)));
}

int64_t walk(const SortedRows& a, const SortedRows& b, int64_t begin, int64_t end, uint32_t* events) {
    constexpr int N = 16;
    uint32_t* event = events;
    int64_t i = a.ptr[begin], j = b.ptr[begin], run = 0;
    bool alike = true;  // as the row before is; what differs often is walked step by step
    for (int64_t row = begin; row < end; ++row) {
        const int64_t i_start = i, i_end = a.ptr[row + 1], j_end = b.ptr[row + 1];
        const uint32_t* before = event;
        alike = alike || i_end - i > 1 << 20;
        while (alike && i + N < i_end && j + N < j_end) {
            const int same = __builtin_ctz(differing(a.number + i, b.number + j) |
                                           differing(a.number + i + 8, b.number + j + 8) << 8 | 1u << N);
            i += same;
            j += same;
            run += same;
            step(a.number, b.number, i, j, run, event);
            if (run > int64_t(kLongestRun / 2)) {
                *event++ = uint32_t(run) << 2;
                run = 0;
            }
        }
        while (i < i_end && j < j_end) step(a.number, b.number, i, j, run, event);
        for (; i < i_end; ++i, run = 0) *event++ = uint32_t(run) << 2 | kFirstOnly;
        for (; j < j_end; ++j, run = 0) *event++ = uint32_t(run) << 2 | kSecondOnly;
        if (i_end > i_start) alike = (event - before) * 3 < i_end - i_start;
    }
    if (run > 0) *event++ = uint32_t(run) << 2;
    return event - events;
}

void shift(const int32_t* index, const uint32_t* position, const uint32_t* by, int64_t count, int32_t* to_index,
           uint32_t* to_position) {
    for (int64_t k = 0; k < count; ++k) {
        to_index[k] = index[k];
        to_position[k] = position[k] + by[index[k]];
    }
}

}  // namespace

template <class S>
void fill_mixing(MixingKernels<S>& table) {
    table.mix = mix<S>;
    table.mixed = mixed<S>;
    table.round = round_all<S>;
    table.align = align<S>;
    table.alone = alone<S>;
    table.smallest = smallest<S>;
}
template void fill_mixing(MixingKernels<bf16>&);
template void fill_mixing(MixingKernels<float>&);
template void fill_mixing(MixingKernels<double>&);

void fill_walk(WalkKernels& table) {
    table.walk = walk;
    table.places = places;
    table.starts = starts;
    table.shift = shift;
}

}  // namespace ts::TS_ISA
