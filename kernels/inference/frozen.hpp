// A network for inference on single samples: layers in slices, owned; see slices.hpp.
#pragma once

#include <optional>
#include <shared_mutex>
#include <vector>

#include "base/buffer.hpp"
#include "inference/slices.hpp"

namespace ts {

template <class T>
class FrozenNetwork {
  public:
    explicit FrozenNetwork(int64_t inputs) : widths_{inputs} {}
    FrozenNetwork(const FrozenNetwork&) = delete;
    FrozenNetwork& operator=(const FrozenNetwork&) = delete;

    // The next layer, or, after all others, the one beside them, from the inputs to the outputs, which it is added to;
    // `con` by output neuron, weights reached through con.position.
    void append(const Connections& con, const T* weight, const T* bias, Activation activation, double slope,
                bool side = false);

    // Remembers where `refresh` finds the weights of layer `number` (the one beside the others comes last); `con` as
    // `append` had it.
    // Whether a layer has as many connections in each row as `con`, whose positions are those of weights.
    bool fits(int64_t number, const Connections& con) const;
    void prepare_refresh(int64_t number, const Connections& con);
    bool prepared(int64_t number) const;
    // New weights and biases of a prepared layer, in the order that `append` had them in.
    void refresh(int64_t number, const T* weight, const T* bias);
    // The connections of a layer by output neuron, as `append` had them: ptr has rows + 1 values, index and weight one
    // per connection, bias one per row.
    void give(int64_t number, int64_t* ptr, int32_t* index, T* weight, T* bias) const;

    int64_t layers() const { return int64_t(layers_.size()) + (side_ ? 1 : 0); }
    int64_t rows(int64_t number) const { return layer(number).rows; }
    int64_t connections(int64_t number) const { return layer(number).connections; }
    int64_t inputs() const { return widths_.front(); }
    int64_t outputs() const { return widths_.back(); }
    // Values that the scratch of one sample needs.
    int64_t scratch_size() const;
    // Output values of one sample, before the output's activation. x: inputs() values inside the scratch's first half.
    const T* run(T* scratch) const;

    // Held by whoever runs the network, alone by whoever refreshes it.
    std::shared_mutex& mutex() const { return mutex_; }

  private:
    struct Layer {
        Buffer<int64_t> start;
        Buffer<uint16_t> narrow;
        Buffer<int32_t> wide, row, length;
        Buffer<uint32_t> order;  // of each weight the place where refresh finds it; kNone: of none. Empty: not prepared
        Buffer<T> weight, bias;
        int64_t slices = 0, rows = 0, connections = 0;
        bool full = false;  // every connection is there
        Activation kind = Activation::identity;
        double slope = 0;
    };
    template <class Index>
    static SlicedLayer<T, Index> view(const Layer& layer, const Index* index) {
        return {layer.slices,     layer.start.data(), index,      layer.weight.data(),
                layer.row.data(), layer.bias.data(),  layer.kind, layer.slope};
    }
    const Layer& layer(int64_t number) const {
        return number < int64_t(layers_.size()) ? layers_[size_t(number)] : *side_;
    }
    void compute(const Layer& layer, const T* x, T* y) const;
    int64_t half() const;

    std::vector<int64_t> widths_;
    std::vector<Layer> layers_;
    std::optional<Layer> side_;
    mutable std::shared_mutex mutex_;
};

}  // namespace ts
