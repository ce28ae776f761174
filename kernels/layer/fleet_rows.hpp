// Loops over the rows of one agent of a fleet. A small network has short rows, of which the loops of layer.hpp spend
// most of their time at beginnings and ends, and so few neurons and connections that 16 bits number them. Sums are
// those of layer.hpp, bit for bit.
#pragma once

#include "layer/layer.hpp"

namespace ts {

// One agent's layer in the forward pass. Outputs come in ascending order of their numbers of connections: several of
// one length are summed side by side, and lengths can be foreseen.
template <class T>
struct AgentForward {
    int64_t rows = 0;
    const uint16_t* row = nullptr;       // the neuron, in that order
    const uint16_t* length = nullptr;    // its connections
    const uint16_t* index = nullptr;     // inputs, row after row in that order
    const uint16_t* position = nullptr;  // where weights lie
    const T* weight = nullptr;
    const T* bias = nullptr;             // by neuron, or null
    const T* x = nullptr;                // inputs x stride
    T* y = nullptr;                      // outputs x stride
    int64_t stride = 0;
    Epilogue epilogue;
};

// The same in the backward pass, in the order of the inputs and of the weights.
template <class T>
struct AgentBackward {
    int64_t rows = 0, outputs = 0, connections = 0;
    const uint16_t* length = nullptr;  // connections of each input
    const uint16_t* index = nullptr;   // outputs
    Parameters<T> weights, biases;     // of this agent
    UpdateArgs<T> weight_update, bias_update;
    const T* dy = nullptr;
    T* x = nullptr;
    T* dx = nullptr;  // null, or x itself
    int64_t stride = 0;
    Epilogue input;
};

template <class T>
struct FleetKernels {
    // Strides that are multiples of this are taken.
    int64_t columns;
    void (*forward)(const AgentForward<T>&);
    // The same at a stride of 1.
    void (*forward_one)(const AgentForward<T>&);
    // lanes: lane_values for each connection; gradient: one value for each; both with room for one vector more. row:
    // `stride` values. Null where there are too few registers.
    void (*backward)(const AgentBackward<T>&, T* row, T* lanes, T* gradient);
    int64_t lane_values;
    void (*bias)(const AgentBackward<T>&);
    // out[f * stride + b] = from[b * features + f], 0 in the padding.
    void (*transpose)(const T* from, int64_t batch, int64_t features, T* out, int64_t stride);
};

}  // namespace ts
