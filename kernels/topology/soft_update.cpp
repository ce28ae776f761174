#include "topology/soft_update.hpp"

#include <algorithm>
#include <cstring>

#include "isa/dispatch.hpp"

namespace ts {
namespace {

// Places of a chunk's edits in order, those that are added first. Calls run(from, to) for what lies between, add(k) and
// remove().
template <class Run, class Add>
void over_edits(const Choice::Chunk& chosen, uint32_t size, Run&& run, Add&& add) {
    size_t k = 0, x = 0;
    uint32_t from = 0;
    while (k < chosen.removed.size() || x < chosen.at.size()) {
        if (x == chosen.at.size() || (k < chosen.removed.size() && chosen.removed[k] < chosen.at[x])) {
            run(from, chosen.removed[k]);
            from = chosen.removed[k++] + 1;
        } else {
            run(from, chosen.at[x]);
            from = chosen.at[x];
            add(x++);
        }
    }
    run(from, size);
}

// Row pointers of one chunk of the result, whose first connection is `at`.
template <class S>
void chunk_pointers(const Mixed<S>& m, const Choice::Chunk& chosen, int64_t c, int64_t at, int64_t* ptr) {
    const int64_t begin = m.difference.row[c], end = m.difference.row[c + 1];
    const int64_t t0 = m.t_ptr[begin], s0 = m.s_ptr[begin];
    int64_t shift = at - t0, k = 0, x = 0;
    const int64_t removed = int64_t(chosen.removed.size()), added = int64_t(chosen.from.size());
    for (int64_t row = begin; row < end; ++row) {
        for (; k < removed && chosen.removed[k] < m.t_ptr[row + 1] - t0; ++k) --shift;
        for (; x < added && chosen.from[x] < m.s_ptr[row + 1] - s0; ++x) ++shift;
        ptr[row + 1] = m.t_ptr[row + 1] + shift;
    }
}

// Copies in whole groups where there is room, as runs may be short.
template <class V>
void copy_run(V* to, const V* to_end, const V* from, const V* from_end, int64_t count) {
    if (to_end - to < count + kGroup || from_end - from < count + kGroup) {
        std::memcpy(to, from, size_t(count) * sizeof(V));
        return;
    }
    for (int64_t k = 0; k < count; k += kGroup) std::memcpy(to + k, from + k, kGroup * sizeof(V));
}

}  // namespace

template <class S>
void mix_where_kept(const Mixed<S>& m, S* t, uint64_t key, int threads) {
    threads = threads_of(m, threads);
    const MixingKernels<S>& kernels = mixing_kernels<S>();
    Scratch<S> aligned(largest_chunk(m), threads);
    parallel_for(m.difference.chunks(), threads, [&](int64_t c) {
        const MixedChunk<S> chunk = chunk_of(m, c);
        const int64_t first = m.t_ptr[m.difference.row[c]];
        kernels.align(chunk, aligned.mine());
        kernels.mix(t + first, aligned.mine(), t_size(m, c), first, m.tau, key);
    });
}

template <class S>
Merged<S> merge_chosen(const Mixed<S>& m, const Choice& choice, const uint32_t* t_number, const uint32_t* s_number,
                       bool indexed, uint64_t key, int threads) {
    using C = Computed<S>;
    const Difference& d = m.difference;
    const int64_t chunks = d.chunks(), rows = d.row[chunks], size = d.first_size - choice.removed + choice.added;
    threads = threads_of(m, threads);
    const MixingKernels<S>& kernels = mixing_kernels<S>();
    Merged<S> out;
    out.value = Buffer<S>(size);
    if (indexed) {
        out.ptr = Buffer<int64_t>(rows + 1);
        out.number = Buffer<uint32_t>(size);
        out.ptr[0] = 0;
    }
    std::vector<int64_t> start(size_t(chunks + 1), 0);
    int64_t largest = 0;
    for (int64_t c = 0; c < chunks; ++c) {
        const int64_t here =
            t_size(m, c) - int64_t(choice.chunks[c].removed.size()) + int64_t(choice.chunks[c].at.size());
        start[c + 1] = start[c] + here;
        largest = std::max(largest, here + kGroup);
    }
    Scratch<S> aligned(largest_chunk(m), threads);
    Scratch<C> mixed(largest_chunk(m), threads), values(largest, threads);
    parallel_for(chunks, threads, [&](int64_t c) {
        const MixedChunk<S> chunk = chunk_of(m, c);
        const Choice::Chunk& chosen = choice.chunks[c];
        const int64_t count = t_size(m, c), t0 = m.t_ptr[d.row[c]], s0 = m.s_ptr[d.row[c]];
        C* from = mixed.mine();
        kernels.align(chunk, aligned.mine());
        kernels.mixed(chunk.t, aligned.mine(), count, m.tau, from);
        C* to = values.mine();
        const C *to_end = to + largest, *from_end = from + count + kGroup;
        uint32_t* number = indexed ? out.number.data() + start[c] : nullptr;
        const uint32_t* number_end = indexed ? out.number.data() + start[c + 1] : nullptr;
        over_edits(chosen, uint32_t(count), [&](uint32_t begin, uint32_t end) {
            copy_run(to, to_end, from + begin, from_end, end - begin);
            to += end - begin;
            if (!indexed) return;
            copy_run(number, number_end, t_number + t0 + begin, t_number + d.first_size, end - begin);
            number += end - begin;
        }, [&](size_t x) {
            *to++ = C(0) + m.tau * C(chunk.s[chosen.from[x]]);
            if (indexed) *number++ = s_number[s0 + chosen.from[x]];
        });
        kernels.round(values.mine(), out.value.data() + start[c], start[c + 1] - start[c], start[c], key);
        if (indexed) chunk_pointers(m, chosen, c, start[c], out.ptr.data());
    });
    return out;
}

template <class S>
void mix(const std::vector<Pair<S>>& pairs, Computed<S> tau, int threads) {
    constexpr int64_t kBlock = 1 << 14;
    std::vector<std::pair<size_t, int64_t>> blocks;  // of which pair, from where on
    int64_t total = 0;
    for (size_t p = 0; p < pairs.size(); ++p) {
        total += pairs[p].count;
        for (int64_t k = 0; k < pairs[p].count; k += kBlock) blocks.emplace_back(p, k);
    }
    const auto loop = mixing_kernels<S>().mix;
    parallel_for(int64_t(blocks.size()), threads_for(total * 2, threads), [&](int64_t b) {
        const Pair<S>& pair = pairs[blocks[size_t(b)].first];
        const int64_t k = blocks[size_t(b)].second;
        loop(pair.t + k, pair.s + k, std::min(kBlock, pair.count - k), k, tau, pair.key);
    });
}

#define TS_INSTANTIATE(S)                                                                                             \
    template void mix_where_kept(const Mixed<S>&, S*, uint64_t, int);                                                 \
    template Merged<S> merge_chosen(const Mixed<S>&, const Choice&, const uint32_t*, const uint32_t*, bool, uint64_t, \
                                    int);                                                                             \
    template void mix(const std::vector<Pair<S>>&, Computed<S>, int);
TS_INSTANTIATE(bf16)
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
