// The loops of a soft update, t + tau * (s - t), and of walking along two sets of connections. Apart from
// difference.hpp and soft_update.hpp, as files compiled per instruction set use no containers.
#pragma once

#include <cstdint>
#include <type_traits>

#include "base/bfloat16.hpp"

namespace ts {

// Rows of ascending numbers: the columns of an indexed layer's rows, or the packed coordinates of a tiled layer's
// tiles.
struct SortedRows {
    int64_t rows = 0;
    const int64_t* ptr = nullptr;  // rows + 1
    const uint32_t* number = nullptr;

    int64_t size() const { return ptr[rows]; }
};

// An event is `run << 2 | what`: so many connections that both have, then one that only the first or only the second
// has, or none.
enum Event : uint32_t { kRunOnly = 0, kFirstOnly = 1, kSecondOnly = 2 };
constexpr uint32_t kLongestRun = (1u << 30) - 1;

// What is computed with: float for bfloat16.
template <class S>
using Computed = std::conditional_t<sizeof(S) == 8, double, float>;

// Magnitudes in the order of their bits: NaN is largest.
template <class C>
using MagnitudeBits = std::conditional_t<sizeof(C) == 8, int64_t, int32_t>;

// Values are copied in groups of so many: memory that runs are copied to has room for one group more.
constexpr int64_t kGroup = 32;

// One chunk of a Difference, with values of the two sets from the chunk's first on.
template <class S>
struct MixedChunk {
    const uint32_t* event = nullptr;
    int64_t events = 0;
    const S* t = nullptr;
    const S* s = nullptr;
    const S* s_end = nullptr;  // of all of s
};

template <class S>
struct MixingKernels {
    using C = Computed<S>;
    using Bits = MagnitudeBits<C>;
    // t[k] += tau * (s[k] - t[k]) for k in [0, count). To bfloat16: up or down at random, by key and first + k.
    void (*mix)(S* t, const S* s, int64_t count, int64_t first, C tau, uint64_t key);
    // out[k] = t[k] + tau * (s[k] - t[k]).
    void (*mixed)(const S* t, const S* s, int64_t count, C tau, C* out);
    // to[k] = from[k], rounded as `mix` does.
    void (*round)(const C* from, S* to, int64_t count, int64_t first, uint64_t key);
    // out = the chunk's values of the second set in the order of the first, 0 where it has none.
    void (*align)(const MixedChunk<S>& chunk, S* out);
    // The mixed magnitudes of connections that only one set has: values[place[k]], of t or (first: false) of s.
    void (*alone)(const S* values, const uint32_t* place, int64_t count, bool first, C tau, C* magnitude);
    // The mixed magnitudes whose bits are at most `most`, and their places.
    int64_t (*smallest)(const S* t, const S* s, int64_t count, C tau, Bits most, C* magnitude, uint32_t* place);
};

// What does not depend on the type of values.
struct WalkKernels {
    // The events of rows [begin, end); returns how many.
    int64_t (*walk)(const SortedRows& a, const SortedRows& b, int64_t begin, int64_t end, uint32_t* event);
    // Where connections lie that only one of the two sets has; returns how many. Room for one more.
    int64_t (*places)(const uint32_t* event, int64_t events, Event whose, uint32_t* place);
    // How many connections of either set come before each event, and in all: one more than events.
    void (*starts)(const uint32_t* event, int64_t events, uint32_t* first, uint32_t* second);
    // to_index[k] = index[k]; to_position[k] = position[k] + shift[index[k]].
    void (*shift)(const int32_t* index, const uint32_t* position, const uint32_t* shift, int64_t count,
                  int32_t* to_index, uint32_t* to_position);
};

}  // namespace ts
