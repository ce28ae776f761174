// Which memory an agent's passes will read.
#pragma once

#include <vector>

#include "layer/fleet_rows.hpp"
#include "layer/fleet_step.hpp"

namespace ts {

constexpr int64_t kLine = 64;

// The cache lines that an agent's passes will read. They lie in too many places for the processor to foresee, so they
// are fetched while the agent before is computed, a few per row.
template <class T>
class Lines {
  public:
    // updates: whether there is a backward pass.
    Lines(const FleetNetwork<T>& network, bool updates) : updates_(updates) {
        for (const FleetLayer<T>& layer : network.layers)
            steps_ += (layer.n_out + kSideBySide - 1) / kSideBySide + (updates ? layer.n_in : 0);
    }

    void gather(const FleetNetwork<T>& network, int64_t agent, const char* samples, int64_t sample_bytes) {
        count_ = 0;
        if (samples) add(samples, samples + sample_bytes);
        for (const FleetLayer<T>& layer : network.layers) {
            if (layer.outputs.empty()) continue;
            const int64_t o0 = agent * layer.n_out, o1 = o0 + layer.n_out;
            const int64_t k0 = layer.outputs.first[size_t(agent)], k1 = layer.outputs.first[size_t(agent) + 1];
            add_rows(layer.outputs, agent, layer.n_out);
            add(layer.weights.value + k0, layer.weights.value + k1);
            if (layer.biases.value) add(layer.biases.value + o0, layer.biases.value + o1);
            if (!updates_) continue;
            add_rows(layer.inputs, agent, layer.n_in);
            for (const T* slot : {layer.weights.slot0, layer.weights.slot1})
                if (slot) add(slot + k0, slot + k1);
            for (const T* slot : {layer.biases.slot0, layer.biases.slot1})
                if (slot) add(slot + o0, slot + o1);
        }
        each_ = (int64_t(count_) + steps_ - 1) / steps_;
        reserve(size_t(each_ * steps_));
        for (size_t i = count_; i < size_t(each_ * steps_); ++i) lines_[i] = lines_[0];
        next_ = lines_.data();
    }
    void none() { each_ = 0; }

    int64_t each() const { return each_; }
    // Those of the next `steps` steps.
    const char* const* take(int64_t steps) {
        const char* const* taken = next_;
        next_ += steps * each_;
        return taken;
    }

  private:
    void add(const void* begin, const void* end) {
        const char* first = static_cast<const char*>(begin);
        const size_t count = size_t(static_cast<const char*>(end) - first + kLine - 1) / size_t(kLine);
        reserve(count_ + count);
        const char** to = lines_.data() + count_;
        for (size_t i = 0; i < count; ++i) to[i] = first + i * size_t(kLine);
        count_ += count;
    }
    void reserve(size_t count) {
        if (count > lines_.size()) lines_.resize(2 * count);
    }
    template <class V>
    void add(const std::vector<V>& values, int64_t from, int64_t to) {
        add(values.data() + from, values.data() + to);
    }
    void add_rows(const CompactRows& rows, int64_t agent, int64_t count) {
        const int64_t e0 = rows.first_entry[size_t(agent)], e1 = rows.first_entry[size_t(agent) + 1];
        add(rows.row, agent * count, (agent + 1) * count);
        add(rows.length, agent * count, (agent + 1) * count);
        add(rows.index, e0, e1);
        add(rows.position, e0, e1);
    }

    bool updates_;
    int64_t steps_ = 0, each_ = 0;
    size_t count_ = 0;
    std::vector<const char*> lines_;
    const char* const* next_ = nullptr;
};

}  // namespace ts
