// Passes of many networks of the same sizes, whose layers are block-diagonal: a few networks go through all layers
// before the next ones, so that what a layer leaves is near when the next one reads it.
#pragma once

#include <vector>

#include "layer/layer.hpp"

namespace ts {

// One pass of one fleet: a call for each layer, in the order in which a pass comes to them. Rows of agent i are
// [i, i + 1) * rows / agents, and its connections lead to its own neurons alone. No row is longer than kSegment.
template <class T>
using FleetForward = std::vector<ForwardArgs<T>>;
template <class T>
using FleetBackward = std::vector<BackwardArgs<T>>;

// Passes of several fleets side by side, which share nothing that they write. Every agent's sums are those of its
// network alone.
template <class T>
void fleet_forward(const std::vector<FleetForward<T>>& fleets, int64_t agents, int threads);
template <class T>
void fleet_backward(const std::vector<FleetBackward<T>>& fleets, int64_t agents, int threads);

// Whether a layer of `rows` rows and `columns` columns leads from each agent to its own neurons alone.
bool is_block_diagonal(const Connections& connections, int64_t columns, int64_t agents);

}  // namespace ts
