#include "topology/prune.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "base/bfloat16.hpp"
#include "base/threads.hpp"

namespace ts {
namespace {

constexpr int64_t kBlock = 1 << 16;  // values counted together; fixed, so that ties break the same way
constexpr int kDigit = 11;

template <class T>
using Bits = std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;

// The bits of |w|, which order as |w| does, and the sign.
template <class T>
Bits<T> magnitude_bits(T w, bool& negative) {
    Bits<T> bits;
    std::memcpy(&bits, &w, sizeof(bits));
    constexpr Bits<T> top = Bits<T>(Bits<T>(1) << (8 * sizeof(T) - 1));
    negative = bits & top;
    return Bits<T>(bits & ~top);
}

template <class T>
std::vector<Marked<T>> cut_into_blocks(const std::vector<Marked<T>>& layers) {
    std::vector<Marked<T>> blocks;
    for (const Marked<T>& layer : layers)
        for (int64_t k = 0; k < layer.count; k += kBlock)
            blocks.push_back(
                {layer.value + k, layer.keep ? layer.keep + k : nullptr, std::min(kBlock, layer.count - k)});
    return blocks;
}

template <class T>
int workers_for(const std::vector<Marked<T>>& blocks, int threads) {
    return threads_for(int64_t(blocks.size()) * kBlock * 4, threads);
}

// The smallest magnitudes: all those under `threshold` and the first `ties` at it.
template <class B>
struct Cut {
    B threshold = 0;
    int64_t ties = 0;
};

// One cut for all values, or two: one for each sign.
template <int Cuts>
inline int cut_of(bool negative) {
    return Cuts == 1 ? 0 : int(negative);
}

// Radix selection of the rank[c] smallest magnitudes under each cut: fixes the thresholds digit by digit from the top,
// one counting pass per digit.
template <class T, int Cuts>
std::array<Cut<Bits<T>>, Cuts> select(const std::vector<Marked<T>>& blocks, const std::array<int64_t, Cuts>& ranks,
                                      int threads) {
    using B = Bits<T>;
    constexpr int width = 8 * int(sizeof(T)) - 1;
    const int workers = workers_for(blocks, threads);
    using Histogram = std::array<int64_t, size_t(Cuts) << kDigit>;
    std::vector<Histogram> histograms(size_t(std::max(1, workers)));
    std::array<Cut<B>, Cuts> cut{};
    for (int c = 0; c < Cuts; ++c) cut[c].ties = ranks[c];
    for (int shift = width; shift > 0;) {
        const int digit = std::min(kDigit, shift);
        shift -= digit;
        const bool first = shift + digit == width;
        for (auto& h : histograms) h.fill(0);
        parallel_for(int64_t(blocks.size()), workers, [&](int64_t b) {
            Histogram& h = histograms[size_t(current_thread())];
            const Marked<T>& block = blocks[size_t(b)];
            for (int64_t k = 0; k < block.count; ++k) {
                bool negative;
                const B bits = magnitude_bits(block.value[k], negative);
                const int c = cut_of<Cuts>(negative);
                if (first || (bits >> (shift + digit)) == cut[c].threshold)
                    ++h[(size_t(c) << kDigit) | size_t((bits >> shift) & ((B(1) << digit) - 1))];
            }
        });
        for (int c = 0; c < Cuts; ++c) {
            if (ranks[c] == 0) continue;
            B value = 0;
            for (;; ++value) {
                int64_t here = 0;
                for (const auto& h : histograms) here += h[(size_t(c) << kDigit) | size_t(value)];
                if (cut[c].ties <= here) break;
                cut[c].ties -= here;
            }
            cut[c].threshold = B((cut[c].threshold << digit) | value);
        }
    }
    return cut;
}

// Writes the keep mask: what lies below its cut is removed.
template <class T, int Cuts>
void mark(const std::vector<Marked<T>>& blocks, const std::array<Cut<Bits<T>>, Cuts>& cut, int threads) {
    const int workers = workers_for(blocks, threads);
    // How many tie with the threshold in the blocks before.
    std::vector<std::array<int64_t, Cuts>> ties(blocks.size() + 1);
    ties[0].fill(0);
    parallel_for(int64_t(blocks.size()), workers, [&](int64_t b) {
        std::array<int64_t, Cuts> here{};
        for (int64_t k = 0; k < blocks[size_t(b)].count; ++k) {
            bool negative;
            const auto bits = magnitude_bits(blocks[size_t(b)].value[k], negative);
            here[cut_of<Cuts>(negative)] += bits == cut[cut_of<Cuts>(negative)].threshold;
        }
        ties[size_t(b) + 1] = here;
    });
    for (size_t b = 0; b < blocks.size(); ++b)
        for (int c = 0; c < Cuts; ++c) ties[b + 1][c] += ties[b][c];
    parallel_for(int64_t(blocks.size()), workers, [&](int64_t b) {
        const Marked<T>& block = blocks[size_t(b)];
        std::array<int64_t, Cuts> seen = ties[size_t(b)];
        for (int64_t k = 0; k < block.count; ++k) {
            bool negative;
            const auto bits = magnitude_bits(block.value[k], negative);
            const int c = cut_of<Cuts>(negative);
            bool drop = bits < cut[c].threshold;
            if (bits == cut[c].threshold) drop = seen[c]++ < cut[c].ties;
            block.keep[k] = !drop;
        }
    });
}

}  // namespace

template <class T>
int64_t keep_by_sign_magnitude(const Marked<T>& layer, double zeta, int threads) {
    const std::vector<Marked<T>> blocks = cut_into_blocks<T>({layer});
    std::vector<int64_t> negatives(blocks.size(), 0);
    parallel_for(int64_t(blocks.size()), workers_for(blocks, threads), [&](int64_t b) {
        for (int64_t k = 0; k < blocks[size_t(b)].count; ++k) {
            bool negative;
            magnitude_bits(blocks[size_t(b)].value[k], negative);
            negatives[size_t(b)] += negative;
        }
    });
    int64_t n_negative = 0;
    for (int64_t n : negatives) n_negative += n;
    const int64_t positive = int64_t(std::floor(zeta * double(layer.count - n_negative)));
    const int64_t negative = int64_t(std::floor(zeta * double(n_negative)));
    mark<T, 2>(blocks, select<T, 2>(blocks, {positive, negative}, threads), threads);
    return positive + negative;
}

template <class T>
void keep_by_magnitude(const std::vector<Marked<T>>& layers, int64_t remove, int threads) {
    const std::vector<Marked<T>> blocks = cut_into_blocks(layers);
    mark<T, 1>(blocks, select<T, 1>(blocks, {remove}, threads), threads);
}

template <class T>
Smallest smallest_magnitudes(const std::vector<Marked<T>>& parts, int64_t rank, int threads) {
    int64_t values = 0;
    for (const Marked<T>& part : parts) values += part.count;
    const auto cut = select<T, 1>(cut_into_blocks(parts), {rank}, threads_for(values * 4, threads))[0];
    return {cut.threshold, cut.ties};
}

template int64_t keep_by_sign_magnitude(const Marked<bf16>&, double, int);
template int64_t keep_by_sign_magnitude(const Marked<float>&, double, int);
template int64_t keep_by_sign_magnitude(const Marked<double>&, double, int);
template void keep_by_magnitude(const std::vector<Marked<bf16>>&, int64_t, int);
template void keep_by_magnitude(const std::vector<Marked<float>>&, int64_t, int);
template void keep_by_magnitude(const std::vector<Marked<double>>&, int64_t, int);
template Smallest smallest_magnitudes(const std::vector<Marked<float>>&, int64_t, int);
template Smallest smallest_magnitudes(const std::vector<Marked<double>>&, int64_t, int);

}  // namespace ts
