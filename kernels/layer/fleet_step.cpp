#include "layer/fleet_step.hpp"

#include <algorithm>

#include "base/buffer.hpp"
#include "base/threads.hpp"
#include "isa/dispatch.hpp"
#include "layer/fleet_lines.hpp"

namespace ts {
namespace {

// An agent's layer of more connections has its gradients summed a few at a time, not all together.
constexpr int64_t kTogether = 1024;
constexpr int64_t kMargin = 64;  // what the last vector may read and write beyond them

// One agent's activations and what goes with them, in memory of one thread.
template <class T>
class Workspace {
  public:
    Workspace(const FleetNetwork<T>& network, int64_t stride, bool updates)
        : lines(network, updates), network_(network), stride_(stride) {
        const auto& layers = network.layers;
        int64_t bytes = 0;
        const auto take = [&](int64_t size) {
            const int64_t at = bytes;
            bytes += (size + kLine - 1) / kLine * kLine;
            return at;
        };
        std::vector<int64_t> values, bits, pre, weights;
        values.push_back(take((layers[0].n_in + 1) * stride * int64_t(sizeof(T))));
        for (const FleetLayer<T>& layer : layers) {
            const int64_t size = layer.n_out * stride * int64_t(sizeof(T));
            values.push_back(take(size + stride * int64_t(sizeof(T))));
            weights.push_back(layer.outputs.empty() ? -1 : take((layer.most_connections + 1) * int64_t(sizeof(T))));
            bits.push_back(layer.activation == Activation::leaky ? take(layer.n_out * bit_stride(stride)) : -1);
            pre.push_back(needs_pre_activation(layer.activation) ? take(size) : -1);
        }
        const int64_t target = take(layers.back().n_out * stride * int64_t(sizeof(T)));
        const int64_t partial = take(std::max(stride, layers.back().n_out) * int64_t(sizeof(double)));
        int64_t most = 0;
        for (const FleetLayer<T>& layer : layers) most = std::max(most, layer.most_connections);
        most = std::min(most, kTogether) + kMargin;
        const int64_t gradient = take(most * int64_t(sizeof(T)));
        const int64_t lanes = take(most * fleet_kernels<T>().lane_values * int64_t(sizeof(T)));
        const int64_t scratch = take((kSegment + stride + 64) * int64_t(sizeof(T)));
        memory_ = Buffer<char>(bytes);
        char* base = memory_.data();
        for (int64_t at : values) values_.push_back(reinterpret_cast<T*>(base + at));
        // After the neurons, a row of ones; see fleet_rows.hpp.
        std::fill_n(values_[0] + layers[0].n_in * stride, stride, T(1));
        for (size_t l = 0; l < layers.size(); ++l) std::fill_n(values_[l + 1] + layers[l].n_out * stride, stride, T(1));
        for (int64_t at : weights) weights_.push_back(at < 0 ? nullptr : reinterpret_cast<T*>(base + at));
        for (int64_t at : bits) bits_.push_back(at < 0 ? nullptr : reinterpret_cast<uint8_t*>(base + at));
        for (int64_t at : pre) pre_.push_back(at < 0 ? nullptr : reinterpret_cast<T*>(base + at));
        target_ = reinterpret_cast<T*>(base + target);
        partial_ = reinterpret_cast<double*>(base + partial);
        scratch_ = reinterpret_cast<T*>(base + scratch);
        gradient_ = reinterpret_cast<T*>(base + gradient);
        lanes_ = reinterpret_cast<T*>(base + lanes);
    }

    Lines<T> lines;

    T* input() { return values_.front(); }
    T* output() { return values_.back(); }
    T* target() { return target_; }
    double* partial() { return partial_; }

    void forward(int64_t agent) {
        const LayerKernels<T>& kernels = layer_kernels<T>();
        const FleetKernels<T>& fleet = fleet_kernels<T>();
        const auto loop = stride_ == 1 ? fleet.forward_one : stride_ % fleet.columns == 0 ? fleet.forward : nullptr;
        for (size_t l = 0; l < network_.layers.size(); ++l) {
            const FleetLayer<T>& layer = network_.layers[l];
            if (loop && !layer.outputs.empty()) {
                const CompactRows& rows = layer.outputs;
                const int64_t row = agent * layer.n_out, entry = rows.first_entry[size_t(agent)];
                AgentForward<T> a;
                a.rows = layer.n_out;
                a.row = rows.row.data() + row;
                a.length = rows.length.data() + row;
                a.index = rows.index.data() + entry;
                a.position = rows.position.data() + entry;
                a.weight = local_weights(l, agent);
                a.bias = layer.biases.value ? layer.biases.value + row : nullptr;
                a.x = values_[l];
                a.y = values_[l + 1];
                a.stride = stride_;
                a.epilogue = epilogue(l, 0);
                a.ahead = lines.take((layer.n_out + kSideBySide - 1) / kSideBySide);
                a.each = lines.each();
                loop(a);
                continue;
            }
            // Connections have the numbers of all agents' neurons: activations begin where those of agent 0 would be.
            ForwardArgs<T> a;
            a.by_output = layer.by_output;
            a.by_output.rows = (agent + 1) * layer.n_out;  // weights are read ahead, but not those of others at work
            a.weight = layer.weights.value;
            a.bias = layer.biases.value;
            a.x = values_[l] - agent * layer.n_in * stride_;
            a.y = values_[l + 1] - agent * layer.n_out * stride_;
            a.stride = stride_;
            a.epilogue = epilogue(l, agent);
            kernels.forward_rows(a, agent * layer.n_out, (agent + 1) * layer.n_out, scratch_);
        }
    }

    // From the gradient at the output, which `output` holds.
    void backward(int64_t agent, const FleetStep<T>& step) {
        const LayerKernels<T>& kernels = layer_kernels<T>();
        const FleetKernels<T>& fleet = fleet_kernels<T>();
        const bool fits = fleet.backward && stride_ % fleet.columns == 0;
        for (size_t l = network_.layers.size(); l-- > 0;) {
            const FleetLayer<T>& layer = network_.layers[l];
            const int64_t row = agent * layer.n_in, output = agent * layer.n_out;
            if (fits && !layer.inputs.empty() && layer.most_connections <= kTogether) {
                const CompactRows& rows = layer.inputs;
                const int64_t k0 = rows.first[size_t(agent)], entry = rows.first_entry[size_t(agent)];
                AgentBackward<T> a;
                a.rows = layer.n_in;
                a.outputs = layer.n_out;
                a.connections = rows.first[size_t(agent) + 1] - k0;
                a.row = rows.row.data() + row;
                a.length = rows.length.data() + row;
                a.index = rows.index.data() + entry;
                a.position = rows.position.data() + entry;
                a.weight = weights_[l];  // of the forward pass
                a.ahead = lines.take(layer.n_in);
                a.each = lines.each();
                a.weights = from(layer.weights, k0);
                a.weight_update = step.weight_rules[l];
                a.dy = values_[l + 1];
                a.x = values_[l];
                a.dx = l > 0 ? a.x : nullptr;
                a.stride = stride_;
                if (l > 0) a.input = epilogue(l - 1, 0);
                if (layer.biases.value) {
                    a.biases = from(layer.biases, output);
                    a.bias_update = step.bias_rules[l];
                    fleet.bias(a);
                }
                fleet.backward(a, scratch_, lanes_, gradient_);
                continue;
            }
            BackwardArgs<T> a;
            a.by_input = layer.by_input;
            a.weights = layer.weights;
            a.biases = layer.biases;
            a.weight_update = step.weight_rules[l];
            a.n_out = network_.agents * layer.n_out;
            a.dy = values_[l + 1] - output * stride_;
            a.x = values_[l] - row * stride_;
            a.stride = stride_;
            if (l > 0) {
                a.dx = a.x;
                a.input = epilogue(l - 1, agent);
            }
            if (layer.biases.value) {
                a.bias_update = step.bias_rules[l];
                kernels.bias_rows(a, output, output + layer.n_out);
            }
            kernels.backward_rows(a, row, row + layer.n_in, scratch_);
        }
    }

  private:
    // The agent's weights, and -0 after them.
    const T* local_weights(size_t l, int64_t agent) {
        const FleetLayer<T>& layer = network_.layers[l];
        const int64_t k0 = layer.outputs.first[size_t(agent)], count = layer.outputs.first[size_t(agent) + 1] - k0;
        std::copy_n(layer.weights.value + k0, count, weights_[l]);
        weights_[l][count] = T(-0.0);
        return weights_[l];
    }

    static Parameters<T> from(const Parameters<T>& p, int64_t first) {
        const auto at = [&](T* array) { return array ? array + first : nullptr; };
        return {at(p.value), at(p.slot0), at(p.slot1), at(p.gradient)};
    }

    Epilogue epilogue(size_t l, int64_t agent) const {
        const FleetLayer<T>& layer = network_.layers[l];
        Epilogue e;
        e.kind = layer.activation;
        e.slope = layer.slope;
        if (bits_[l]) e.positive = bits_[l] - agent * layer.n_out * bit_stride(stride_);
        if (pre_[l]) e.pre = pre_[l] - agent * layer.n_out * stride_;
        return e;
    }

    const FleetNetwork<T>& network_;
    const int64_t stride_;
    Buffer<char> memory_;
    std::vector<T*> values_, pre_, weights_;
    std::vector<uint8_t*> bits_;
    T* target_ = nullptr;
    T* scratch_ = nullptr;
    T* gradient_ = nullptr;
    T* lanes_ = nullptr;
    double* partial_ = nullptr;
};

// Runs body(agent, workspace of the thread) for all agents.
template <class T, class Body>
void over_agents(const FleetNetwork<T>& network, int64_t stride, int64_t passes, const NearSamples& samples,
                 int threads, Body&& body) {
    int64_t work = 0;
    for (const FleetLayer<T>& layer : network.layers)
        work += (layer.by_output.ptr[layer.by_output.rows] + layer.by_output.rows * 8) * stride * passes;
    threads = threads_for(work, threads);
    std::vector<Workspace<T>> spaces;
    for (int t = 0; t < threads; ++t) spaces.emplace_back(network, stride, passes > 1);
    // A few agents at a time: their connections follow each other in memory.
    const int64_t parts = std::min<int64_t>(network.agents, int64_t(threads) * 16);
    parallel_for(threads > 1 ? parts : 1, threads, [&](int64_t part) {
        Workspace<T>& own = spaces[size_t(current_thread())];
        const int64_t count = threads > 1 ? parts : 1;
        const int64_t end = range_start(network.agents, count, part + 1);
        for (int64_t agent = range_start(network.agents, count, part); agent < end; ++agent) {
            {
                const int64_t next = agent + 1;
                if (next < end) own.lines.gather(network, next, samples.of(next), samples.bytes);
                else own.lines.none();
                body(agent, own);
            }
        }
    });
}

template <class T>
double loss_of(const FleetStep<T>& step, int64_t agent, const FleetNetwork<T>& network, Workspace<T>& own) {
    const LossKernels<T>& kernels = loss_kernels<T>();
    LossArgs<T> a = step.loss;
    a.outputs = network.layers.back().n_out;
    a.batch = step.batch;
    a.stride = step.stride;
    a.z = own.output();
    a.partial = own.partial();
    const bool by_column = a.kind == Loss::softmax_cross_entropy;
    if (by_column) {
        a.label = step.labels + agent * step.label_stride;
        kernels.softmax_columns(a, 0, a.stride);
    } else {
        step.targets(agent, own.target());
        a.target = own.target();
        kernels.output_rows(a, 0, a.outputs);
    }
    double total = 0;
    for (int64_t i = 0; i < (by_column ? a.stride : a.outputs); ++i) total += a.partial[i];
    return total;
}

}  // namespace

template <class T>
void fleet_step(const FleetNetwork<T>& network, const FleetStep<T>& step, double* losses, int threads) {
    over_agents(network, step.stride, 3, step.near, threads, [&](int64_t agent, Workspace<T>& own) {
        step.samples(agent, own.input());
        own.forward(agent);
        losses[agent] += loss_of(step, agent, network, own);
        if (std::isfinite(losses[agent])) own.backward(agent, step);
    });
}

template <class T>
void fleet_outputs(const FleetNetwork<T>& network, int64_t stride, const FleetLoader<T>& samples,
                   const NearSamples& near, const std::function<void(int64_t, T*)>& use, int threads) {
    over_agents(network, stride, 1, near, threads, [&](int64_t agent, Workspace<T>& own) {
        samples(agent, own.input());
        own.forward(agent);
        use(agent, own.output());
    });
}

#define TS_INSTANTIATE(T)                                                                                   \
    template void fleet_step(const FleetNetwork<T>&, const FleetStep<T>&, double*, int);                    \
    template void fleet_outputs(const FleetNetwork<T>&, int64_t, const FleetLoader<T>&, const NearSamples&, \
                                const std::function<void(int64_t, T*)>&, int);
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
