#include "topology/reindex.hpp"

#include <algorithm>

#include "base/threads.hpp"
#include "isa/dispatch.hpp"

namespace ts {
namespace {

// Connections removed and added, by input, with their outputs ascending.
struct Edits {
    Buffer<int64_t> ptr;
    Buffer<int32_t> output;
    Buffer<uint32_t> position;  // in the result, of those added; kRemoved of the others
};
constexpr uint32_t kRemoved = ~uint32_t(0);  // no position: there are at most 2^32 - 1 connections

Edits edits_of(const Choice& choice, const SortedRows& t, const SortedRows& s, const SortedRows& result) {
    const Difference& d = *choice.difference;
    Edits edits{Buffer<int64_t>(t.rows + 1), Buffer<int32_t>(choice.removed + choice.added),
                Buffer<uint32_t>(choice.removed + choice.added)};
    edits.ptr[0] = 0;
    int64_t at = 0;
    for (int64_t c = 0; c < d.chunks(); ++c) {
        const Choice::Chunk& chosen = choice.chunks[c];
        const int64_t t0 = t.ptr[d.row[c]], s0 = s.ptr[d.row[c]], r0 = result.ptr[d.row[c]];
        const size_t removed = chosen.removed.size(), added = chosen.at.size();
        size_t k = 0, x = 0;
        for (int64_t row = d.row[c]; row < d.row[c + 1]; ++row) {
            const int64_t t_end = t.ptr[row + 1] - t0, s_end = s.ptr[row + 1] - s0;
            for (;;) {
                const bool goes = k < removed && chosen.removed[k] < t_end, comes = x < added && chosen.from[x] < s_end;
                if (!goes && !comes) break;
                if (comes && (!goes || chosen.at[x] <= chosen.removed[k])) {
                    edits.output[at] = int32_t(s.number[s0 + chosen.from[x]]);
                    edits.position[at++] = uint32_t(r0 + chosen.at[x] + int64_t(x) - int64_t(k));
                    ++x;
                } else {
                    edits.output[at] = int32_t(t.number[t0 + chosen.removed[k]]);
                    edits.position[at++] = kRemoved;
                    ++k;
                }
            }
            edits.ptr[row + 1] = at;
        }
    }
    return edits;
}

}  // namespace

Transposed reindex(const Choice& choice, const SortedRows& t, const SortedRows& s, const SortedRows& result,
                   const Connections& outputs, int threads) {
    const int64_t n_out = outputs.rows, n_in = t.rows, size = result.size();
    const Edits edits = edits_of(choice, t, s, result);
    const Transposed by_output = transpose({n_in, edits.ptr.data(), edits.output.data(), nullptr}, n_out, threads);
    const auto is_removed = [&](int64_t e) { return edits.position[by_output.position[e]] == kRemoved; };
    Transposed out{Buffer<int64_t>(n_out + 1), Buffer<int32_t>(size), Buffer<uint32_t>(size)};
    out.ptr[0] = 0;
    for (int64_t j = 0, e = 0, shift = 0; j < n_out; ++j) {
        for (; e < by_output.ptr[j + 1]; ++e) shift += is_removed(e) ? -1 : 1;
        out.ptr[j + 1] = outputs.ptr[j + 1] + shift;
    }
    const int64_t workers = std::min<int64_t>(threads_for(size * 4, threads), n_out);
    const auto copy = walk_kernels().shift;
    Buffer<uint32_t> shifts(n_in * workers);
    parallel_for(workers, int(workers), [&](int64_t w) {
        const int64_t begin = balanced_row(outputs.ptr, n_out, 1, workers, w);
        const int64_t end = balanced_row(outputs.ptr, n_out, 1, workers, w + 1);
        // What an input's positions shift by: in the rows before it, and by its own edits so far.
        uint32_t* shift = shifts.data() + w * n_in;
        for (int64_t i = 0; i < n_in; ++i) shift[i] = uint32_t(result.ptr[i] - t.ptr[i]);
        const auto edit = [&](int64_t e) { shift[by_output.index[e]] += is_removed(e) ? ~uint32_t(0) : 1; };
        for (int64_t e = 0; e < by_output.ptr[begin]; ++e) edit(e);
        int64_t from = outputs.ptr[begin], to = out.ptr[begin];
        const auto take = [&](int64_t stop) {
            copy(outputs.index + from, outputs.position + from, shift, stop - from, out.index.data() + to,
                 out.position.data() + to);
            to += stop - from;
            from = stop;
        };
        for (int64_t j = begin; j < end; ++j)
            for (int64_t e = by_output.ptr[j]; e < by_output.ptr[j + 1]; ++e) {
                const int32_t input = by_output.index[e];
                const int64_t low = std::max(from, outputs.ptr[j]);
                take(std::lower_bound(outputs.index + low, outputs.index + outputs.ptr[j + 1], input) - outputs.index);
                if (is_removed(e)) {
                    ++from;
                } else {
                    out.index[to] = input;
                    out.position[to++] = edits.position[by_output.position[e]];
                }
                edit(e);
            }
        take(outputs.ptr[end]);
    });
    return out;
}

}  // namespace ts
