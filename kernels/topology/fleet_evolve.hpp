// Evolution of one layer of many independent networks (agents) of the same sizes in one call, each by its own counts
// and random streams. Linear in connections, except that growth by gradient looks at every place of each agent's block;
// it fails where fewer of these have a finite gradient than connections are to grow.
#pragma once

#include <vector>

#include "base/random.hpp"
#include "topology/blocks.hpp"
#include "topology/grow.hpp"

namespace ts {

enum class FleetPrune : int { sign_magnitude = 0, magnitude = 1 };

// What each agent loses and grows: as many connections as it loses.
template <class T>
struct FleetRule {
    FleetPrune prune = FleetPrune::sign_magnitude;
    double fraction = 0;
    const uint64_t* grow_keys = nullptr;  // of each agent, for growth at random; null: where |gradient| is largest
    GradientArgs<T> gradient;  // rows of all agents
    // Weights of new connections are drawn; null: they are zero, and a connection that is removed and chosen again
    // keeps its weight and state.
    const uint64_t* fresh_keys = nullptr;
    Draw draw = Draw::uniform;
    WeightScale scale;
    const double* added = nullptr;  // of each agent, in place of scale.added
};

// An array along the connections; the first one is the weights. New connections get 0, or the median over the agent's
// connections that remain.
template <class T>
struct FleetArray {
    const T* values = nullptr;
    bool median = false;
};

// The layer is not written to. Agent a's block becomes what the kernels of a single layer make of it, bit for bit, for
// any number of threads.
template <class T>
NewBlocks<T> fleet_evolve(const Blocks& layer, const FleetRule<T>& rule, const std::vector<FleetArray<T>>& arrays,
                          int threads);

}  // namespace ts
