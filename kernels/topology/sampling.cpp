#include "topology/sampling.hpp"

#include <algorithm>
#include <vector>

#include "base/bfloat16.hpp"
#include "base/threads.hpp"

namespace ts {
namespace {

// Sorts values spread evenly over [low, low + range): by their expected positions first, then by insertion.
void sort_even(uint64_t* values, int64_t count, uint64_t low, uint64_t range, std::vector<uint64_t>& copy,
               std::vector<int32_t>& slot) {
    if (count < 32) return std::sort(values, values + count);
    const double scale = double(count) / double(range);
    const auto slot_of = [&](uint64_t v) { return std::min(int64_t(double(v - low) * scale), count - 1); };
    slot.assign(size_t(count) + 1, 0);
    copy.assign(values, values + count);
    for (uint64_t v : copy) ++slot[size_t(slot_of(v)) + 1];
    for (int64_t i = 0; i < count; ++i) slot[size_t(i) + 1] += slot[size_t(i)];
    for (uint64_t v : copy) values[slot[size_t(slot_of(v))]++] = v;
    for (int64_t i = 1; i < count; ++i) {
        const uint64_t v = values[i];
        int64_t j = i;
        for (; j > 0 && values[j - 1] > v; --j) values[j] = values[j - 1];
        values[j] = v;
    }
}

// Candidates [first, first + count) of a stream over [0, bound), sorted, repeats kept once. They are
// distributed over buckets of neighbouring values (drawn twice rather than stored), then sorted in cache.
Buffer<uint64_t> sorted_candidates(uint64_t first, uint64_t count, uint64_t bound, const Philox& random, int threads) {
    const int64_t buckets = std::clamp<int64_t>(int64_t(count / 4096), 1, 4096);
    const int64_t workers = std::max(1, threads_for(int64_t(count) * 32, threads));
    const auto bucket_of = [&](uint64_t v) { return int64_t((unsigned __int128)v * uint64_t(buckets) / bound); };
    std::vector<int64_t> cursor(size_t(workers * buckets), 0);
    Buffer<uint64_t> out{int64_t(count)};

    parallel_for(workers, int(workers), [&](int64_t w) {
        int64_t* mine = cursor.data() + w * buckets;
        const int64_t end = range_start(int64_t(count), workers, w + 1);
        for (int64_t t = range_start(int64_t(count), workers, w); t < end; ++t)
            ++mine[bucket_of(random.below(first + uint64_t(t), bound))];
    });
    std::vector<int64_t> start(size_t(buckets + 1), 0);
    int64_t total = 0;
    for (int64_t b = 0; b < buckets; ++b) {
        start[b] = total;
        for (int64_t w = 0; w < workers; ++w) total += std::exchange(cursor[w * buckets + b], total);
    }
    start[buckets] = total;
    parallel_for(workers, int(workers), [&](int64_t w) {
        int64_t* mine = cursor.data() + w * buckets;
        const int64_t end = range_start(int64_t(count), workers, w + 1);
        for (int64_t t = range_start(int64_t(count), workers, w); t < end; ++t) {
            const uint64_t v = random.below(first + uint64_t(t), bound);
            out[mine[bucket_of(v)]++] = v;
        }
    });
    std::vector<int64_t> distinct(size_t(buckets), 0);
    std::vector<std::vector<uint64_t>> copies(static_cast<size_t>(workers));
    std::vector<std::vector<int32_t>> slots(static_cast<size_t>(workers));
    parallel_for(buckets, int(workers), [&](int64_t b) {
        uint64_t* begin = out.data() + start[b];
        uint64_t* end = out.data() + start[b + 1];
        const size_t t = size_t(current_thread());
        const auto lowest = [&](int64_t bucket) {  // ceil(bucket * bound / buckets)
            return uint64_t(((unsigned __int128)bound * uint64_t(bucket) + uint64_t(buckets) - 1) / uint64_t(buckets));
        };
        sort_even(begin, end - begin, lowest(b), lowest(b + 1) - lowest(b), copies[t], slots[t]);
        distinct[b] = std::unique(begin, end) - begin;
    });
    int64_t size = distinct[0];
    for (int64_t b = 1; b < buckets; ++b) {
        if (size != start[b]) std::copy_n(out.data() + start[b], distinct[b], out.data() + size);
        size += distinct[b];
    }
    out.truncate(size);
    return out;
}

// The numbers of [0, bound) that are not in `absent` (ascending).
Buffer<uint64_t> complement(const Buffer<uint64_t>& absent, uint64_t bound, int threads) {
    Buffer<uint64_t> out{int64_t(bound) - absent.size()};
    parallel_ranges(int64_t(bound), threads_for(int64_t(bound), threads), [&](int64_t begin, int64_t end) {
        const uint64_t* skip = std::lower_bound(absent.data(), absent.data() + absent.size(), uint64_t(begin));
        const uint64_t* last = absent.data() + absent.size();
        int64_t at = begin - (skip - absent.data());
        for (uint64_t v = uint64_t(begin); v < uint64_t(end); ++v) {
            if (skip != last && *skip == v) ++skip;
            else out[at++] = v;
        }
    });
    return out;
}

}  // namespace

int64_t join(uint64_t* set, int64_t size, uint64_t* fresh, int64_t count) {
    // A few new values are searched for one by one, many by one walk along both.
    const uint64_t* at = set;
    const uint64_t* end = set + size;
    const bool few = count < size / 64;
    const int64_t added = std::remove_if(fresh, fresh + count, [&](uint64_t v) {
        if (few) at = std::lower_bound(at, end, v);
        else
            while (at != end && *at < v) ++at;
        return at != end && *at == v;
    }) - fresh;
    int64_t i = size - 1, j = added - 1, k = size + added - 1;
    while (j >= 0) {
        if (i >= 0 && set[i] > fresh[j]) set[k--] = set[i--];
        else set[k--] = fresh[j--];
    }
    return added;
}

// Sequential rejection sampling (draw until `count` distinct numbers are there) is exactly uniform; this
// is that process with the draws taken in rounds, each of as many as are still missing.
Buffer<uint64_t> sample_distinct(uint64_t count, uint64_t bound, uint64_t key, int threads) {
    if (count > bound / 2) return complement(sample_distinct(bound - count, bound, key, threads), bound, threads);
    const Philox random{key};
    Buffer<uint64_t> set{int64_t(count)};
    if (count == 0) return set;
    uint64_t drawn = 0;
    int64_t size = 0;
    while (size < int64_t(count)) {
        const uint64_t missing = count - uint64_t(size);
        Buffer<uint64_t> fresh = sorted_candidates(drawn, missing, bound, random, threads);
        drawn += missing;
        if (size == 0) {
            std::copy_n(fresh.data(), fresh.size(), set.data());
            size = fresh.size();
            continue;
        }
        size += join(set.data(), size, fresh.data(), fresh.size());
    }
    return set;
}

Positions sample_empty(const Connections& existing, int64_t columns, const uint8_t* keep, const int64_t* kept_ptr,
                       int64_t count, uint64_t key, int threads) {
    const int64_t rows = existing.rows;
    const uint64_t empty = uint64_t(rows) * uint64_t(columns) - uint64_t(kept_ptr[rows]);
    const Buffer<uint64_t> ranks = sample_distinct(uint64_t(count), empty, key, threads);
    Positions out{Buffer<int64_t>(rows + 1), Buffer<int32_t>(count)};
    out.ptr[0] = 0;
    // Empty places are numbered row by row; row r's begin at r * columns - kept_ptr[r]. Within a row, the
    // column of empty place e is e plus the number of kept columns at or before it.
    parallel_ranges(rows, threads_for((rows + existing.ptr[rows] + count) * 4, threads),
                    [&](int64_t begin, int64_t end) {
        int64_t at = std::lower_bound(ranks.data(), ranks.data() + count,
                                      uint64_t(begin) * uint64_t(columns) - uint64_t(kept_ptr[begin])) -
                     ranks.data();
        for (int64_t r = begin; r < end; ++r) {
            const uint64_t row_start = uint64_t(r) * uint64_t(columns) - uint64_t(kept_ptr[r]);
            const int64_t room = columns - (kept_ptr[r + 1] - kept_ptr[r]);
            int64_t k = existing.ptr[r], shift = 0;
            for (; at < count && ranks[at] - row_start < uint64_t(room); ++at) {
                const int64_t place = int64_t(ranks[at] - row_start);
                for (; k < existing.ptr[r + 1]; ++k) {
                    if (keep && !keep[k]) continue;
                    if (existing.index[k] > place + shift) break;
                    ++shift;
                }
                out.index[at] = int32_t(place + shift);
            }
            out.ptr[r + 1] = at;
        }
    });
    return out;
}

template <class T>
void draw_weights(T* out, int64_t count, Draw kind, const WeightScale& scale, const int32_t* output,
                  const int64_t* fan_in, uint64_t key, int threads) {
    parallel_ranges((count + 1) / 2, threads_for(count * 32, threads), [&](int64_t begin, int64_t end) {
        WeightStream stream(kind, key);
        for (int64_t k = 2 * begin; k < std::min(2 * end, count); ++k)
            out[k] = T(stream.at(k) * scale.of(scale.by_fan_in ? fan_in[output[k]] : 0));
    });
}
template void draw_weights(bf16*, int64_t, Draw, const WeightScale&, const int32_t*, const int64_t*, uint64_t, int);
template void draw_weights(float*, int64_t, Draw, const WeightScale&, const int32_t*, const int64_t*, uint64_t, int);
template void draw_weights(double*, int64_t, Draw, const WeightScale&, const int32_t*, const int64_t*, uint64_t, int);

int64_t first_invalid(const Connections& connections, int64_t columns) {
    for (int64_t r = 0; r < connections.rows; ++r)
        for (int64_t k = connections.ptr[r]; k < connections.ptr[r + 1]; ++k) {
            const int64_t c = connections.index[k];
            if (c < 0 || c >= columns || (k > connections.ptr[r] && c <= connections.index[k - 1])) return k;
        }
    return -1;
}

}  // namespace ts
