// Whole passes of many networks of the same sizes on samples of their own: one network is loaded, computed and updated
// before the next, in memory for one network's activations on each thread.
#pragma once

#include <cmath>
#include <functional>
#include <vector>

#include "layer/compact_rows.hpp"
#include "layer/layer.hpp"
#include "layer/losses.hpp"

namespace ts {

// A block-diagonal layer, see fleet_passes.hpp.
template <class T>
struct FleetLayer {
    Connections by_output, by_input;  // by_output with positions
    Parameters<T> weights, biases;    // biases without values: none
    Activation activation = Activation::identity;
    double slope = 0;
    int64_t n_in = 0, n_out = 0, most_connections = 0;  // of one agent
    CompactRows outputs, inputs;
};

template <class T>
struct FleetNetwork {
    int64_t agents = 0;
    std::vector<FleetLayer<T>> layers;
};

// Puts the samples of an agent into rows x stride values, 0 in the padding.
template <class T>
using FleetLoader = std::function<void(int64_t agent, T* out)>;

// Where agents' samples lie, to be fetched ahead: `bytes` bytes each, `between` bytes apart. Null: nowhere near.
struct NearSamples {
    const char* first = nullptr;
    int64_t between = 0, bytes = 0;

    const char* of(int64_t agent) const { return first ? first + agent * between : nullptr; }
};

// What an update of all agents takes. Weights are those of one batch, the same for all agents.
template <class T>
struct FleetStep {
    int64_t batch = 0, stride = 0;
    FleetLoader<T> samples;
    NearSamples near;
    FleetLoader<T> targets;                    // where there are no labels
    const int32_t* labels = nullptr;           // agent i's begin at i * label_stride
    int64_t label_stride = 0;
    LossArgs<T> loss;                          // its kind and settings, and sample_weight
    std::vector<UpdateArgs<T>> weight_rules, bias_rules;  // of each layer
};

// One update of each agent, as its network alone would be updated. Adds the losses before it to `losses`; an agent for
// which that is not finite is left as it is.
template <class T>
void fleet_step(const FleetNetwork<T>& network, const FleetStep<T>& step, double* losses, int threads);

// Calls use(agent, outputs x stride values of the output layer) for each agent, on any thread.
template <class T>
void fleet_outputs(const FleetNetwork<T>& network, int64_t stride, const FleetLoader<T>& samples,
                   const NearSamples& near, const std::function<void(int64_t, T*)>& use, int threads);

}  // namespace ts
