// A network for inference on single samples: layers in slices, owned; see slices.hpp.
#pragma once

#include <optional>
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

    int64_t inputs() const { return widths_.front(); }
    int64_t outputs() const { return widths_.back(); }
    // Values that the scratch of one sample needs.
    int64_t scratch_size() const;
    // Output values of one sample, before the output's activation. x: inputs() values inside the scratch's first half.
    const T* run(T* scratch) const;

  private:
    struct Layer {
        Buffer<int64_t> start;
        Buffer<uint16_t> narrow;
        Buffer<int32_t> wide, row;
        Buffer<T> weight, bias;
        int64_t slices = 0;
        bool full = false;  // every connection is there
        Activation kind = Activation::identity;
        double slope = 0;
    };
    template <class Index>
    static SlicedLayer<T, Index> view(const Layer& layer, const Index* index) {
        return {layer.slices,     layer.start.data(), index,      layer.weight.data(),
                layer.row.data(), layer.bias.data(),  layer.kind, layer.slope};
    }
    void compute(const Layer& layer, const T* x, T* y) const;
    int64_t half() const;

    std::vector<int64_t> widths_;
    std::vector<Layer> layers_;
    std::optional<Layer> side_;
};

}  // namespace ts
