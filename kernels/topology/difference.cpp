#include "topology/difference.hpp"

#include <algorithm>

#include "base/buffer.hpp"
#include "base/threads.hpp"
#include "isa/dispatch.hpp"

namespace ts {
namespace {

constexpr int64_t kChunk =
    1 << 15;  // connections of both sets, and rows: a chunk's values stay in the second-level cache

int64_t cost_before(const SortedRows& a, const SortedRows& b, int64_t row) { return a.ptr[row] + b.ptr[row] + row; }

std::vector<int64_t> cut_into_chunks(const SortedRows& a, const SortedRows& b) {
    const int64_t total = cost_before(a, b, a.rows), chunks = std::max<int64_t>(1, (total + kChunk - 1) / kChunk);
    std::vector<int64_t> row(size_t(chunks + 1));
    for (int64_t c = 1; c < chunks; ++c) {
        int64_t low = row[c - 1], high = a.rows;
        while (low < high) {
            const int64_t middle = low + (high - low) / 2;
            if (cost_before(a, b, middle) < c * kChunk) low = middle + 1;
            else high = middle;
        }
        row[c] = low;
    }
    row[chunks] = a.rows;
    return row;
}

}  // namespace

void join_events(Difference& d, const std::vector<EventList>& lists, int threads) {
    const int64_t chunks = d.chunks();
    d.start.assign(size_t(chunks + 1), 0);
    for (int64_t c = 0; c < chunks; ++c) d.start[c + 1] = d.start[c] + lists[c].count;
    d.event.resize(size_t(d.start[chunks]));
    std::vector<int64_t> first(size_t(chunks), 0), second(size_t(chunks), 0);
    parallel_for(chunks, threads_for(d.start[chunks] * 2, threads), [&](int64_t c) {
        const EventList& list = lists[c];
        std::copy_n(list.event, list.count, d.event.begin() + d.start[c]);
        int64_t of_first = 0, of_second = 0;
        for (int64_t e = 0; e < list.count; ++e) {
            of_first += (list.event[e] & 3) == kFirstOnly;
            of_second += (list.event[e] & 3) == kSecondOnly;
        }
        first[c] = of_first;
        second[c] = of_second;
    });
    d.first_only = d.second_only = 0;
    for (int64_t c = 0; c < chunks; ++c) {
        d.first_only += first[c];
        d.second_only += second[c];
    }
}

Difference difference(const SortedRows& a, const SortedRows& b, int threads) {
    Difference d;
    d.first_size = a.size();
    d.second_size = b.size();
    d.row = cut_into_chunks(a, b);
    const int64_t chunks = d.chunks();
    threads = threads_for((a.size() + b.size() + a.rows) * 4, threads);
    // As many events as connections, one at the end, and one more for each cut of a very long run.
    const auto most = [&](int64_t c) {
        const int64_t both = a.ptr[d.row[c + 1]] - a.ptr[d.row[c]] + b.ptr[d.row[c + 1]] - b.ptr[d.row[c]];
        return both + 16 + (both >> 20);
    };
    int64_t largest = 0;
    for (int64_t c = 0; c < chunks; ++c) largest = std::max(largest, most(c));
    Buffer<uint32_t> scratch(largest * threads);
    std::vector<std::vector<uint32_t>> events(static_cast<size_t>(chunks));
    const auto walk = walk_kernels().walk;
    parallel_for(chunks, threads, [&](int64_t c) {
        uint32_t* mine = scratch.data() + current_thread() * largest;
        events[c].assign(mine, mine + walk(a, b, d.row[c], d.row[c + 1], mine));
    });
    std::vector<EventList> lists;
    for (const auto& list : events) lists.push_back({list.data(), int64_t(list.size())});
    join_events(d, lists, threads);
    return d;
}

}  // namespace ts
