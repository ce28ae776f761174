// Connections that lead nowhere after removal. Linear in connections.
#pragma once

#include <cstdint>
#include <vector>

#include "base/views.hpp"

namespace ts {

// One of several layers that follow one another: its rows are the columns of the one before.
struct Stage {
    Connections by_input;
    int64_t columns = 0;
    uint8_t* keep = nullptr;  // null: all connections remain, whatever leads to them
};

// Clears keep marks of connections into hidden neurons that have no outputs, from the last layer down, then of those
// out of hidden neurons that have no inputs, from the first layer up; after that no neuron has the one without the
// other but where a layer has no marks. Returns how many were cleared in each layer. (Zhang et al., ICLR 2024:
// percolation.)
std::vector<int64_t> percolate(const std::vector<Stage>& stages, int threads);

}  // namespace ts
