// Losses and output activations for Python.
#include "bindings/bindings.hpp"

#include "base/threads.hpp"
#include "layer/losses.hpp"

#include <algorithm>

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
        "loss_and_gradient_each",
        [](Loss kind, nb::ndarray<T, nb::ndim<3>, nb::c_contig, nb::device::cpu> z, int64_t batch,
           Maybe<nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>> labels,
           Maybe<nb::ndarray<const T, nb::ndim<3>, nb::c_contig, nb::device::cpu>> targets,
           Array<const T> sample_weight, Array<double> losses, int threads, double delta, bool summed) {
            LossArgs<T> a;
            a.kind = kind;
            a.outputs = int64_t(z.shape(1));
            a.stride = int64_t(z.shape(2));
            a.batch = batch;
            a.delta = delta;
            a.summed = summed;
            a.sample_weight = sample_weight.data();
            const int64_t agents = int64_t(z.shape(0)), values = a.outputs * a.stride;
            require(batch <= a.stride, "z has fewer columns than the batch has samples");
            require_length(sample_weight, a.stride, "sample_weight", "one per column of z");
            require_length(losses, agents, "losses", "one per agent");
            if (kind == Loss::softmax_cross_entropy) {
                require(labels && int64_t(labels->shape(0)) == agents && int64_t(labels->shape(1)) == batch,
                        "one label a sample");
                require(std::all_of(labels->data(), labels->data() + labels->size(),
                                    [&](int32_t label) { return label >= 0 && label < a.outputs; }),
                        "a label is out of range");
            } else {
                require(targets && int64_t(targets->shape(0)) == agents && int64_t(targets->shape(1)) == a.outputs &&
                            int64_t(targets->shape(2)) == a.stride,
                        "targets must have the shape of z");
            }
            nb::gil_scoped_release free_lock;
            parallel_ranges(agents, threads_for(agents * values * 8, threads), [&](int64_t begin, int64_t end) {
                numbered_anew([&] {
                    for (int64_t i = begin; i < end; ++i) {
                        LossArgs<T> own = a;
                        own.z = z.data() + i * values;
                        own.label = labels ? labels->data() + i * batch : nullptr;
                        own.target = targets ? targets->data() + i * values : nullptr;
                        losses.data()[i] = loss_and_gradient(own, 1);
                    }
                });
            });
        },
        nb::arg("kind"), nb::arg("z").noconvert(), nb::arg("batch"), nb::arg("labels").noconvert().none(),
        nb::arg("targets").noconvert().none(), nb::arg("sample_weight").noconvert(), nb::arg("losses").noconvert(),
        nb::arg("threads"), nb::arg("delta") = 1.0, nb::arg("summed") = false);
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
