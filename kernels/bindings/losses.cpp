// Losses and output activations for Python.
#include "bindings/bindings.hpp"

#include "layer/losses.hpp"

namespace ts {
namespace {

template <class T>
void bind_type(nb::module_& m) {
    m.def(
        "loss_and_gradient",
        [](Loss kind, Rows<T> z, int64_t batch, Maybe<Array<const int32_t>> label, Maybe<Rows<const T>> target,
           Array<const T> sample_weight, int threads, double delta, bool summed) {
            LossArgs<T> a;
            a.kind = kind;
            a.outputs = int64_t(z.shape(0));
            a.stride = int64_t(z.shape(1));
            a.batch = batch;
            a.delta = delta;
            a.summed = summed;
            require(batch <= a.stride, "z has fewer columns than the batch has samples");
            require_length(sample_weight, a.stride, "sample_weight", "one per column of z");
            if (a.kind == Loss::softmax_cross_entropy) {
                require(label && int64_t(label->shape(0)) >= batch, "one label a sample");
                for (int64_t b = 0; b < batch; ++b)
                    if (label->data()[b] < 0 || label->data()[b] >= a.outputs)
                        refuse("label " + std::to_string(label->data()[b]) + " of " + std::to_string(a.outputs) +
                               " outputs is out of range");
            } else {
                require(bool(target), "this loss needs targets");
                require_shape(*target, a.outputs, a.stride, "target", "outputs x stride");
            }
            a.z = z.data();
            a.label = pointer(label);
            a.target = target ? target->data() : nullptr;
            a.sample_weight = sample_weight.data();
            nb::gil_scoped_release free_lock;
            return loss_and_gradient(a, threads);
        },
        nb::arg("kind"), nb::arg("z").noconvert(), nb::arg("batch"), nb::arg("label").noconvert().none(),
        nb::arg("target").noconvert().none(), nb::arg("sample_weight").noconvert(), nb::arg("threads"),
        nb::arg("delta") = 1.0, nb::arg("summed") = false);
    m.def(
        "softmax",
        [](Rows<T> z, int threads) {
            nb::gil_scoped_release free_lock;
            softmax(z.data(), int64_t(z.shape(0)), int64_t(z.shape(1)), threads);
        },
        nb::arg("z").noconvert(), nb::arg("threads"));
    m.def(
        "sigmoid",
        [](Rows<T> z, int threads) {
            nb::gil_scoped_release free_lock;
            sigmoid(z.data(), int64_t(z.size()), threads);
        },
        nb::arg("z").noconvert(), nb::arg("threads"));
}

}  // namespace

void bind_losses(nb::module_& m) {
    bind_type<float>(m);
    bind_type<double>(m);
}

}  // namespace ts
