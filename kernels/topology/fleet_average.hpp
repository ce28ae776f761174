// Networks of neighbouring agents averaged: a connection over those of the group that have it, then pruned back to each
// agent's own number. Linear in the connections that are exchanged.
#pragma once

#include "topology/blocks.hpp"

namespace ts {

// How values are rounded when they are sent. An agent's own enter its average as they are.
enum class Sent : int { exact = 0, float32 = 1, bfloat16 = 2 };

template <class T>
struct FleetAverageArgs {
    const T* values = nullptr;
    std::vector<const T*> states;  // along the connections: they stay with a connection, and are 0 where it is new
    const T* bias = nullptr;  // of all agents' outputs; null: there are none
    const int64_t* group_ptr = nullptr;  // whose networks each agent averages, itself among them, ascending;
    const int32_t* group = nullptr;  // null: all agents'
    const double* weight = nullptr;  // of each agent
    Sent sent = Sent::bfloat16;
    bool own_topology = false;  // agents keep their connections; only arrays[0] and the biases are made then
};

template <class T>
struct FleetAverage {
    NewBlocks<T> blocks;
    Buffer<T> bias{0};
};

// Agent a gets, at each place that a group has a connection at, sum of weight * value over its owners / sum of their
// weights; and of these places as many as it had connections, the largest in magnitude (of equal ones the later). Sums
// are in double, in the order of agents: the same bits for any number of threads. Fails where an agent has values that
// are not finite.
template <class T>
FleetAverage<T> fleet_average(const Blocks& layer, const FleetAverageArgs<T>& args, int threads);

}  // namespace ts
