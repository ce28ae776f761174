// Layers for Python. A pass of a layer is prepared once: shapes are checked and pointers taken, which for twenty
// arrays costs more than a small layer's arithmetic. It is then called as often as its arrays stay the same.
#include "bindings/bindings.hpp"

#include "base/threads.hpp"
#include "bindings/layer_calls.hpp"

namespace ts {
namespace {

template <class T>
void bind_forward(nb::module_& m, const char* name) {
    nb::class_<ForwardCall<T>>(m, name).def("__call__", &ForwardCall<T>::run, nb::arg("key"), nb::arg("threads"));
    m.def(
        "forward",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Maybe<Array<const uint32_t>> position,
           Array<const T> weight, Array<const T> bias, Rows<const T> x, Rows<T> y, Array<const int64_t> long_rows,
           const KernelActivation& activation, Bits positive, Bits kept, double keep_probability,
           Maybe<Rows<T>> pre_activation, bool add) {
            ForwardArgs<T> a;
            a.by_output = view(ptr, index);
            a.by_output.position = pointer(position);
            const int64_t n_out = a.by_output.rows;
            a.stride = int64_t(x.shape(1));
            require_padded(a.stride);
            require_length(weight, int64_t(index.shape(0)), "weight", "one per connection");
            require_length(position, int64_t(index.shape(0)), "position", "one per connection");
            require_bias(bias, n_out);
            require_shape(y, n_out, a.stride, "y", "outputs x stride");
            a.weight = weight.data();
            a.bias = bias.shape(0) ? bias.data() : nullptr;
            a.x = x.data();
            a.y = y.data();
            if (pre_activation) require_shape(*pre_activation, n_out, a.stride, "pre_activation", "as y");
            a.epilogue = epilogue(activation, positive, kept, keep_probability, n_out * bit_stride(a.stride), 0,
                                  pointer(pre_activation));
            a.add = add;
            require(!add || (is_plain(a.epilogue) && !a.bias), "what adds has neither biases nor an activation");
            return ForwardCall<T>{
                a, int64_t(x.shape(0)), long_rows.data(), int64_t(long_rows.shape(0)),
                hold(ptr, index, position, weight, bias, x, y, long_rows, positive, kept, pre_activation)};
        },
        nb::kw_only(), nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("position").noconvert().none(),
        nb::arg("weight").noconvert(), nb::arg("bias").noconvert(), nb::arg("x").noconvert(), nb::arg("y").noconvert(),
        nb::arg("long_rows").noconvert(), nb::arg("activation"), nb::arg("positive").noconvert().none(),
        nb::arg("kept").noconvert().none(), nb::arg("keep_probability"),
        nb::arg("pre_activation").noconvert() = nb::none(), nb::arg("add") = false);
}

// Row pointers, inputs and positions of connections by output neuron.
using ByOutput = std::tuple<Array<const int64_t>, Array<const int32_t>, Array<const uint32_t>>;

// "backward" is for updates; "gradients" reads parameters only, so that they may be in read-only memory.
template <class T, class Parameter>
void bind_backward(nb::module_& m, const char* name) {
    using Gradient = Maybe<Array<T>>;
    using State = std::vector<Array<T>>;
    m.def(
        name,
        [](Array<const int64_t> ptr, Array<const int32_t> index, Array<Parameter> weight, State state,
           Gradient gradient, Array<Parameter> bias, State bias_state, Gradient bias_gradient, Rows<const T> dy,
           Rows<T> x, Maybe<Rows<T>> dx, Array<const int64_t> long_rows, const KernelActivation& activation,
           Bits positive, Bits kept, double keep_probability, Maybe<Rows<T>> pre_activation, bool add,
           const Maybe<ByOutput>& by_output) {
            BackwardArgs<T> a;
            a.by_input = view(ptr, index);
            a.n_out = int64_t(dy.shape(0));
            if (by_output) {
                const auto& [out_ptr, out_index, position] = *by_output;
                a.by_output = view(out_ptr, out_index);
                a.by_output.position = position.data();
                require(a.by_output.rows == a.n_out, "by_output has other rows than dy");
                require_length(out_index, int64_t(index.shape(0)), "by_output", "the same connections");
                require_length(position, int64_t(index.shape(0)), "by_output's positions", "one per connection");
            }
            require_bias(bias, a.n_out);
            a.stride = int64_t(x.shape(1));
            require_padded(a.stride);
            require_length(weight, int64_t(index.shape(0)), "weight", "one per connection");
            require_shape(x, a.by_input.rows, a.stride, "x", "inputs x stride");
            require_shape(dy, a.n_out, a.stride, "dy", "outputs x stride");
            if (dx) require_shape(*dx, a.by_input.rows, a.stride, "dx", "as x");
            a.weights = parameters<T>(weight, state, gradient, "an array of the weights");
            a.biases = parameters<T>(bias, bias_state, bias_gradient, "an array of the biases");
            a.dy = dy.data();
            a.x = x.data();
            a.dx = dx ? dx->data() : nullptr;
            if (pre_activation) require_shape(*pre_activation, a.by_input.rows, a.stride, "pre_activation", "as x");
            a.input = epilogue(activation, positive, kept, keep_probability, a.by_input.rows * bit_stride(a.stride), 0,
                               pointer(pre_activation));
            require_derivative(a.input, a.dx);
            a.add = add;
            require(!add || is_plain(a.input), "what adds has an input without an activation");
            return BackwardCall<T>{a,
                                   long_rows.data(),
                                   int64_t(long_rows.shape(0)),
                                   std::is_const_v<Parameter>,
                                   bias.shape(0) > 0,
                                   hold(ptr, index, weight, state, gradient, bias, bias_state, bias_gradient, dy, x, dx,
                                        long_rows, positive, kept, pre_activation, by_output)};
        },
        nb::kw_only(), nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("weight").noconvert(),
        nb::arg("state").noconvert(), nb::arg("gradient").noconvert().none(), nb::arg("bias").noconvert(),
        nb::arg("bias_state").noconvert(), nb::arg("bias_gradient").noconvert().none(), nb::arg("dy").noconvert(),
        nb::arg("x").noconvert(), nb::arg("dx").noconvert().none(), nb::arg("long_rows").noconvert(),
        nb::arg("activation"), nb::arg("positive").noconvert().none(), nb::arg("kept").noconvert().none(),
        nb::arg("keep_probability"), nb::arg("pre_activation").noconvert() = nb::none(), nb::arg("add") = false,
        nb::arg("by_output") = nb::none());
}

// Runs body(chain, threads) for each of `count` chains of calls: side by side on a thread each where there are as many
// as threads, else one after the other on all threads.
template <class Body>
void over_chains(int64_t count, int threads, Body&& body) {
    if (count > 1 && count >= threads) {
        parallel_for(count, threads, [&](int64_t chain) { numbered_anew([&] { body(chain, 1); }); });
    } else {
        for (int64_t chain = 0; chain < count; ++chain) body(chain, threads);
    }
}

// Whole passes in one call each. A chain is a pass through the layers of one network; chains share nothing that they
// write.
template <class T>
void bind_chains(nb::module_& m) {
    m.def(
        "run_forward",
        [](const std::vector<std::vector<const ForwardCall<T>*>>& chains,
           const std::vector<std::vector<uint64_t>>& keys, int threads) {
            require(keys.size() == chains.size(), "keys for each chain");
            for (size_t c = 0; c < chains.size(); ++c)
                require(keys[c].size() >= chains[c].size(), "a key for each layer");
            nb::gil_scoped_release free_lock;
            over_chains(int64_t(chains.size()), threads, [&](int64_t c, int inner) {
                for (size_t layer = 0; layer < chains[size_t(c)].size(); ++layer)
                    chains[size_t(c)][layer]->compute(keys[size_t(c)][layer], inner);
            });
        },
        nb::arg("chains"), nb::arg("keys"), nb::arg("threads"));
    m.def(
        "run_backward",
        [](const std::vector<std::vector<std::pair<std::vector<const BackwardCall<T>*>, UpdateRule>>>& chains,
           int threads) {
            for (const auto& chain : chains)
                for (const auto& [calls, rule] : chain)
                    for (const BackwardCall<T>* call : calls) call->check(rule);
            nb::gil_scoped_release free_lock;
            over_chains(int64_t(chains.size()), threads, [&](int64_t c, int inner) {
                for (const auto& [calls, rule] : chains[size_t(c)])
                    for (const BackwardCall<T>* call : calls) call->compute(rule, inner);
            });
        },
        nb::arg("chains"), nb::arg("threads"));
}

// The gradient at any positions, for growth rules: without parameters and without the gradient of the input.
template <class T>
void bind_gradient_at(nb::module_& m) {
    m.def(
        "gradient_at",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Rows<const T> x, Rows<const T> dy, Array<T> out,
           int threads) {
            BackwardArgs<T> a;
            a.by_input = view(ptr, index);
            a.n_out = int64_t(dy.shape(0));
            a.stride = int64_t(x.shape(1));
            require_padded(a.stride);
            require_shape(x, a.by_input.rows, a.stride, "x", "inputs x stride");
            require_shape(dy, a.n_out, a.stride, "dy", "outputs x stride");
            require_length(out, int64_t(index.shape(0)), "out", "one per position");
            a.weights = {out.data(), nullptr, nullptr, out.data()};  // values are neither read nor written
            a.weight_update.kind = Update::gradient;
            a.dy = dy.data();
            a.x = const_cast<T*>(x.data());
            nb::gil_scoped_release free_lock;
            const std::vector<int64_t> rows = long_rows(a.by_input.ptr, a.by_input.rows);
            backward(a, rows.data(), int64_t(rows.size()), threads);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("x").noconvert(), nb::arg("dy").noconvert(),
        nb::arg("out").noconvert(), nb::arg("threads"));
}

template <class T>
void bind_update(nb::module_& m) {
    using Slot = Maybe<Array<T>>;
    m.def(
        "update",
        [](Array<T> value, Slot slot0, Slot slot1, std::vector<std::pair<Array<const T>, double>> gradients,
           const UpdateRule& rule, bool bias, int threads) {
            const int64_t size = int64_t(value.shape(0));
            require(rule.updates(), "a rule that updates");
            require_length(slot0, size, "slot0", "one value of optimizer state per parameter");
            require_length(slot1, size, "slot1", "one value of optimizer state per parameter");
            require(rule.kind == Update::sgd || slot0, "this rule needs its state");
            require(rule.kind != Update::adam || slot1, "Adam needs two states");
            require(!gradients.empty(), "at least one gradient");
            std::vector<Scaled<T>> scaled;
            for (const auto& [gradient, scale] : gradients) {
                require_length(gradient, size, "a gradient", "one per parameter");
                scaled.push_back({gradient.data(), T(scale)});
            }
            nb::gil_scoped_release free_lock;
            update<T>(rule.args<T>(bias), {value.data(), pointer(slot0), pointer(slot1), nullptr}, scaled, size,
                      threads);
        },
        nb::arg("value").noconvert(), nb::arg("slot0").noconvert().none(), nb::arg("slot1").noconvert().none(),
        nb::arg("gradients"), nb::arg("rule"), nb::arg("bias"), nb::arg("threads"));
}

template <class T>
void bind_type(nb::module_& m, const char* forward_name, const char* backward_name) {
    bind_forward<T>(m, forward_name);
    nb::class_<BackwardCall<T>>(m, backward_name)
        .def("__call__", &BackwardCall<T>::run, nb::arg("rule"), nb::arg("threads"));
    bind_backward<T, T>(m, "backward");
    bind_backward<T, const T>(m, "gradients");
    bind_chains<T>(m);
    bind_gradient_at<T>(m);
    bind_update<T>(m);
}

}  // namespace

void bind_layers(nb::module_& m) {
    bind_type<float>(m, "ForwardCall32", "BackwardCall32");
    bind_type<double>(m, "ForwardCall64", "BackwardCall64");
}

}  // namespace ts
