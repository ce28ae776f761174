// Rows of a block-diagonal layer in 16 bits for each number.
#pragma once

#include <vector>

#include "base/views.hpp"

namespace ts {

// A layer's rows with 16 bits for each number, agent by agent, as the loops of fleet_rows.hpp take them. Empty where an
// agent has too many neurons or connections.
struct CompactRows {
    std::vector<int64_t> first;        // connection of each agent, and how many there are
    std::vector<int64_t> first_entry;  // of `index` and `position`, likewise
    std::vector<uint16_t> row, length, index, position;

    // rows: with positions, or those along which weights lie. sides: how many rows are padded together; padded: whether
    // `length` is.
    static CompactRows of(const Connections& rows, int64_t columns, int64_t agents, int64_t sides, bool padded,
                          int threads);
    bool empty() const { return row.empty(); }
};

}  // namespace ts
