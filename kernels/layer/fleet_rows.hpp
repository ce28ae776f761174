// Loops over the rows of one agent of a fleet. A small network has short rows, of which the loops of layer.hpp spend
// most of their time at beginnings and ends, and where their lengths are guessed wrong; and so few neurons and
// connections that 16 bits number them. Sums are those of layer.hpp, bit for bit.
//
// Rows come in ascending order of their lengths, and are padded by connections that add -0, which changes no sum: their
// weight is -0, and the row that they gather is one more than there are neurons, of ones.
#pragma once

#include "layer/layer.hpp"

namespace ts {

// Rows that are summed side by side; they are padded to the same length.
constexpr int64_t kSideBySide = 4;
// Padded lengths are multiples of this.
constexpr int64_t kPadded = 2;

constexpr int64_t padded_length(int64_t length) { return (length + kPadded - 1) / kPadded * kPadded; }

// One agent's layer in the forward pass.
template <class T>
struct AgentForward {
    int64_t rows = 0;
    const uint16_t* row = nullptr;  // the neuron, in ascending order of lengths
    const uint16_t* length = nullptr;  // without padding
    const uint16_t* index = nullptr;  // inputs, row after row, padded to the length of the longest of kSideBySide
    const uint16_t* position = nullptr;  // where weights lie
    const T* weight = nullptr;  // and -0 after them
    const T* bias = nullptr;  // by neuron, or null
    const T* x = nullptr;  // inputs x stride, and a row of ones
    T* y = nullptr;  // outputs x stride
    int64_t stride = 0;
    Epilogue epilogue;
    const char* const* ahead = nullptr;  // lines to fetch, `each` of them per kSideBySide rows
    int64_t each = 0;
};

// The same in the backward pass.
template <class T>
struct AgentBackward {
    int64_t rows = 0, outputs = 0, connections = 0;
    const uint16_t* row = nullptr;  // the input, in ascending order of lengths
    const uint16_t* length = nullptr;  // padded
    const uint16_t* index = nullptr;  // outputs
    const uint16_t* position = nullptr;  // where weights lie
    const T* weight = nullptr;  // as they are before the update, and -0 after them
    Parameters<T> weights, biases;  // of this agent
    UpdateArgs<T> weight_update, bias_update;
    const T* dy = nullptr;  // outputs x stride, and a row of ones
    T* x = nullptr;
    T* dx = nullptr;  // null, or x itself
    int64_t stride = 0;
    Epilogue input;
    const char* const* ahead = nullptr;  // lines to fetch, `each` of them per row
    int64_t each = 0;
};

template <class T>
struct FleetKernels {
    // Strides that are multiples of this are taken.
    int64_t columns;
    void (*forward)(const AgentForward<T>&);
    // The same at a stride of 1.
    void (*forward_one)(const AgentForward<T>&);
    // lanes: lane_values for each connection; gradient: one value for each; both with room for one vector more than for
    // one connection more. row: `stride` values. Null where there are too few registers.
    void (*backward)(const AgentBackward<T>&, T* row, T* lanes, T* gradient);
    int64_t lane_values;
    void (*bias)(const AgentBackward<T>&);
    // out[f * stride + b] = from[b * features + f], 0 in the padding.
    void (*transpose)(const T* from, int64_t batch, int64_t features, T* out, int64_t stride);
};

}  // namespace ts
