// Layers for Python. A pass of a layer is prepared once: shapes are checked and pointers taken, which for twenty
// arrays costs more than a small layer's arithmetic. It is then called as often as its arrays stay the same.
#include "bindings/bindings.hpp"

#include <memory>
#include <tuple>

#include "layer/passes.hpp"

namespace ts {
namespace {

Epilogue epilogue(int activation, double slope, const Maybe<Array<uint8_t>>& positive,
                  const Maybe<Array<uint8_t>>& kept, double keep_probability, int64_t rows, int64_t stride) {
    const size_t bits = size_t(rows * bit_stride(stride));
    require(!positive || positive->shape(0) >= bits, "activation bits are too short");
    require(!kept || kept->shape(0) >= bits, "dropout bits are too short");
    return {Activation(activation), slope, pointer(positive), pointer(kept), keep_probability, 0};
}

// Keeps arrays alive, whatever their types.
template <class... A>
std::shared_ptr<void> hold(const A&... arrays) {
    return std::make_shared<std::tuple<A...>>(arrays...);
}

template <class T>
struct ForwardCall {
    ForwardArgs<T> args;
    int64_t n_in;
    const int64_t* long_rows;
    int64_t n_long;
    std::shared_ptr<void> held;

    void run(uint64_t key, int threads) const {
        nb::gil_scoped_release free_lock;
        ForwardArgs<T> a = args;
        a.epilogue.key = key;
        forward(a, n_in, long_rows, n_long, threads);
    }
};

template <class T>
void bind_forward(nb::module_& m, const char* name) {
    nb::class_<ForwardCall<T>>(m, name).def("__call__", &ForwardCall<T>::run, nb::arg("key"), nb::arg("threads"));
    m.def(
        "forward",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Maybe<Array<const uint32_t>> position,
           Array<const T> weight, Array<const T> bias, Rows<const T> x, Rows<T> y, Array<const int64_t> long_rows,
           int activation, double slope, Maybe<Array<uint8_t>> positive, Maybe<Array<uint8_t>> kept,
           double keep_probability) {
            ForwardArgs<T> a;
            a.by_output = view(ptr, index);
            a.by_output.position = pointer(position);
            require(weight.shape(0) == index.shape(0), "one weight a connection");
            require(!position || position->shape(0) == index.shape(0), "one position a connection");
            require(bias.shape(0) == size_t(a.by_output.rows), "one bias an output neuron");
            require(y.shape(0) == size_t(a.by_output.rows) && y.shape(1) == x.shape(1), "y is outputs x stride");
            a.weight = weight.data();
            a.bias = bias.data();
            a.x = x.data();
            a.y = y.data();
            a.stride = int64_t(x.shape(1));
            require(padded_batch(a.stride) == a.stride, "the stride is not a padded batch size");
            a.epilogue = epilogue(activation, slope, positive, kept, keep_probability, a.by_output.rows, a.stride);
            return ForwardCall<T>{a, int64_t(x.shape(0)), long_rows.data(), int64_t(long_rows.shape(0)),
                                  hold(ptr, index, position, weight, bias, x, y, long_rows, positive, kept)};
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("position").noconvert().none(),
        nb::arg("weight").noconvert(), nb::arg("bias").noconvert(), nb::arg("x").noconvert(), nb::arg("y").noconvert(),
        nb::arg("long_rows").noconvert(), nb::arg("activation"), nb::arg("slope"),
        nb::arg("positive").noconvert().none(), nb::arg("kept").noconvert().none(), nb::arg("keep_probability"));
}

template <class T>
struct BackwardCall {
    BackwardArgs<T> args;
    const int64_t* long_rows;
    int64_t n_long;
    bool read_only;
    std::shared_ptr<void> held;

    void run(const UpdateRule& rule, int threads) const {
        BackwardArgs<T> a = args;
        const Update kind = Update(rule.kind);
        require(!read_only || kind == Update::none || kind == Update::gradient, "parameters are read-only");
        require(kind != Update::gradient || (a.weights.gradient && a.biases.gradient),
                "gradients need somewhere to go");
        require(kind != Update::nesterov || (a.weights.slot0 && a.biases.slot0), "Nesterov momentum needs its state");
        require(kind != Update::adam || (a.weights.slot0 && a.weights.slot1 && a.biases.slot0 && a.biases.slot1),
                "Adam needs two states");
        a.weight_update = rule.args<T>(false);
        a.bias_update = rule.args<T>(true);
        nb::gil_scoped_release free_lock;
        backward(a, long_rows, n_long, threads);
    }
};

// "backward" is for updates; "gradients" reads parameters only, so that they may be in memory that is not to be
// written.
template <class T, class Parameter>
void bind_backward(nb::module_& m, const char* name) {
    using Slot = Maybe<Array<T>>;
    m.def(
        name,
        [](Array<const int64_t> ptr, Array<const int32_t> index, Array<Parameter> weight, Slot slot0, Slot slot1,
           Slot gradient, Array<Parameter> bias, Slot bias_slot0, Slot bias_slot1, Slot bias_gradient, Rows<const T> dy,
           Rows<T> x, Maybe<Rows<T>> dx, Array<const int64_t> long_rows, int activation, double slope,
           Maybe<Array<uint8_t>> positive, Maybe<Array<uint8_t>> kept, double keep_probability) {
            BackwardArgs<T> a;
            a.by_input = view(ptr, index);
            require(weight.shape(0) == index.shape(0), "one weight a connection");
            for (const Slot* s : {&slot0, &slot1, &gradient})
                require(!*s || (*s)->shape(0) == weight.shape(0), "one value of optimizer state a connection");
            for (const Slot* s : {&bias_slot0, &bias_slot1, &bias_gradient})
                require(!*s || (*s)->shape(0) == bias.shape(0), "one value of optimizer state a bias");
            require(dy.shape(0) == bias.shape(0) && dy.shape(1) == x.shape(1), "dy is outputs x stride");
            require(x.shape(0) == size_t(a.by_input.rows), "x is inputs x stride");
            require(!dx || (dx->shape(0) == x.shape(0) && dx->shape(1) == x.shape(1)), "dx has the shape of x");
            a.weights = {const_cast<T*>(weight.data()), pointer(slot0), pointer(slot1), pointer(gradient)};
            a.biases = {const_cast<T*>(bias.data()), pointer(bias_slot0), pointer(bias_slot1), pointer(bias_gradient)};
            a.n_out = int64_t(bias.shape(0));
            a.dy = dy.data();
            a.x = x.data();
            a.dx = dx ? dx->data() : nullptr;
            a.stride = int64_t(x.shape(1));
            require(padded_batch(a.stride) == a.stride, "the stride is not a padded batch size");
            a.input = epilogue(activation, slope, positive, kept, keep_probability, a.by_input.rows, a.stride);
            require(!a.dx || a.input.kind != Activation::leaky || a.input.positive,
                    "the activation's bits are missing");
            return BackwardCall<T>{a, long_rows.data(), int64_t(long_rows.shape(0)), std::is_const_v<Parameter>,
                                   hold(ptr, index, weight, slot0, slot1, gradient, bias, bias_slot0, bias_slot1,
                                        bias_gradient, dy, x, dx, long_rows, positive, kept)};
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("weight").noconvert(),
        nb::arg("slot0").noconvert().none(), nb::arg("slot1").noconvert().none(),
        nb::arg("gradient").noconvert().none(), nb::arg("bias").noconvert(), nb::arg("bias_slot0").noconvert().none(),
        nb::arg("bias_slot1").noconvert().none(), nb::arg("bias_gradient").noconvert().none(),
        nb::arg("dy").noconvert(), nb::arg("x").noconvert(), nb::arg("dx").noconvert().none(),
        nb::arg("long_rows").noconvert(), nb::arg("activation"), nb::arg("slope"),
        nb::arg("positive").noconvert().none(), nb::arg("kept").noconvert().none(), nb::arg("keep_probability"));
}

template <class T>
void bind_update(nb::module_& m) {
    using Slot = Maybe<Array<T>>;
    m.def(
        "update",
        [](Array<T> value, Slot slot0, Slot slot1, std::vector<std::pair<Array<const T>, double>> gradients,
           const UpdateRule& rule, bool bias, int threads) {
            const Update kind = Update(rule.kind);
            require(kind == Update::sgd || kind == Update::nesterov || kind == Update::adam, "an update rule");
            for (const Slot* s : {&slot0, &slot1})
                require(!*s || (*s)->shape(0) == value.shape(0), "one value of optimizer state a parameter");
            require(kind == Update::sgd || slot0, "this rule needs its state");
            require(kind != Update::adam || slot1, "Adam needs two states");
            require(!gradients.empty(), "at least one gradient");
            std::vector<Scaled<T>> scaled;
            for (const auto& [gradient, scale] : gradients) {
                require(gradient.shape(0) == value.shape(0), "one gradient a parameter");
                scaled.push_back({gradient.data(), T(scale)});
            }
            nb::gil_scoped_release free_lock;
            update<T>(rule.args<T>(bias), {value.data(), pointer(slot0), pointer(slot1), nullptr}, scaled,
                      int64_t(value.shape(0)), threads);
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
    bind_update<T>(m);
}

}  // namespace

void bind_layers(nb::module_& m) {
    bind_type<float>(m, "ForwardCall32", "BackwardCall32");
    bind_type<double>(m, "ForwardCall64", "BackwardCall64");
}

}  // namespace ts
