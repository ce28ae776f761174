#include "topology/grow.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/threads.hpp"
#include "isa/dispatch.hpp"
#include "topology/best.hpp"

namespace ts {
namespace {

template <class T>
struct Candidate {
    T score;
    int64_t place;  // row * columns + column
    // Better ones first; places are distinct, so the best `count` are the same set in any order of candidates.
    bool operator<(const Candidate& other) const {
        return score > other.score || (score == other.score && place < other.place);
    }
};

}  // namespace

template <class T>
Positions grow_by_gradient(const Connections& existing, int64_t n_out, const uint8_t* keep, const GradientArgs<T>& args,
                           int64_t count, int threads) {
    const int64_t rows = existing.rows;
    Positions out{Buffer<int64_t>(rows + 1), Buffer<int32_t>(count)};
    std::fill_n(out.ptr.data(), rows + 1, 0);
    if (count == 0) return out;
    Best<Candidate<T>> best(count);
    const int64_t bands = (rows + kTileRows - 1) / kTileRows;
    const auto tile_of = growth_kernels<T>().gradient_tile;
    constexpr T taken = std::numeric_limits<T>::quiet_NaN();
    threads = threads_for(rows * n_out * args.stride, threads);
    parallel_for(bands, threads, [&](int64_t band) {
        const int64_t row0 = band * kTileRows, height = std::min(kTileRows, rows - row0);
        alignas(64) T tile[kTileRows * kTileColumns];
        int64_t cursor[kTileRows];
        std::copy_n(existing.ptr + row0, height, cursor);
        std::vector<Candidate<T>> found;
        for (int64_t column0 = 0; column0 < n_out; column0 += kTileColumns) {
            const int64_t width = std::min(kTileColumns, n_out - column0);
            tile_of(args.x + row0 * args.stride, args.dy + column0 * args.stride, args.stride, height, width, tile);
            found.clear();
            const T floor = best.floor();
            for (int64_t r = 0; r < height; ++r) {
                T* scores = tile + r * kTileColumns;
                for (int64_t& k = cursor[r]; k < existing.ptr[row0 + r + 1] && existing.index[k] < column0 + width; ++k)
                    if (!keep || keep[k]) scores[existing.index[k] - column0] = taken;
                for (int64_t c = 0; c < width; ++c)
                    if (std::abs(scores[c]) >= floor)
                        found.push_back({std::abs(scores[c]), (row0 + r) * n_out + column0 + c});
            }
            if (!found.empty()) best.offer(found);
        }
    });
    int64_t at = 0;
    for (const Candidate<T>& one : best.take()) {
        ++out.ptr[one.place / n_out + 1];
        out.index[at++] = int32_t(one.place % n_out);
    }
    for (int64_t r = 0; r < rows; ++r) out.ptr[r + 1] += out.ptr[r];
    out.index.truncate(at);
    return out;
}
template Positions grow_by_gradient(const Connections&, int64_t, const uint8_t*, const GradientArgs<float>&, int64_t,
                                    int);
template Positions grow_by_gradient(const Connections&, int64_t, const uint8_t*, const GradientArgs<double>&, int64_t,
                                    int);

void mark_empty(const Connections& existing, const uint8_t* keep, const Connections& candidates, uint8_t* mark,
                int threads) {
    const int64_t work = existing.ptr[existing.rows] + candidates.ptr[candidates.rows];
    parallel_ranges(existing.rows, threads_for(work * 4, threads), [&](int64_t begin, int64_t end) {
        int64_t k = existing.ptr[begin];
        for (int64_t r = begin; r < end; ++r) {
            for (int64_t c = candidates.ptr[r]; c < candidates.ptr[r + 1]; ++c) {
                while (k < existing.ptr[r + 1] && existing.index[k] < candidates.index[c]) ++k;
                const bool there = k < existing.ptr[r + 1] && existing.index[k] == candidates.index[c];
                mark[c] = !there || (keep && !keep[k]);
            }
            k = existing.ptr[r + 1];
        }
    });
}

}  // namespace ts
