// Which connections a soft update of layers of different topologies keeps: exact selection in linear time. It reads the
// weights and writes nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "topology/mixed.hpp"

namespace ts {

// What becomes of t's connections, chunk by chunk; positions count from the chunk's first connection.
struct Choice {
    struct Chunk {
        std::vector<uint32_t> removed;  // of t, ascending
        std::vector<uint32_t> at, from;  // from s: before which of t's, and which of s's
    };
    std::vector<Chunk> chunks;
    int64_t removed = 0, added = 0;
    double threshold = 0;  // the largest magnitude that was removed
    std::shared_ptr<Difference> difference;  // of the result and s; null where nothing is removed or added

    bool changes() const { return removed > 0 || added > 0; }
};

// Removes the smallest magnitudes of the union until s's number of connections are left, of equal ones the first.
// expected: the threshold of the update before, or less than 0; it saves time where it is close, and changes no result.
template <class S>
Choice choose(const Mixed<S>& mixed, double expected, int threads);

}  // namespace ts
