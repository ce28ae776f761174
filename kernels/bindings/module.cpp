// The Python module: what is in it, and what belongs to no one topic.
#include "base/random.hpp"
#include "base/views.hpp"
#include "bindings/bindings.hpp"
#include "bindings/update_rule.hpp"
#include "isa/dispatch.hpp"
#include "layer/norm.hpp"

namespace ts {
namespace {

// Their numeric values are never stored in files: Python and C++ use the same names.
void bind_enums(nb::module_& m) {
    nb::enum_<Activation>(m, "Activation", nb::is_arithmetic())
        .value("IDENTITY", Activation::identity)
        .value("LEAKY", Activation::leaky)
        .value("TANH", Activation::tanh)
        .value("SIGMOID", Activation::sigmoid)
        .value("GELU", Activation::gelu)
        .value("SILU", Activation::silu);
    nb::enum_<Update>(m, "Update", nb::is_arithmetic())
        .value("NONE", Update::none)
        .value("GRADIENT", Update::gradient)
        .value("SGD", Update::sgd)
        .value("NESTEROV", Update::nesterov)
        .value("ADAM", Update::adam);
    nb::enum_<Loss>(m, "Loss", nb::is_arithmetic())
        .value("SOFTMAX_CROSS_ENTROPY", Loss::softmax_cross_entropy)
        .value("BINARY_CROSS_ENTROPY", Loss::binary_cross_entropy)
        .value("MEAN_SQUARED_ERROR", Loss::mean_squared_error)
        .value("HUBER", Loss::huber);
    nb::class_<WeightScale>(m, "WeightScale")
        .def(
            "__init__",
            [](WeightScale* scale, double value, bool by_fan_in, double added, double most) {
                new (scale) WeightScale{value, by_fan_in, added, most};
            },
            nb::arg("scale"), nb::arg("by_fan_in") = false, nb::arg("added") = 0.0, nb::arg("most") = 1e300)
        .def_ro("scale", &WeightScale::scale)
        .def_ro("by_fan_in", &WeightScale::by_fan_in)
        .def("of", &WeightScale::of, nb::arg("fan_in"));
    nb::implicitly_convertible<double, WeightScale>();
    nb::enum_<Draw>(m, "Draw", nb::is_arithmetic()).value("UNIFORM", Draw::uniform).value("NORMAL", Draw::normal);
}

void bind_update_rule(nb::module_& m) {
    nb::class_<UpdateRule>(m, "UpdateRule")
        .def(
            "__init__",
            [](UpdateRule* self, Update kind, double learning_rate, double momentum, double l2, double decay,
               double beta1, double beta2, double epsilon, double correction1, double correction2) {
                new (self) UpdateRule{kind,  learning_rate, momentum, l2,          decay,
                                      beta1, beta2,         epsilon,  correction1, correction2};
            },
            nb::arg("kind") = Update::none, nb::kw_only(), nb::arg("learning_rate") = 0.0, nb::arg("momentum") = 0.0,
            nb::arg("l2") = 0.0, nb::arg("decay") = 0.0, nb::arg("beta1") = 0.0, nb::arg("beta2") = 0.0,
            nb::arg("epsilon") = 0.0, nb::arg("correction1") = 1.0, nb::arg("correction2") = 1.0)
        .def_rw("kind", &UpdateRule::kind)
        .def_prop_ro("updates", &UpdateRule::updates)
        .def_rw("learning_rate", &UpdateRule::learning_rate)
        .def_rw("momentum", &UpdateRule::momentum)
        .def_rw("l2", &UpdateRule::l2)
        .def_rw("decay", &UpdateRule::decay)
        .def_rw("beta1", &UpdateRule::beta1)
        .def_rw("beta2", &UpdateRule::beta2)
        .def_rw("epsilon", &UpdateRule::epsilon)
        .def_rw("correction1", &UpdateRule::correction1)
        .def_rw("correction2", &UpdateRule::correction2)
        .def_rw("add", &UpdateRule::add)
        .def_rw("key", &UpdateRule::key);
}

template <class T>
void bind_norm(nb::module_& m) {
    m.def(
        "sum_of_squares",
        [](Array<const T> values, int threads) {
            nb::gil_scoped_release free_lock;
            return sum_of_squares(values.data(), int64_t(values.shape(0)), threads);
        },
        nb::arg("values").noconvert(), nb::arg("threads"));
}

}  // namespace
}  // namespace ts

using namespace ts;

NB_MODULE(_kernels, m) {
    // PyTorch keeps operators, and what they refer to, until after the interpreter has ended.
    nb::set_leak_warnings(false);
    m.doc() = "Truly sparse kernels: forward, backward with update, losses, connectivity and its evolution.";
    bind_enums(m);
    bind_update_rule(m);
    bind_norm<float>(m);
    bind_norm<double>(m);
    bind_layers(m);
    bind_locks(m);
    bind_losses(m);
    bind_topology(m);
    bind_fleet_topology(m);
    bind_paths(m);
    bind_soft_update(m);
    bind_units(m);
    bind_tiled(m);
    bind_input(m);
    bind_inference(m);
    bind_fleet(m);
    bind_fleet_step(m);
    bind_samples(m);
    m.def(
        "empty_bytes",
        [](int64_t size) {
            require(size >= 0, "a size is at least 0");
            return give(Buffer<uint8_t>(size));
        },
        nb::arg("size"));
    m.def("padded_batch", [](int64_t batch) { return padded_batch(batch); }, nb::arg("batch"));
    m.def("bit_stride", [](int64_t stride) { return bit_stride(stride); }, nb::arg("stride"));
    m.def("available_isas", &available_isas);
    m.def("current_isa", [] { return current_isa(); });
    m.def("use_isa", &use_isa, nb::arg("name"));
}
