#include "topology/local_community.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/threads.hpp"
#include "topology/rewire.hpp"
#include "topology/transpose.hpp"

namespace ts {
namespace {

constexpr int64_t kChunk = 1 << 12;  // draws a thread takes at a time
constexpr int64_t kFew = 1 << 8;  // draws of so many or less go one by one
constexpr int64_t kRepeats = 16;  // where fewer than one in so many draws is new, drawing ends

struct Owned {
    Buffer<int64_t> ptr;
    Buffer<int32_t> index;
    Connections view() const { return {ptr.size() - 1, ptr.data(), index.data(), nullptr}; }
};

// The connections that remain and those grown, merged.
Owned merge(const Connections& existing, const uint8_t* keep, const Connections& grown, int threads) {
    std::vector<uint8_t> all(keep ? 0 : size_t(existing.ptr[existing.rows]), 1);
    if (!keep) keep = all.data();
    Owned out{kept_pointers(existing, keep, threads), {}};
    for (int64_t r = 0; r <= existing.rows; ++r) out.ptr[r] += grown.ptr[r];
    out.index = Buffer<int32_t>(out.ptr[existing.rows]);
    rewire<float>(existing, keep, grown, {existing.rows, out.ptr.data(), nullptr, nullptr}, out.index.data(), nullptr,
                  0, threads);
    return out;
}

Positions as_positions(const uint64_t* place, int64_t count, int64_t rows, int64_t n_out, int threads) {
    Positions out{Buffer<int64_t>(rows + 1), Buffer<int32_t>(count)};
    out.ptr[0] = 0;
    parallel_ranges(rows, threads_for((rows + count) * 8, threads), [&](int64_t begin, int64_t end) {
        int64_t at = std::lower_bound(place, place + count, uint64_t(begin) * uint64_t(n_out)) - place;
        for (int64_t r = begin; r < end; ++r) {
            const uint64_t first = uint64_t(r) * uint64_t(n_out);
            for (; at < count && place[at] < first + uint64_t(n_out); ++at) out.index[at] = int32_t(place[at] - first);
            out.ptr[r + 1] = at;
        }
    });
    return out;
}

// The numbers of all parts, below `bound`, ascending and each once.
Buffer<uint64_t> sorted_once(const std::vector<std::vector<uint64_t>>& parts, uint64_t bound, int threads) {
    int64_t count = 0;
    for (const auto& part : parts) count += int64_t(part.size());
    const int64_t buckets = std::clamp<int64_t>(count / 2048, 1, 1 << 14), n_parts = int64_t(parts.size());
    const int workers = threads_for(count * 64, threads);
    const auto bucket_of = [&](uint64_t v) { return int64_t((unsigned __int128)v * uint64_t(buckets) / bound); };
    std::vector<int64_t> cursor(size_t(n_parts * buckets), 0), start(size_t(buckets) + 1, 0),
        distinct(size_t(buckets), 0);
    parallel_for(n_parts, workers, [&](int64_t p) {
        for (const uint64_t v : parts[size_t(p)]) ++cursor[size_t(p * buckets + bucket_of(v))];
    });
    int64_t total = 0;
    for (int64_t b = 0; b < buckets; ++b) {
        start[size_t(b)] = total;
        for (int64_t p = 0; p < n_parts; ++p) total += std::exchange(cursor[size_t(p * buckets + b)], total);
    }
    start[size_t(buckets)] = total;
    Buffer<uint64_t> out(count);
    parallel_for(n_parts, workers, [&](int64_t p) {
        for (const uint64_t v : parts[size_t(p)]) out[cursor[size_t(p * buckets + bucket_of(v))]++] = v;
    });
    parallel_for(buckets, workers, [&](int64_t b) {
        uint64_t *begin = out.data() + start[size_t(b)], *end = out.data() + start[size_t(b) + 1];
        std::sort(begin, end);
        distinct[size_t(b)] = std::unique(begin, end) - begin;
    });
    int64_t size = 0;
    for (int64_t b = 0; b < buckets; ++b) {
        if (size != start[size_t(b)])
            std::copy_n(out.data() + start[size_t(b)], distinct[size_t(b)], out.data() + size);
        size += distinct[size_t(b)];
    }
    out.truncate(size);
    return out;
}

// The set of places drawn so far.
struct Drawn {
    Buffer<uint64_t> place;
    int64_t size = 0;
    uint64_t draws = 0;
};

// Draws in rounds of as many as are missing: the set is that of drawing one by one until it is full. Ends before where
// most draws repeat themselves.
void draw_in_rounds(const PathSampler& sampler, uint64_t bound, Drawn& drawn, int threads) {
    for (int64_t missing; (missing = drawn.place.size() - drawn.size) > kFew;) {
        const int64_t chunks = (missing + kChunk - 1) / kChunk;
        const int workers = threads_for(missing * 256, threads);
        std::vector<std::vector<uint64_t>> found(static_cast<size_t>(workers));
        parallel_for(chunks, workers, [&](int64_t c) {
            std::vector<uint64_t>& mine = found[size_t(current_thread())];
            const int64_t end = std::min(missing, (c + 1) * kChunk);
            uint64_t group[PathSampler::kGroup];
            for (int64_t t = c * kChunk; t < end; t += PathSampler::kGroup) {
                const int64_t count = std::min(PathSampler::kGroup, end - t);
                sampler.draw(drawn.draws + uint64_t(t), count, group);
                std::copy_if(group, group + count, std::back_inserter(mine),
                             [](uint64_t place) { return place != PathSampler::kNone; });
            }
        });
        drawn.draws += uint64_t(missing);
        Buffer<uint64_t> fresh = sorted_once(found, bound, threads);
        const int64_t added = join(drawn.place.data(), drawn.size, fresh.data(), fresh.size());
        drawn.size += added;
        if (added < missing / kRepeats) return;
    }
}

// Draws the last few one by one.
void draw_rest(const PathSampler& sampler, Drawn& drawn) {
    const int64_t missing = drawn.place.size() - drawn.size;
    if (missing > kFew) return;
    std::vector<uint64_t> fresh;
    for (int64_t left = (missing + 16) * kRepeats; left > 0 && int64_t(fresh.size()) < missing; --left) {
        uint64_t place;
        sampler.draw(drawn.draws++, 1, &place);
        if (place == PathSampler::kNone) continue;
        if (std::binary_search(drawn.place.data(), drawn.place.data() + drawn.size, place)) continue;
        const auto at = std::lower_bound(fresh.begin(), fresh.end(), place);
        if (at == fresh.end() || *at != place) fresh.insert(at, place);
    }
    drawn.size += join(drawn.place.data(), drawn.size, fresh.data(), int64_t(fresh.size()));
}

}  // namespace

Positions grow_by_paths(const Connections& existing, int64_t n_out, const uint8_t* keep, int64_t count, Pick pick,
                        double max_paths, uint64_t key, int threads) {
    const int64_t rows = existing.rows;
    const uint64_t bound = uint64_t(rows) * uint64_t(n_out);
    const Philox::Block keys = Philox{key}(0);
    Drawn drawn{Buffer<uint64_t>(count), 0, 0};
    const std::vector<int64_t> none(size_t(rows) + 1, 0);
    if (count > 0) {
        Owned remaining;
        if (keep) remaining = merge(existing, keep, {rows, none.data(), nullptr, nullptr}, threads);
        const Connections by_input = keep ? remaining.view() : existing;
        Owned other;
        {
            Transposed transposed = transpose(by_input, n_out, threads);
            other = {std::move(transposed.ptr), std::move(transposed.index)};
        }
        const BothSides sides{by_input, other.view()};
        if (pick == Pick::sampled) {
            const PathSampler sampler(sides, n_out, keys.u64(0));
            if (sampler.any()) {
                draw_in_rounds(sampler, bound, drawn, threads);
                draw_rest(sampler, drawn);
            }
        }
        if (drawn.size < count && (pick == Pick::largest || count_paths(by_input, n_out) <= max_paths)) {
            Buffer<uint64_t> rest = pick_by_score(sides, n_out, drawn.place.data(), drawn.size, count - drawn.size,
                                                  pick, keys.u64(1), threads);
            drawn.size += join(drawn.place.data(), drawn.size, rest.data(), rest.size());
        }
    }
    Positions grown = as_positions(drawn.place.data(), drawn.size, rows, n_out, threads);
    if (drawn.size == count) return grown;
    const Connections chosen{rows, grown.ptr.data(), grown.index.data(), nullptr};
    const Owned taken = merge(existing, keep, chosen, threads);
    const Positions rest = sample_empty(taken.view(), n_out, nullptr, taken.ptr.data(), count - drawn.size,
                                        keys.u64(0) ^ keys.u64(1), threads);
    Owned all = merge(chosen, nullptr, {rows, rest.ptr.data(), rest.index.data(), nullptr}, threads);
    return {std::move(all.ptr), std::move(all.index)};
}

}  // namespace ts
