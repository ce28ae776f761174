// Updates and outputs of a whole fleet for Python.
#include "layer/fleet_step.hpp"
#include "base/threads.hpp"
#include "bindings/any_matrix.hpp"
#include "bindings/bindings.hpp"
#include "bindings/layer_calls.hpp"
#include "input/batch.hpp"
#include "isa/dispatch.hpp"
#include "layer/fleet_passes.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>

namespace ts {
namespace {

// A fleet whose arrays have been checked and are held.
template <class T>
struct FleetCall {
    FleetNetwork<T> network;
    std::vector<std::shared_ptr<void>> held;

    explicit FleetCall(int64_t agents) { network.agents = agents; }

    void check(const std::vector<UpdateRule>& rules) const {
        require(rules.size() == network.layers.size(), "a rule for each layer");
        for (size_t l = 0; l < rules.size(); ++l) {
            const UpdateRule& rule = rules[l];
            for (const Parameters<T>* p : {&network.layers[l].weights, &network.layers[l].biases}) {
                if (!p->value) continue;
                require(rule.kind != Update::none, "a rule that does something");
                require((rule.kind != Update::gradient && !rule.add) || p->gradient, "gradients need an array");
                require(rule.kind != Update::nesterov || p->slot0, "Nesterov momentum needs its state");
                require(rule.kind != Update::adam || (p->slot0 && p->slot1), "Adam needs two states");
            }
        }
    }
};

// The samples [first, first + count) of each agent of x, whose rows are agents * each samples.
template <class T, class S>
FleetLoader<T> loader(const S* data, int64_t row_stride, int64_t column_stride, int64_t each, int64_t first,
                      int64_t count, int64_t features, int64_t stride) {
    std::vector<int64_t> rows(static_cast<size_t>(count));
    for (int64_t b = 0; b < count; ++b) rows[size_t(b)] = b;
    return [=, rows = std::move(rows)](int64_t agent, T* out) {
        load_dense(data + (agent * each + first) * row_stride, row_stride, column_stride, rows.data(), count, features,
                   static_cast<const double*>(nullptr), static_cast<const double*>(nullptr), out, stride, 1);
    };
}

template <class T>
FleetLoader<T> any_loader(const AnyMatrix& x, int64_t agents, int64_t first, int64_t count, int64_t features,
                          int64_t stride) {
    require(int64_t(x.shape(0)) % agents == 0, "as many samples for each agent");
    require(int64_t(x.shape(1)) == features, "samples have another number of features");
    const int64_t each = int64_t(x.shape(0)) / agents;
    require(first >= 0 && count >= 1 && first + count <= each && count <= stride, "no such samples");
    FleetLoader<T> made;
    if (x.dtype() == nb::dtype<T>() && x.stride(1) == 1 && x.stride(0) == features) {
        const T* data = static_cast<const T*>(x.data());
        return [=](int64_t agent, T* out) {
            fleet_kernels<T>().transpose(data + (agent * each + first) * features, count, features, out, stride);
        };
    }
    const bool known = by_type(
        x, [&](auto* data) { made = loader<T>(data, x.stride(0), x.stride(1), each, first, count, features, stride); });
    if (!known) refuse("no loader for " + type_name(x));
    return made;
}

NearSamples near_samples(const AnyMatrix& x, int64_t agents, int64_t first, int64_t count) {
    if (x.stride(1) != 1 || x.stride(0) != int64_t(x.shape(1))) return {};
    const int64_t row = x.stride(0) * int64_t(x.itemsize());
    return {static_cast<const char*>(x.data()) + first * row, int64_t(x.shape(0)) / agents * row, count * row};
}

template <class T>
void bind_type(nb::module_& m, const char* name) {
    using Call = FleetCall<T>;
    using State = std::vector<Array<T>>;
    nb::class_<Call>(m, name)
        .def(
            "add_layer",
            [](Call& call, Array<const int64_t> ptr, Array<const int32_t> index, Array<const int64_t> out_ptr,
               Array<const int32_t> out_index, Array<const uint32_t> position, Array<T> weight, State state,
               Maybe<Array<T>> gradient, Array<T> bias, State bias_state, Maybe<Array<T>> bias_gradient,
               const KernelActivation& activation, int threads) {
                FleetNetwork<T>& net = call.network;
                FleetLayer<T> layer;
                layer.by_input = view(ptr, index);
                layer.by_output = view(out_ptr, out_index);
                layer.by_output.position = position.data();
                const int64_t count = int64_t(index.shape(0)), agents = net.agents;
                require_length(out_index, count, "out_index", "the same connections");
                require_length(position, count, "position", "one per connection");
                require_length(weight, count, "weight", "one per connection");
                require_bias(bias, layer.by_output.rows);
                require(is_block_diagonal(layer.by_input, layer.by_output.rows, agents) &&
                            is_block_diagonal(layer.by_output, layer.by_input.rows, agents),
                        "connections lead from one agent to another");
                for (const Connections* rows : {&layer.by_input, &layer.by_output})
                    for (int64_t r = 0; r < rows->rows; ++r)
                        require(rows->ptr[r + 1] - rows->ptr[r] <= kSegment, "a neuron has too many connections");
                layer.weights = parameters<T>(weight, state, gradient, "an array of the weights");
                layer.biases = parameters<T>(bias, bias_state, bias_gradient, "an array of the biases");
                if (!bias.shape(0)) layer.biases = {};
                layer.activation = activation.first;
                layer.slope = activation.second;
                layer.n_in = layer.by_input.rows / agents;
                layer.n_out = layer.by_output.rows / agents;
                require(net.layers.empty() || net.layers.back().n_out == layer.n_in, "layers do not follow each other");
                layer.outputs =
                    CompactRows::of(layer.by_output, layer.by_input.rows, agents, kSideBySide, false, threads);
                layer.inputs = CompactRows::of(layer.by_input, layer.by_output.rows, agents, 1, true, threads);
                if (layer.inputs.empty() || layer.outputs.empty()) layer.inputs = layer.outputs = {};
                for (int64_t i = 0; i < agents; ++i)
                    layer.most_connections = std::max(layer.most_connections, layer.by_input.ptr[(i + 1) * layer.n_in] -
                                                                                  layer.by_input.ptr[i * layer.n_in]);
                net.layers.push_back(std::move(layer));
                call.held.push_back(hold(ptr, index, out_ptr, out_index, position, weight, state, gradient, bias,
                                         bias_state, bias_gradient));
            },
            nb::kw_only(), nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("out_ptr").noconvert(),
            nb::arg("out_index").noconvert(), nb::arg("position").noconvert(), nb::arg("weight").noconvert(),
            nb::arg("state").noconvert(), nb::arg("gradient").noconvert().none(), nb::arg("bias").noconvert(),
            nb::arg("bias_state").noconvert(), nb::arg("bias_gradient").noconvert().none(), nb::arg("activation"),
            nb::arg("threads"))
        .def(
            "step",
            [](const Call& call, AnyMatrix x, Maybe<nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig>> labels,
               Maybe<AnyMatrix> targets, int64_t first, int64_t count, Loss kind, double delta, bool summed,
               Array<const T> sample_weight, const std::vector<UpdateRule>& rules, Array<double> losses, int threads) {
                const FleetNetwork<T>& net = call.network;
                require(!net.layers.empty(), "a fleet without layers");
                call.check(rules);
                FleetStep<T> step;
                step.batch = count;
                step.stride = padded_batch(count);
                step.samples = any_loader<T>(x, net.agents, first, count, net.layers[0].n_in, step.stride);
                step.near = near_samples(x, net.agents, first, count);
                step.loss.kind = kind;
                step.loss.delta = delta;
                step.loss.summed = summed;
                require_length(sample_weight, step.stride, "sample_weight", "one per column");
                step.loss.sample_weight = sample_weight.data();
                const int64_t outputs = net.layers.back().n_out;
                if (kind == Loss::softmax_cross_entropy) {
                    require(bool(labels), "this loss needs labels");
                    require(int64_t(labels->shape(0)) == net.agents && int64_t(labels->shape(1)) >= first + count,
                            "one label a sample");
                    step.label_stride = int64_t(labels->shape(1));
                    step.labels = labels->data() + first;
                    const int32_t* all = labels->data();
                    require(std::all_of(all, all + labels->size(), [&](int32_t l) { return l >= 0 && l < outputs; }),
                            "a label is out of range");
                } else {
                    require(bool(targets), "this loss needs targets");
                    step.targets = any_loader<T>(*targets, net.agents, first, count, outputs, step.stride);
                }
                for (const UpdateRule& rule : rules) {
                    step.weight_rules.push_back(rule.template args<T>(false));
                    step.bias_rules.push_back(rule.template args<T>(true));
                }
                require_length(losses, net.agents, "losses", "one per agent");
                nb::gil_scoped_release free_lock;
                fleet_step(net, step, losses.data(), threads);
            },
            nb::arg("x"), nb::kw_only(), nb::arg("labels").noconvert().none(), nb::arg("targets").none(),
            nb::arg("first"), nb::arg("count"), nb::arg("kind"), nb::arg("delta"), nb::arg("summed"),
            nb::arg("sample_weight").noconvert(), nb::arg("rules"), nb::arg("losses").noconvert(), nb::arg("threads"))
        .def(
            "outputs",
            [](const Call& call, AnyMatrix x, int64_t first, int64_t count, int64_t stride, Rows<T> out,
               const std::string& activation, int threads) {
                const FleetNetwork<T>& net = call.network;
                require(!net.layers.empty(), "a fleet without layers");
                require_padded(stride);
                const FleetLoader<T> samples = any_loader<T>(x, net.agents, first, count, net.layers[0].n_in, stride);
                const int64_t outputs = net.layers.back().n_out, each = int64_t(x.shape(0)) / net.agents;
                require_shape(out, int64_t(x.shape(0)), outputs, "out", "samples x outputs");
                T* to = out.data();
                nb::gil_scoped_release free_lock;
                fleet_outputs<T>(
                    net, stride, samples, near_samples(x, net.agents, first, count),
                    [&](int64_t agent, T* z) {
                        if (activation == "softmax") softmax(z, outputs, stride, 1);
                        else if (activation == "sigmoid") sigmoid(z, outputs * stride, 1);
                        store_dense<T>(z, stride, count, outputs, nullptr, to + (agent * each + first) * outputs,
                                       outputs, 1);
                    },
                    threads);
            },
            nb::arg("x"), nb::kw_only(), nb::arg("first"), nb::arg("count"), nb::arg("stride"),
            nb::arg("out").noconvert(), nb::arg("activation"), nb::arg("threads"));
}

// Whether no value is NaN or infinite.
template <class T>
bool all_finite(const T* values, int64_t size, int threads) {
    using Word = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr Word exponent = sizeof(T) == 4 ? Word(0x7F800000) : Word(0x7FF0000000000000);
    std::atomic<bool> finite{true};
    parallel_ranges(size, threads_for(size, threads), [&](int64_t begin, int64_t end) {
        Word wrong = 0;
        for (int64_t i = begin; i < end; ++i) wrong |= Word((std::bit_cast<Word>(values[i]) & exponent) == exponent);
        if (wrong) finite = false;
    });
    return finite;
}

template <class T>
void bind_load(nb::module_& m) {
    m.def(
        "all_finite",
        [](nb::ndarray<const T, nb::c_contig, nb::device::cpu> values, int threads) {
            nb::gil_scoped_release free_lock;
            return all_finite(values.data(), int64_t(values.size()), threads);
        },
        nb::arg("values").noconvert(), nb::arg("threads"));
    using Each = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
    m.def(
        "load_fleet",
        [](AnyMatrix x, nb::ndarray<const int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu> rows, Maybe<Each> offset,
           Maybe<Each> factor, nb::ndarray<T, nb::ndim<3>, nb::device::cpu> out, int threads) {
            const int64_t agents = int64_t(rows.shape(0)), batch = int64_t(rows.shape(1)),
                          features = int64_t(x.shape(1)), stride = int64_t(out.shape(2));
            require(int64_t(out.shape(0)) == agents && int64_t(out.shape(1)) == features, "out has another shape");
            require(batch <= stride, "out has fewer columns than there are rows asked for");
            require(out.stride(2) == 1 && out.stride(1) == stride,
                    "an agent's rows of out must lie next to each other");
            require(bool(offset) == bool(factor), "offset and factor must be given together");
            if (offset) {
                require_shape(*offset, agents, features, "offset", "agents x features");
                require_shape(*factor, agents, features, "factor", "agents x features");
            }
            const int64_t n = int64_t(x.shape(0));
            require(std::all_of(rows.data(), rows.data() + rows.size(), [&](int64_t r) { return r >= 0 && r < n; }),
                    "a row number is out of range");
            bool known;
            std::vector<int64_t> bad(size_t(agents), -1);
            {
                nb::gil_scoped_release free_lock;
                known = by_type(x, [&](auto* data) {
                    parallel_ranges(
                        agents, threads_for(agents * features * stride * 4, threads), [&](int64_t begin, int64_t end) {
                            for (int64_t i = begin; i < end; ++i)
                                bad[size_t(i)] =
                                    load_dense(data, x.stride(0), x.stride(1), rows.data() + i * batch, batch, features,
                                               offset ? offset->data() + i * features : nullptr,
                                               factor ? factor->data() + i * features : nullptr,
                                               out.data() + i * out.stride(0), stride, 1);
                        });
                });
            }
            if (!known) refuse("no loader for " + type_name(x));
            const auto found = std::find_if(bad.begin(), bad.end(), [](int64_t at) { return at >= 0; });
            return int64_t(found == bad.end() ? -1 : found - bad.begin());
        },
        nb::arg("x"), nb::arg("rows").noconvert(), nb::arg("offset").noconvert().none(),
        nb::arg("factor").noconvert().none(), nb::arg("out").noconvert(), nb::arg("threads"));
}

}  // namespace

void bind_fleet_step(nb::module_& m) {
    bind_type<float>(m, "FleetCall32");
    bind_type<double>(m, "FleetCall64");
    m.def(
        "fleet_call",
        [](int64_t agents, bool wide) -> nb::object {
            require(agents >= 1, "a fleet without agents");
            if (wide) return nb::cast(FleetCall<double>(agents));
            return nb::cast(FleetCall<float>(agents));
        },
        nb::arg("agents"), nb::arg("wide"));
    bind_load<float>(m);
    bind_load<double>(m);
}

}  // namespace ts
