// Where two sets of connections differ, in a form that is walked along both without looking at an index. Linear in
// connections; the result takes 4 bytes per connection that only one of them has.
#pragma once

#include <cstdint>
#include <vector>

#include "topology/mixing.hpp"

namespace ts {

// Chunks are whole rows, cut at places that depend on the two sets alone.
struct Difference {
    int64_t first_only = 0, second_only = 0;
    int64_t first_size = 0, second_size = 0;
    std::vector<int64_t> row;     // chunk c is rows [row[c], row[c + 1])
    std::vector<int64_t> start;   // and events [start[c], start[c + 1])
    std::vector<uint32_t> event;

    int64_t chunks() const { return int64_t(row.size()) - 1; }
};

Difference difference(const SortedRows& first, const SortedRows& second, int threads);

// Fills in the events, and the counts that follow from them, from those of each chunk.
struct EventList {
    const uint32_t* event = nullptr;
    int64_t count = 0;
};
void join_events(Difference& difference, const std::vector<EventList>& lists, int threads);

// Appends a run and what follows it.
inline void append_event(std::vector<uint32_t>& events, int64_t run, Event what) {
    for (; run > kLongestRun; run -= kLongestRun) events.push_back(kLongestRun << 2);
    if (run > 0 || what != kRunOnly) events.push_back(uint32_t(run) << 2 | what);
}

}  // namespace ts
