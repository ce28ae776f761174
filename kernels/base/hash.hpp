// Random bits for the innermost loops, cheaper than Philox: a 64-bit mix selects a stream, a 32-bit finaliser gives its
// numbers. Internal linkage, as the loops are compiled once per instruction set.
#pragma once

#include <cstdint>

namespace ts {

struct HashStream {
    uint32_t first, second;
};

// Stream `number` of `key`: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
static inline __attribute__((always_inline)) HashStream hash_stream(uint64_t key, int64_t number) {
    uint64_t z = key + uint64_t(number + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return {uint32_t(z), uint32_t(z >> 32)};
}

// The stream's number at `position`, or at each of a vector of positions: two multiply-xorshift rounds.
template <class U32>
static inline __attribute__((always_inline)) U32 hash_at(HashStream stream, U32 position) {
    U32 x = position * 0x9E3779B9u + stream.first;
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= (x >> 15) ^ stream.second;
    x *= 0x846CA68Bu;
    return x ^ (x >> 16);
}

}  // namespace ts
