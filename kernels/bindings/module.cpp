// The Python module: what is in it, and what belongs to no one topic.
#include "base/views.hpp"
#include "bindings/bindings.hpp"
#include "isa/dispatch.hpp"

using namespace ts;

NB_MODULE(_kernels, m) {
    m.doc() = "Truly sparse kernels: forward, backward with update, losses, connectivity and its evolution.";
    nb::class_<UpdateRule>(m, "UpdateRule")
        .def(nb::init<>())
        .def_rw("kind", &UpdateRule::kind)
        .def_rw("learning_rate", &UpdateRule::learning_rate)
        .def_rw("momentum", &UpdateRule::momentum)
        .def_rw("l2", &UpdateRule::l2)
        .def_rw("decay", &UpdateRule::decay)
        .def_rw("beta1", &UpdateRule::beta1)
        .def_rw("beta2", &UpdateRule::beta2)
        .def_rw("epsilon", &UpdateRule::epsilon)
        .def_rw("correction1", &UpdateRule::correction1)
        .def_rw("correction2", &UpdateRule::correction2)
        .def_rw("key", &UpdateRule::key);
    bind_layers(m);
    bind_locks(m);
    bind_losses(m);
    bind_topology(m);
    bind_tiled(m);
    bind_input(m);
    bind_inference(m);
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
