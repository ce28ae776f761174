// Layers on matrices of samples that others own, by address: what they are was checked where the tensors are known.
#include "base/bfloat16.hpp"
#include "base/threads.hpp"
#include "bindings/bindings.hpp"
#include "layer/sample_passes.hpp"

namespace ts {
namespace {

// Connections prepared for passes; holds the arrays.
struct SampleLayer {
    LayerTopology topology;
    Array<const int64_t> in_ptr, out_ptr, long_inputs, long_outputs;
    Array<const int32_t> in_index, out_index;
    Array<const uint32_t> position;
};

// How samples are held: as torch's float32, bfloat16 or float64.
enum class Held : int { float32 = 0, bfloat16 = 1, float64 = 2 };

// Address, and strides of samples and features.
using Place = std::tuple<uint64_t, int64_t, int64_t>;

template <class S>
Samples<S> samples(const Place& place) {
    return {reinterpret_cast<S*>(std::get<0>(place)), std::get<1>(place), std::get<2>(place)};
}

// What begins a parallel region of the tensors' library, or null.
ParallelRegion parallel_region = nullptr;

template <class Body>
void with_types(Held held, Body&& body) {
    nb::gil_scoped_release free_lock;
    const BorrowedThreads threads(parallel_region);
    switch (held) {
        case Held::float32: return body(float(), float());
        case Held::bfloat16: return body(bf16(), float());
        case Held::float64: return body(double(), double());
    }
}

template <class T>
T* at(uint64_t address) {
    return reinterpret_cast<T*>(address);
}

}  // namespace

void bind_samples(nb::module_& m) {
    nb::enum_<Held>(m, "Held", nb::is_arithmetic())
        .value("FLOAT32", Held::float32)
        .value("BFLOAT16", Held::bfloat16)
        .value("FLOAT64", Held::float64);
    m.def(
        "borrow_threads", [](uint64_t address) { parallel_region = reinterpret_cast<ParallelRegion>(address); },
        nb::arg("address"));
    nb::class_<SampleLayer>(m, "SampleLayer")
        .def(
            "__init__",
            [](SampleLayer* self, Array<const int64_t> in_ptr, Array<const int32_t> in_index,
               Array<const int64_t> out_ptr, Array<const int32_t> out_index, Array<const uint32_t> position,
               Array<const int64_t> long_inputs, Array<const int64_t> long_outputs) {
                LayerTopology t;
                t.by_input = view(in_ptr, in_index);
                t.by_output = view(out_ptr, out_index);
                t.by_output.position = position.data();
                t.n_in = t.by_input.rows;
                t.n_out = t.by_output.rows;
                require_length(out_index, int64_t(in_index.shape(0)), "out_index", "the same connections");
                require_length(position, int64_t(in_index.shape(0)), "position", "one per connection");
                t.long_inputs = long_inputs.data();
                t.n_long_inputs = int64_t(long_inputs.shape(0));
                t.long_outputs = long_outputs.data();
                t.n_long_outputs = int64_t(long_outputs.shape(0));
                new (self) SampleLayer{t, in_ptr, out_ptr, long_inputs, long_outputs, in_index, out_index, position};
            },
            nb::kw_only(), nb::arg("in_ptr").noconvert(), nb::arg("in_index").noconvert(),
            nb::arg("out_ptr").noconvert(), nb::arg("out_index").noconvert(), nb::arg("position").noconvert(),
            nb::arg("long_inputs").noconvert(), nb::arg("long_outputs").noconvert())
        .def(
            "forward",
            [](const SampleLayer& self, Held held, uint64_t weight, uint64_t bias, const Place& x, const Place& y,
               int64_t count, int threads) {
                with_types(held, [&](auto s, auto t) {
                    using S = decltype(s);
                    using T = decltype(t);
                    forward_samples<S, T>(self.topology, at<const T>(weight), at<const T>(bias), samples<const S>(x),
                                          samples<S>(y), count, threads);
                });
            },
            nb::arg("held"), nb::arg("weight"), nb::arg("bias"), nb::arg("x"), nb::arg("y"), nb::arg("count"),
            nb::arg("threads"))
        .def(
            "backward",
            [](const SampleLayer& self, Held held, uint64_t weight, const Place& x, const Place& dy, const Place& dx,
               uint64_t weight_gradient, uint64_t bias_gradient, int64_t count, int threads) {
                with_types(held, [&](auto s, auto t) {
                    using S = decltype(s);
                    using T = decltype(t);
                    backward_samples<S, T>(self.topology, at<const T>(weight), samples<const S>(x),
                                           samples<const S>(dy), samples<S>(dx), at<T>(weight_gradient),
                                           at<T>(bias_gradient), count, threads);
                });
            },
            nb::arg("held"), nb::arg("weight"), nb::arg("x"), nb::arg("dy"), nb::arg("dx"), nb::arg("weight_gradient"),
            nb::arg("bias_gradient"), nb::arg("count"), nb::arg("threads"));
}

}  // namespace ts
