// Choices within the block of one agent: those of prune.hpp, sampling.hpp and grow.hpp, for blocks so small that
// histograms and buffers of their own would take longer than the work.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "base/threads.hpp"
#include "isa/dispatch.hpp"
#include "topology/sampling.hpp"

namespace ts {

// |w| and the place of a value as one number: values order by magnitude, of equal ones the first comes first.
template <class T>
using MagnitudeKey = std::conditional_t<sizeof(T) == 4, uint64_t, unsigned __int128>;

template <class T>
MagnitudeKey<T> magnitude_key(T value, int64_t place, bool& negative) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    Bits bits;
    std::memcpy(&bits, &value, sizeof(bits));
    constexpr Bits sign = Bits(1) << (8 * sizeof(T) - 1);
    negative = bits & sign;
    return (MagnitudeKey<T>(bits & ~sign) << 32) | MagnitudeKey<T>(uint32_t(place));
}

// keep[k] = 0 for the `remove` least keys.
template <class Key>
void drop_least(Key* keys, int64_t count, int64_t remove, uint8_t* keep) {
    if (remove <= 0) return;
    if (remove < count) std::nth_element(keys, keys + (remove - 1), keys + count);
    for (int64_t i = 0; i < remove; ++i) keep[uint32_t(keys[i])] = 0;
}

template <class T>
struct PruneScratch {
    std::vector<MagnitudeKey<T>> keys;
};

// As keep_by_sign_magnitude; returns the number removed.
template <class T>
int64_t keep_signs(const T* value, int64_t count, double fraction, uint8_t* keep, PruneScratch<T>& scratch) {
    std::fill_n(keep, count, uint8_t(1));
    scratch.keys.resize(size_t(2 * count));
    MagnitudeKey<T>* keys[2] = {scratch.keys.data(), scratch.keys.data() + count};
    int64_t n[2] = {0, 0};
    for (int64_t k = 0; k < count; ++k) {
        bool negative;
        const auto key = magnitude_key(value[k], k, negative);
        keys[0][n[0]] = keys[1][n[1]] = key;  // without a branch: signs are as good as random
        n[0] += !negative;
        n[1] += negative;
    }
    int64_t removed = 0;
    for (int sign = 0; sign < 2; ++sign) {
        const int64_t remove = int64_t(std::floor(fraction * double(n[sign])));
        drop_least(keys[sign], n[sign], remove, keep);
        removed += remove;
    }
    return removed;
}

// As keep_by_magnitude of one layer.
template <class T>
void keep_largest(const T* value, int64_t count, int64_t remove, uint8_t* keep, PruneScratch<T>& scratch) {
    std::fill_n(keep, count, uint8_t(1));
    scratch.keys.resize(size_t(count));
    for (int64_t k = 0; k < count; ++k) {
        bool negative;
        scratch.keys[size_t(k)] = magnitude_key(value[k], k, negative);
    }
    drop_least(scratch.keys.data(), count, remove, keep);
}

// The numbers of sample_distinct, ascending in `out`: the same draws, marked as bits where few words hold the range.
inline void draw_distinct(int64_t count, int64_t bound, uint64_t key, std::vector<uint64_t>& bits,
                          std::vector<int64_t>& out) {
    out.clear();
    if (count == 0) return;
    const int64_t words = (bound + 63) / 64;
    if (words > count * 8 + 64) {
        numbered_anew([&] {
            const Buffer<uint64_t> drawn = sample_distinct(uint64_t(count), uint64_t(bound), key, 1);
            out.assign(drawn.data(), drawn.data() + count);
        });
        return;
    }
    const bool absent = count > bound / 2;  // those that are not chosen are drawn
    const int64_t wanted = absent ? bound - count : count;
    const Philox random{key};
    bits.assign(size_t(words), absent ? ~uint64_t(0) : 0);
    if (absent && bound % 64) bits.back() = (uint64_t(1) << (bound % 64)) - 1;
    uint64_t drawn = 0;
    for (int64_t size = 0; size < wanted;) {
        const uint64_t missing = uint64_t(wanted - size);
        for (uint64_t t = 0; t < missing; ++t) {
            const uint64_t value = random.below(drawn + t, uint64_t(bound));
            uint64_t& word = bits[size_t(value / 64)];
            const uint64_t bit = uint64_t(1) << (value % 64);
            size += ((word & bit) != 0) == absent;
            word = absent ? word & ~bit : word | bit;
        }
        drawn += missing;
    }
    for (int64_t w = 0; w < words; ++w)
        for (uint64_t left = bits[size_t(w)]; left; left &= left - 1) out.push_back(w * 64 + std::countr_zero(left));
}

// A place and its score as one number: the larger score comes first, of equal ones the first place. Place: uint32_t
// where that is enough.
template <class T, class Place>
struct Candidate {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    static constexpr int kPlaceBits = 8 * int(sizeof(Place));
    using Key = std::conditional_t<(sizeof(T) + sizeof(Place) > 8), unsigned __int128, uint64_t>;

    static Key key(T score, int64_t place) {
        Bits bits;
        std::memcpy(&bits, &score, sizeof(bits));
        return (Key(Bits(~bits)) << kPlaceBits) | Key(Place(place));
    }
    static T score(Key key) {
        const Bits bits = Bits(~Bits(key >> kPlaceBits));
        T value;
        std::memcpy(&value, &bits, sizeof(bits));
        return value;
    }
};

// As grow_by_gradient, of one block: `taken(row, column0, width, scores)` marks places that are not empty by NaN. The
// places (row * n_out + column) are left ascending in `out`; fewer than count where the gradient is not finite.
template <class T, class Place, class Taken>
void largest_gradients(const T* x, const T* dy, int64_t stride, int64_t n_in, int64_t n_out, int64_t count,
                       std::vector<typename Candidate<T, Place>::Key>& held, std::vector<int64_t>& out, Taken&& taken) {
    using C = Candidate<T, Place>;
    out.clear();
    if (count == 0) return;
    const int64_t room = 2 * count + 1024;
    held.resize(size_t(room + kTileColumns));
    int64_t n = 0;
    const auto cut = [&] {
        std::nth_element(held.begin(), held.begin() + (count - 1), held.begin() + n);
        n = count;
    };
    const auto tile_of = growth_kernels<T>().gradient_tile;
    alignas(64) T tile[kTileRows * kTileColumns];
    T floor = 0;
    for (int64_t row0 = 0; row0 < n_in; row0 += kTileRows) {
        const int64_t height = std::min(kTileRows, n_in - row0);
        for (int64_t column0 = 0; column0 < n_out; column0 += kTileColumns) {
            const int64_t width = std::min(kTileColumns, n_out - column0);
            tile_of(x + row0 * stride, dy + column0 * stride, stride, height, width, tile);
            for (int64_t r = 0; r < height; ++r) {
                T* scores = tile + r * kTileColumns;
                taken(row0 + r, column0, width, scores);
                for (int64_t c = 0; c < width; ++c) {  // without branches
                    const T score = std::abs(scores[c]);
                    held[size_t(n)] = C::key(score, (row0 + r) * n_out + column0 + c);
                    n += score >= floor;
                }
                if (n < room) continue;
                cut();
                floor = C::score(held[size_t(count - 1)]);
            }
        }
    }
    if (n > count) cut();
    for (int64_t i = 0; i < n; ++i) out.push_back(int64_t(Place(held[size_t(i)])));
    std::sort(out.begin(), out.end());
}

}  // namespace ts
