// A frozen network that chooses actions: what is done to observations before it and to its outputs after it, so that
// one call answers one observation.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "inference/frozen.hpp"

namespace ts {

enum class Head : int { identity = 0, tanh = 1, argmax = 2 };

template <class T>
struct FrozenPolicy {
    std::shared_ptr<FrozenNetwork<T>> network;
    Head head = Head::identity;
    int64_t actions = 0;          // of the network's outputs, the first so many
    std::vector<T> low, high;     // of tanh: the range of each action
    std::vector<double> offset, factor;  // inputs are (observation - offset) * factor; empty: the observation itself

    const double* offsets() const { return offset.empty() ? nullptr : offset.data(); }
    const double* factors() const { return factor.empty() ? nullptr : factor.data(); }

    // Actions from the network's outputs.
    void act(const T* z, T* action) const {
        if (head == Head::identity) return void(std::copy_n(z, actions, action));
        for (int64_t i = 0; i < actions; ++i) {
            const T value = low[size_t(i)] + T(0.5) * (std::tanh(z[i]) + 1) * (high[size_t(i)] - low[size_t(i)]);
            action[i] = std::clamp(value, low[size_t(i)], high[size_t(i)]);
        }
    }
    int64_t choose(const T* z) const { return std::max_element(z, z + actions) - z; }
};

}  // namespace ts
