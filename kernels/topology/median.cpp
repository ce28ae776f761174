#include "topology/median.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "base/bfloat16.hpp"
#include "base/threads.hpp"

namespace ts {
namespace {

constexpr int64_t kBlock = 1 << 16;
constexpr int kDigit = 11;

template <class T>
using Bits = std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;

template <class T>
constexpr Bits<T> kSign = Bits<T>(Bits<T>(1) << (8 * sizeof(T) - 1));

// Bits that order as the values do: positive ones after negative ones, whose order is turned round.
template <class T>
Bits<T> ordered(T value) {
    Bits<T> bits;
    std::memcpy(&bits, &value, sizeof(bits));
    const auto sign = Bits<T>(Bits<T>(0) - (bits >> (8 * sizeof(T) - 1)));  // all ones for negative values
    return Bits<T>(bits ^ (sign | kSign<T>));
}

template <class T>
double value_of(Bits<T> bits) {
    bits = bits & kSign<T> ? Bits<T>(bits ^ kSign<T>) : Bits<T>(~bits);
    T value;
    std::memcpy(static_cast<void*>(&value), &bits, sizeof(bits));
    if constexpr (sizeof(T) == 2) return double(float(value));
    else return double(value);
}

// Calls body(begin, end, thread) for fixed blocks of [0, count).
template <class Body>
void for_blocks(int64_t count, int threads, Body&& body) {
    parallel_for((count + kBlock - 1) / kBlock, threads, [&](int64_t block) {
        body(block * kBlock, std::min(count, (block + 1) * kBlock), size_t(current_thread()));
    });
}

}  // namespace

template <class T>
double kept_median(const T* value, const uint8_t* keep, int64_t count, int threads) {
    using B = Bits<T>;
    threads = threads_for(count * 4, threads);
    std::vector<std::array<int64_t, size_t(1) << kDigit>> histograms{size_t(std::max(1, threads))};
    // Radix selection of the lower of the two in the middle: its bits, digit by digit from the top.
    int64_t kept = 0, rank = 0, here = 0;
    B lower = 0;
    for (int shift = 8 * int(sizeof(T)); shift > 0;) {
        const bool first = shift == 8 * int(sizeof(T));
        const int above = shift, digit = std::min(kDigit, shift);
        shift -= digit;
        for (auto& h : histograms) h.fill(0);
        const B mask = B((B(1) << digit) - 1);
        for_blocks(count, threads, [&](int64_t begin, int64_t end, size_t thread) {
            auto& histogram = histograms[thread];
            if (first) {
                for (int64_t k = begin; k < end; ++k)
                    histogram[size_t((ordered(value[k]) >> shift) & mask)] += keep[k] != 0;
            } else {
                for (int64_t k = begin; k < end; ++k) {  // few have the digits above
                    const B bits = ordered(value[k]);
                    if (B(bits >> above) == lower) histogram[size_t((bits >> shift) & mask)] += keep[k] != 0;
                }
            }
        });
        if (first) {
            for (const auto& h : histograms)
                for (const int64_t n : h) kept += n;
            if (kept == 0) return 0;
            rank = (kept - 1) / 2;
        }
        for (B part = 0;; ++part) {
            here = 0;
            for (const auto& h : histograms) here += h[size_t(part)];
            if (rank < here) {
                lower = B((lower << digit) | part);
                break;
            }
            rank -= here;
        }
    }
    if (kept % 2 || rank + 1 < here) return value_of<T>(lower);
    // The upper one is the least value above.
    std::vector<B> least(histograms.size(), std::numeric_limits<B>::max());
    for_blocks(count, threads, [&](int64_t begin, int64_t end, size_t thread) {
        B least_here = least[thread];
        for (int64_t k = begin; k < end; ++k) {  // without branches, as half of the values are above
            const B bits = ordered(value[k]);
            least_here = std::min(least_here, B(bits > lower && keep[k] ? bits : std::numeric_limits<B>::max()));
        }
        least[thread] = least_here;
    });
    const B upper = *std::min_element(least.begin(), least.end());
    return value_of<T>(lower) / 2 + value_of<T>(upper) / 2;
}

template double kept_median(const bf16*, const uint8_t*, int64_t, int);
template double kept_median(const float*, const uint8_t*, int64_t, int);
template double kept_median(const double*, const uint8_t*, int64_t, int);

}  // namespace ts
