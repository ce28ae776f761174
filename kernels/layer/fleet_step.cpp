#include "layer/fleet_step.hpp"

#include <algorithm>
#include <numeric>

#include "base/buffer.hpp"
#include "base/threads.hpp"
#include "isa/dispatch.hpp"

namespace ts {
namespace {

constexpr int64_t kLine = 64;
// An agent's layer of more connections has its gradients summed a few at a time, not all together.
constexpr int64_t kTogether = 1024;
constexpr int64_t kMargin = 64;  // what the last vector may read and write beyond them

void fetch(const void* begin, const void* end) {
    for (const char* p = static_cast<const char*>(begin); p < end; p += kLine) __builtin_prefetch(p);
}
template <class V>
void fetch(const std::vector<V>& values, int64_t from, int64_t to) {
    fetch(values.data() + from, values.data() + to);
}

// What the passes of an agent's layer will read, which lies in too many places for the processor to foresee. Fetched
// while the agent before is computed, layer by layer, so that it does not wait for all of it at once.
template <class T>
void fetch_forward(const FleetLayer<T>& layer, int64_t agent) {
    const CompactRows& c = layer.compact;
    const int64_t o0 = agent * layer.n_out, k0 = c.first[size_t(agent)], k1 = c.first[size_t(agent) + 1];
    fetch(c.row, o0, o0 + layer.n_out);
    fetch(c.length, o0, o0 + layer.n_out);
    fetch(c.index, k0, k1);
    fetch(c.position, k0, k1);
    fetch(layer.weights.value + k0, layer.weights.value + k1);
    if (layer.biases.value) fetch(layer.biases.value + o0, layer.biases.value + o0 + layer.n_out);
}
template <class T>
void fetch_backward(const FleetLayer<T>& layer, int64_t agent) {
    const CompactRows& c = layer.compact;
    const int64_t o0 = agent * layer.n_out, i0 = agent * layer.n_in;
    const int64_t k0 = c.first[size_t(agent)], k1 = c.first[size_t(agent) + 1];
    fetch(c.input_length, i0, i0 + layer.n_in);
    fetch(c.input_index, k0, k1);
    for (const T* slot : {layer.weights.slot0, layer.weights.slot1})
        if (slot) fetch(slot + k0, slot + k1);
    for (const T* slot : {layer.biases.slot0, layer.biases.slot1})
        if (slot) fetch(slot + o0, slot + o0 + layer.n_out);
}

// One agent's activations and what goes with them, in memory of one thread.
template <class T>
class Workspace {
  public:
    Workspace(const FleetNetwork<T>& network, int64_t stride) : network_(network), stride_(stride) {
        const auto& layers = network.layers;
        int64_t bytes = 0;
        const auto take = [&](int64_t size) {
            const int64_t at = bytes;
            bytes += (size + kLine - 1) / kLine * kLine;
            return at;
        };
        std::vector<int64_t> values, bits, pre;
        values.push_back(take(layers[0].n_in * stride * int64_t(sizeof(T))));
        for (const FleetLayer<T>& layer : layers) {
            const int64_t size = layer.n_out * stride * int64_t(sizeof(T));
            values.push_back(take(size));
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
        for (int64_t at : bits) bits_.push_back(at < 0 ? nullptr : reinterpret_cast<uint8_t*>(base + at));
        for (int64_t at : pre) pre_.push_back(at < 0 ? nullptr : reinterpret_cast<T*>(base + at));
        target_ = reinterpret_cast<T*>(base + target);
        partial_ = reinterpret_cast<double*>(base + partial);
        scratch_ = reinterpret_cast<T*>(base + scratch);
        gradient_ = reinterpret_cast<T*>(base + gradient);
        lanes_ = reinterpret_cast<T*>(base + lanes);
    }

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
            const CompactRows& compact = layer.compact;
            if (loop && !compact.empty()) {
                if (agent + 1 < network_.agents) fetch_forward(layer, agent + 1);
                const int64_t row = agent * layer.n_out, k = compact.first[size_t(agent)];
                AgentForward<T> a;
                a.rows = layer.n_out;
                a.row = compact.row.data() + row;
                a.length = compact.length.data() + row;
                a.index = compact.index.data() + k;
                a.position = compact.position.data() + k;
                a.weight = layer.weights.value + k;
                a.bias = layer.biases.value ? layer.biases.value + row : nullptr;
                a.x = values_[l];
                a.y = values_[l + 1];
                a.stride = stride_;
                a.epilogue = epilogue(l, 0);
                loop(a);
                continue;
            }
            // Connections have the numbers of all agents' neurons: activations begin where those of agent 0 would be.
            ForwardArgs<T> a;
            a.by_output = layer.by_output;
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
            if (fits && !layer.compact.empty() && layer.most_connections <= kTogether) {
                if (agent + 1 < network_.agents) fetch_backward(layer, agent + 1);
                const int64_t k0 = layer.compact.first[size_t(agent)],
                              count = layer.compact.first[size_t(agent) + 1] - k0;
                AgentBackward<T> a;
                a.rows = layer.n_in;
                a.outputs = layer.n_out;
                a.connections = count;
                a.length = layer.compact.input_length.data() + row;
                a.index = layer.compact.input_index.data() + k0;
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
    std::vector<T*> values_, pre_;
    std::vector<uint8_t*> bits_;
    T* target_ = nullptr;
    T* scratch_ = nullptr;
    T* gradient_ = nullptr;
    T* lanes_ = nullptr;
    double* partial_ = nullptr;
};

// Runs body(agent, workspace of the thread) for all agents.
template <class T, class Body>
void over_agents(const FleetNetwork<T>& network, int64_t stride, int64_t passes, int threads, Body&& body) {
    int64_t work = 0;
    for (const FleetLayer<T>& layer : network.layers)
        work += (layer.by_output.ptr[layer.by_output.rows] + layer.by_output.rows * 8) * stride * passes;
    threads = threads_for(work, threads);
    std::vector<Workspace<T>> spaces;
    for (int t = 0; t < threads; ++t) spaces.emplace_back(network, stride);
    // A few agents at a time: their connections follow each other in memory.
    const int64_t parts = std::min<int64_t>(network.agents, int64_t(threads) * 64);
    parallel_for(threads > 1 ? parts : 1, threads, [&](int64_t part) {
        Workspace<T>& own = spaces[size_t(current_thread())];
        const int64_t count = threads > 1 ? parts : 1;
        const int64_t end = range_start(network.agents, count, part + 1);
        for (int64_t agent = range_start(network.agents, count, part); agent < end; ++agent) {
            {
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

CompactRows::CompactRows(const Connections& by_output, const Connections& by_input, int64_t agents, int threads) {
    constexpr int64_t limit = 1 << 16;
    const int64_t outputs = by_output.rows / agents, inputs = by_input.rows / agents,
                  count = by_input.ptr[by_input.rows];
    if (outputs > limit || inputs > limit) return;
    for (int64_t i = 0; i < agents; ++i)
        if (by_input.ptr[(i + 1) * inputs] - by_input.ptr[i * inputs] > limit) return;
    for (int64_t i = 0; i <= agents; ++i) first.push_back(by_input.ptr[i * inputs]);
    row.resize(size_t(by_output.rows));
    length.resize(size_t(by_output.rows));
    index.resize(size_t(count));
    position.resize(size_t(count));
    input_length.resize(size_t(by_input.rows));
    input_index.resize(size_t(count));
    parallel_ranges(agents, threads_for(count * 8, threads), [&](int64_t begin, int64_t end) {
        std::vector<int32_t> order(static_cast<size_t>(outputs));
        for (int64_t i = begin; i < end; ++i) {
            const int64_t o0 = i * outputs, i0 = i * inputs, k0 = by_input.ptr[i0];
            const auto size_of = [&](int64_t r) { return by_output.ptr[o0 + r + 1] - by_output.ptr[o0 + r]; };
            std::iota(order.begin(), order.end(), 0);
            std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return size_of(a) < size_of(b); });
            int64_t at = k0;
            for (int64_t j = 0; j < outputs; ++j) {
                const int64_t r = order[size_t(j)];
                row[size_t(o0 + j)] = uint16_t(r);
                length[size_t(o0 + j)] = uint16_t(size_of(r));
                for (int64_t k = by_output.ptr[o0 + r]; k < by_output.ptr[o0 + r + 1]; ++k, ++at) {
                    index[size_t(at)] = uint16_t(by_output.index[k] - i0);
                    position[size_t(at)] = uint16_t(int64_t(by_output.position[k]) - k0);
                }
            }
            for (int64_t r = 0; r < inputs; ++r) {
                input_length[size_t(i0 + r)] = uint16_t(by_input.ptr[i0 + r + 1] - by_input.ptr[i0 + r]);
                for (int64_t k = by_input.ptr[i0 + r]; k < by_input.ptr[i0 + r + 1]; ++k)
                    input_index[size_t(k)] = uint16_t(by_input.index[k] - o0);
            }
        }
    });
}

template <class T>
void fleet_step(const FleetNetwork<T>& network, const FleetStep<T>& step, double* losses, int threads) {
    over_agents(network, step.stride, 3, threads, [&](int64_t agent, Workspace<T>& own) {
        step.samples(agent, own.input());
        if (step.next_samples && agent + 1 < network.agents) {
            const char* next = step.next_samples + (agent + 1) * step.samples_between;
            fetch(next, next + step.samples_bytes);
        }
        own.forward(agent);
        losses[agent] += loss_of(step, agent, network, own);
        if (std::isfinite(losses[agent])) own.backward(agent, step);
    });
}

template <class T>
void fleet_outputs(const FleetNetwork<T>& network, int64_t stride, const FleetLoader<T>& samples,
                   const std::function<void(int64_t, T*)>& use, int threads) {
    over_agents(network, stride, 1, threads, [&](int64_t agent, Workspace<T>& own) {
        samples(agent, own.input());
        own.forward(agent);
        use(agent, own.output());
    });
}

#define TS_INSTANTIATE(T)                                                                \
    template void fleet_step(const FleetNetwork<T>&, const FleetStep<T>&, double*, int); \
    template void fleet_outputs(const FleetNetwork<T>&, int64_t, const FleetLoader<T>&,  \
                                const std::function<void(int64_t, T*)>&, int);
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
