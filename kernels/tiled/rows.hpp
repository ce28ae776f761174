// Vectors of floats from rows of floats or bfloat16, and back.
#pragma once

#include "isa/simd.hpp"
#include "tiled/tiles.hpp"

namespace ts::TS_ISA {

template <int L>
TS_INLINE Vector<float, L> widen(Vector<uint16_t, L> half) {
    if constexpr (L == 1) {
        bf16 value;
        value.bits = half;
        return float(value);
    } else {
        Vector<uint32_t, L> bits;
#if defined(__AVX512F__)
        if constexpr (L == 16) {  // GCC would widen the halves apart and join them
            __m256i from;
            __builtin_memcpy(&from, &half, sizeof(from));
            const __m512i wide =
                _mm512_maskz_slli_epi32(__mmask16(-1), _mm512_maskz_cvtepu16_epi32(__mmask16(-1), from), 16);
            __builtin_memcpy(&bits, &wide, sizeof(bits));
        } else
#endif
            bits = __builtin_convertvector(half, Vector<uint32_t, L>) << 16;
        Vector<float, L> v;
        __builtin_memcpy(&v, &bits, sizeof(v));
        return v;
    }
}

// To the nearest, ties to even; a NaN stays one.
template <int L>
TS_INLINE Vector<uint16_t, L> narrow(Vector<float, L> v) {
    if constexpr (L == 1) {
        return bf16(v).bits;
    } else {
        Vector<uint32_t, L> bits;
        __builtin_memcpy(&bits, &v, sizeof(v));
        const Vector<uint32_t, L> rounded = bits + 0x7FFFu + ((bits >> 16) & 1u);
        const Vector<uint32_t, L> nan = Vector<uint32_t, L>{} + 0x7FC00000u;
        const Vector<uint32_t, L> kept = v == v ? rounded : nan;
        return __builtin_convertvector(kept >> 16, Vector<uint16_t, L>);
    }
}

template <int L>
TS_INLINE Vector<float, L> load_row(const float* p) {
    return load<Vector<float, L>>(p);
}
template <int L>
TS_INLINE Vector<float, L> load_row(const bf16* p) {
    return widen<L>(load<Vector<uint16_t, L>>(&p->bits));
}
template <int L>
TS_INLINE void store_row(float* p, Vector<float, L> v) {
    store(p, v);
}
template <int L>
TS_INLINE void store_row(bf16* p, Vector<float, L> v) {
    store(&p->bits, narrow<L>(v));
}

// Lanes for rows of `Width` values (0: any multiple of 16).
template <int Width>
constexpr int kRowLanes = Width != 0 && Width < kLanes<float> ? Width : kLanes<float>;

// count floats from, or into, either kind of memory.
template <class S>
TS_INLINE void read_run(const S* from, int64_t count, float* to) {
    constexpr int L = kLanes<float>;
    int64_t i = 0;
    for (; i + L <= count; i += L) store(to + i, load_row<L>(from + i));
    for (; i < count; ++i) to[i] = float(from[i]);
}
template <class S>
TS_INLINE void write_run(S* to, int64_t count, const float* from) {
    constexpr int L = kLanes<float>;
    int64_t i = 0;
    for (; i + L <= count; i += L) store_row<L>(to + i, load<Vector<float, L>>(from + i));
    for (; i < count; ++i) to[i] = S(from[i]);
}
TS_INLINE void read_stored(const Stored& s, int64_t first, int64_t count, float* to) {
    if (s.half) read_run(static_cast<const bf16*>(s.from) + first, count, to);
    else read_run(static_cast<const float*>(s.from) + first, count, to);
}
TS_INLINE void write_stored(const Stored& s, int64_t first, int64_t count, const float* from) {
    if (s.half) write_run(static_cast<bf16*>(s.to) + first, count, from);
    else write_run(static_cast<float*>(s.to) + first, count, from);
}

// to[i] += what floats hold.
TS_INLINE void add_floats(const Stored& s, int64_t first, int64_t count, float* to) {
    const float* from = static_cast<const float*>(s.from) + first;
    for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}

constexpr int64_t kRun = 1024;  // values that pass through the first cache together

// Writes a run that is not read before it leaves the caches: past them where it is whole aligned lines.
TS_INLINE void stream_stored(const Stored& s, int64_t first, int64_t count, const float* from) {
    char* to = static_cast<char*>(s.to) + first * (s.half ? 2 : 4);
    if (reinterpret_cast<uintptr_t>(to) % 64 != 0 || count % 32 != 0) return write_stored(s, first, count, from);
    if (!s.half) return stream_row(reinterpret_cast<float*>(to), from, count);
    alignas(64) uint16_t narrowed[kRun];
    write_run(reinterpret_cast<bf16*>(narrowed), count, from);
    stream_row(reinterpret_cast<uint16_t*>(to), narrowed, count);
}

// Calls body with the element type of a Stored as a null pointer.
template <class Body>
TS_INLINE void by_type(const Stored& s, Body&& body) {
    if (s.half) body(static_cast<bf16*>(nullptr));
    else body(static_cast<float*>(nullptr));
}

// Calls body with the row width as a constant, or with 0.
template <class Body>
TS_INLINE void by_width(int64_t stride, Body&& body) {
    switch (stride) {
        case 1: return body(std::integral_constant<int, 1>{});
        case 2: return body(std::integral_constant<int, 2>{});
        case 4: return body(std::integral_constant<int, 4>{});
        case 8: return body(std::integral_constant<int, 8>{});
        case 16: return body(std::integral_constant<int, 16>{});
        case 32: return body(std::integral_constant<int, 32>{});
        case 64: return body(std::integral_constant<int, 64>{});
        default: return body(std::integral_constant<int, 0>{});
    }
}

template <class S, int Width>
TS_INLINE void copy_row(S* to, const S* from, int64_t stride) {
    if constexpr (Width) __builtin_memcpy(to, from, Width * sizeof(S));
    else __builtin_memcpy(to, from, size_t(stride) * sizeof(S));
}

// Whether rows of so many values may come in order.
template <class S, int Width>
constexpr bool kMayOrder = Width > 0 && int64_t(sizeof(S)) * Width <= kOrderedBytes;

constexpr int kTileChunk = 64;  // connections taken together

// Connections whose rows are under way while others are summed: enough to cover the latency of memory.
constexpr int64_t rows_ahead(int64_t bytes) { return bytes <= 64 ? 48 : bytes >= 512 ? 6 : 3072 / bytes; }

// Bytes: of the row where the compiler knows them, or 0.
template <int Bytes = 0>
TS_INLINE void fetch_row(const void* row, int64_t bytes) {
#pragma GCC unroll 8
    for (int64_t offset = 0; offset < (Bytes ? Bytes : bytes); offset += 64)
        __builtin_prefetch(static_cast<const char*>(row) + offset, 0, 3);
}

// Walks the connections of tiles first, first + 1, ... before last (`step` pointers apart) ahead of those being summed,
// and fetches their rows. A row of `rows` lies `row_bytes` (Bytes, where that is over 0) from the next; Shift: 0 for
// rows of inputs, 16 for rows of outputs. kNoRows: fetches none.
constexpr int kNoRows = -1;

template <int Bytes, int Shift>
struct Ahead {
    const uint32_t* packed;
    const int64_t* ptr;
    int64_t step, tile, last, k, end;
    const char* block;
    int64_t row_bytes, block_bytes;

    TS_INLINE Ahead(const uint32_t* packed_coordinates, const int64_t* pointers, int64_t pointer_step, int64_t first,
                    int64_t end_tile, const void* rows, int64_t bytes, int shift)
        : packed(packed_coordinates), ptr(pointers), step(pointer_step), tile(first), last(end_tile),
          k(pointers[first * pointer_step]), end(pointers[first * pointer_step + 1]),
          block(static_cast<const char*>(rows) + (first << shift) * bytes), row_bytes(bytes),
          block_bytes(bytes << shift) {}

    // Fetches the next connection's row; calls entered(tile) as a tile begins, and also(packed). False at the end.
    template <class Entered, class Also>
    TS_INLINE bool fetch(Entered&& entered, Also&& also) {
        while (k == end) {
            if (tile + 1 >= last) return false;
            ++tile;
            k = ptr[tile * step];
            end = ptr[tile * step + 1];
            block += block_bytes;
            entered(tile);
        }
        if constexpr (Bytes != kNoRows)
            fetch_row<Bytes>(block + int64_t((packed[k] >> Shift) & 0xFFFFu) * (Bytes ? Bytes : row_bytes), row_bytes);
        also(packed[k]);
        ++k;
        return true;
    }
};

}  // namespace ts::TS_ISA
