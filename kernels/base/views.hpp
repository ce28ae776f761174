// What every layer kernel takes. Nothing here owns memory.
//
// Activations lie neurons x batch: row i holds neuron i's values for the whole batch, `stride` values
// long (the batch size padded, see padded_batch). A connection is then one contiguous multiply-add.
#pragma once

#include <cstdint>

namespace ts {

// Rows of connections, sorted by column within a row. `ptr` has rows + 1 entries.
struct Connections {
    int64_t rows = 0;
    const int64_t* ptr = nullptr;
    const int32_t* index = nullptr;
    // Position of each connection's weight in the master arrays; null where they are in this order.
    const uint32_t* position = nullptr;
};

enum class Activation : int { identity = 0, leaky = 1, tanh = 2, sigmoid = 3, gelu = 4, silu = 5 };

// Whether the derivative is a function of the pre-activation; others have it from the activation or its bits.
constexpr bool needs_pre_activation(Activation kind) { return kind == Activation::gelu || kind == Activation::silu; }

// The activation and dropout of one layer's output, and the bits that its derivative needs later.
// Bit b of byte g of a row belongs to batch column 8 * g + b.
struct Epilogue {
    Activation kind = Activation::identity;
    double slope = 0;             // leaky: value of f'(x) for x <= 0
    uint8_t* positive = nullptr;  // leaky: pre-activation > 0; null at inference
    uint8_t* kept = nullptr;      // not dropped; null without dropout
    double keep_probability = 1;
    uint64_t key = 0;             // of the dropout stream
    void* pre = nullptr;          // where pre-activations are kept, laid out and held as the output; null: nowhere
};

enum class Update : int { none = 0, gradient = 1, sgd = 2, nesterov = 3, adam = 4 };

template <class T>
struct UpdateArgs {
    Update kind = Update::none;
    T learning_rate = 0, momentum = 0;
    T l2 = 0;     // added to the gradient, times the weight
    T decay = 0;  // fraction of the weight removed at each step
    T beta1 = 0, beta2 = 0, epsilon = 0, correction1 = 1, correction2 = 1;
    bool add = false;  // to the gradient comes what Parameters::gradient holds: that of the batch's earlier parts
};

// One group of parameters with its optimizer state, all in master order.
template <class T>
struct Parameters {
    T* value = nullptr;
    T* slot0 = nullptr;
    T* slot1 = nullptr;
    T* gradient = nullptr;  // Update::gradient writes here and touches nothing else; see UpdateArgs::add
};

// 1, 2, 4, 8, 16, then multiples of 16: whole cache lines where the batch allows.
constexpr int64_t padded_batch(int64_t batch) {
    int64_t padded = 1;
    while (padded < batch && padded < 16) padded *= 2;
    return padded < batch ? (batch + 15) / 16 * 16 : padded;
}

constexpr int64_t bit_stride(int64_t stride) { return stride >= 8 ? stride / 8 : 1; }

}  // namespace ts
