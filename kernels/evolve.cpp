#include "evolve.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "threads.hpp"

namespace ts {
namespace {

constexpr int64_t kBlock = 1 << 16;  // weights counted together; fixed, so that ties break the same way
constexpr int kDigit = 11;

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

// The bits of |w|, which order as |w| does, and the sign.
template <class T>
Bits<T> magnitude_bits(T w, bool& negative) {
    Bits<T> bits;
    std::memcpy(&bits, &w, sizeof(bits));
    constexpr Bits<T> top = Bits<T>(1) << (8 * sizeof(T) - 1);
    negative = bits & top;
    return bits & ~top;
}

// The `rank` smallest magnitudes of one sign: all those under `threshold` and the first `ties` at it.
template <class B>
struct Cut {
    B threshold = 0;
    int64_t ties = 0;
};

// Radix selection: fixes the threshold digit by digit from the top, one counting pass a digit.
template <class T>
Cut<Bits<T>> select(const T* weight, int64_t count, bool sign, int64_t rank, int threads) {
    using B = Bits<T>;
    constexpr int width = 8 * int(sizeof(T)) - 1;
    if (rank == 0) return {};
    const int64_t blocks = (count + kBlock - 1) / kBlock;
    const int workers = threads_for(count * 4, threads);
    std::vector<std::array<int64_t, 1 << kDigit>> histograms(size_t(std::max(1, workers)));
    B prefix = 0;
    for (int shift = width; shift > 0;) {
        const int digit = std::min(kDigit, shift);
        shift -= digit;
        for (auto& h : histograms) h.fill(0);
        parallel_for(blocks, workers, [&](int64_t block) {
            auto& h = histograms[size_t(current_thread())];
            for (int64_t k = block * kBlock; k < std::min(count, (block + 1) * kBlock); ++k) {
                bool negative;
                const B bits = magnitude_bits(weight[k], negative);
                if (negative == sign && (bits >> (shift + digit)) == prefix)
                    ++h[size_t((bits >> shift) & ((B(1) << digit) - 1))];
            }
        });
        B value = 0;
        for (;; ++value) {
            int64_t here = 0;
            for (const auto& h : histograms) here += h[size_t(value)];
            if (rank <= here) break;
            rank -= here;
        }
        prefix = (prefix << digit) | value;
    }
    return {prefix, rank};
}

template <class Kept, class Grown>
inline void merge_row(const Connections& old, const uint8_t* keep, const Connections& grown, int64_t row, Kept&& on_kept,
                      Grown&& on_grown) {
    int64_t k = old.ptr[row], g = grown.ptr[row];
    const int64_t k_end = old.ptr[row + 1], g_end = grown.ptr[row + 1];
    for (;;) {
        while (k < k_end && !keep[k]) ++k;
        if (k == k_end) break;
        while (g < g_end && grown.index[g] < old.index[k]) on_grown(g++);
        on_kept(k++);
    }
    while (g < g_end) on_grown(g++);
}

}  // namespace

template <class T>
int64_t keep_by_sign_magnitude(const T* weight, int64_t count, double zeta, uint8_t* keep, int threads) {
    const int64_t blocks = (count + kBlock - 1) / kBlock;
    const int workers = threads_for(count * 4, threads);
    std::vector<int64_t> negatives(size_t(blocks), 0);
    parallel_for(blocks, workers, [&](int64_t block) {
        for (int64_t k = block * kBlock; k < std::min(count, (block + 1) * kBlock); ++k)
            negatives[size_t(block)] += std::signbit(weight[k]);
    });
    int64_t n_negative = 0;
    for (int64_t n : negatives) n_negative += n;
    const int64_t remove[2] = {int64_t(std::floor(zeta * double(count - n_negative))),
                               int64_t(std::floor(zeta * double(n_negative)))};
    const Cut<Bits<T>> cut[2] = {select(weight, count, false, remove[0], threads),
                                 select(weight, count, true, remove[1], threads)};

    // How many of each sign tie with the threshold in the blocks before.
    std::vector<std::array<int64_t, 2>> ties(size_t(blocks + 1), {0, 0});
    parallel_for(blocks, workers, [&](int64_t block) {
        std::array<int64_t, 2> here{0, 0};
        for (int64_t k = block * kBlock; k < std::min(count, (block + 1) * kBlock); ++k) {
            bool negative;
            const auto bits = magnitude_bits(weight[k], negative);
            here[negative] += bits == cut[negative].threshold;
        }
        ties[size_t(block + 1)] = here;
    });
    for (int64_t b = 0; b < blocks; ++b)
        for (int s = 0; s < 2; ++s) ties[size_t(b + 1)][s] += ties[size_t(b)][s];
    parallel_for(blocks, workers, [&](int64_t block) {
        std::array<int64_t, 2> seen = ties[size_t(block)];
        for (int64_t k = block * kBlock; k < std::min(count, (block + 1) * kBlock); ++k) {
            bool negative;
            const auto bits = magnitude_bits(weight[k], negative);
            const auto& c = cut[negative];
            const bool drop = remove[negative] > 0 &&
                              (bits < c.threshold || (bits == c.threshold && seen[negative]++ < c.ties));
            keep[k] = !drop;
        }
    });
    return remove[0] + remove[1];
}
template int64_t keep_by_sign_magnitude(const float*, int64_t, double, uint8_t*, int);
template int64_t keep_by_sign_magnitude(const double*, int64_t, double, uint8_t*, int);

Buffer<int64_t> kept_pointers(const Connections& con, const uint8_t* keep, int threads) {
    Buffer<int64_t> ptr(con.rows + 1);
    ptr[0] = 0;
    parallel_ranges(con.rows, threads_for(con.ptr[con.rows] * 2, threads), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            int64_t kept = 0;
            for (int64_t k = con.ptr[r]; k < con.ptr[r + 1]; ++k) kept += keep[k] != 0;
            ptr[r + 1] = kept;
        }
    });
    for (int64_t r = 0; r < con.rows; ++r) ptr[r + 1] += ptr[r];
    return ptr;
}

void rewire_index(const Connections& old, const uint8_t* keep, const Connections& grown, const Connections& target,
                  int32_t* index, int threads) {
    parallel_ranges(old.rows, threads_for(target.ptr[old.rows] * 4, threads), [&](int64_t begin, int64_t end) {
        int64_t at = target.ptr[begin];
        for (int64_t r = begin; r < end; ++r)
            merge_row(old, keep, grown, r, [&](int64_t k) { index[at++] = old.index[k]; },
                      [&](int64_t g) { index[at++] = grown.index[g]; });
    });
}

template <class T>
void rewire_values(const Connections& old, const uint8_t* keep, const Connections& grown, const Connections& target,
                   const T* values, const T* fresh, T* out, int threads) {
    parallel_ranges(old.rows, threads_for(target.ptr[old.rows] * 4, threads), [&](int64_t begin, int64_t end) {
        int64_t at = target.ptr[begin];
        for (int64_t r = begin; r < end; ++r)
            merge_row(old, keep, grown, r, [&](int64_t k) { out[at++] = values[k]; },
                      [&](int64_t g) { out[at++] = fresh ? fresh[g] : T(0); });
    });
}
template void rewire_values(const Connections&, const uint8_t*, const Connections&, const Connections&, const float*,
                            const float*, float*, int);
template void rewire_values(const Connections&, const uint8_t*, const Connections&, const Connections&, const double*,
                            const double*, double*, int);

}  // namespace ts
