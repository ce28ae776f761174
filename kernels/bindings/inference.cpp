// Frozen networks for Python.
#include "bindings/bindings.hpp"

#include <algorithm>
#include <atomic>

#include "base/threads.hpp"
#include "bindings/any_matrix.hpp"
#include "inference/frozen.hpp"
#include "input/batch.hpp"
#include "layer/losses.hpp"
#include "topology/sampling.hpp"

namespace ts {
namespace {

template <class T>
void bind_frozen(nb::module_& m, const char* name) {
    nb::class_<FrozenNetwork<T>>(m, name)
        .def(nb::init<int64_t>(), nb::arg("inputs"))
        .def(
            "append",
            [](FrozenNetwork<T>& net, Array<const int64_t> ptr, Array<const int32_t> index,
               Array<const uint32_t> position, Array<const T> weight, Array<const T> bias,
               const KernelActivation& activation, bool side) {
                Connections con = view(ptr, index);
                require_length(position, int64_t(index.shape(0)), "position", "one per connection");
                require_length(weight, int64_t(index.shape(0)), "weight", "one per connection");
                require_length(bias, con.rows, "bias", "one per output neuron");
                require(first_invalid(con, side ? net.inputs() : net.outputs()) < 0, "an index is out of range");
                require(!side || con.rows == net.outputs(), "a layer beside the others gives their outputs");
                con.position = position.data();
                nb::gil_scoped_release free_lock;
                net.append(con, weight.data(), bias.data(), activation.first, activation.second, side);
            },
            nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("position").noconvert(),
            nb::arg("weight").noconvert(), nb::arg("bias").noconvert(), nb::arg("activation"), nb::arg("side") = false)
        .def(
            "run",
            [](const FrozenNetwork<T>& net, AnyMatrix x, Scale offset, Scale factor, Rows<T> out, bool softmaxed,
               int threads) {
                const int64_t samples = int64_t(x.shape(0)), inputs = net.inputs(), outputs = net.outputs();
                require_shape(x, samples, inputs, "x", "samples x inputs");
                require_shape(out, samples, outputs, "out", "samples x outputs");
                require_scaling(offset, factor, inputs);
                std::atomic<int64_t> bad{-1};
                bool known;
                {
                    nb::gil_scoped_release free_lock;
                    known = by_type(x, [&](auto* data) {
                        parallel_ranges(samples, threads, [&](int64_t begin, int64_t end) {
                            Buffer<T> scratch(net.scratch_size());
                            for (int64_t s = begin; s < end; ++s) {
                                const int64_t wrong =
                                    load_dense(data, x.stride(0), x.stride(1), &s, 1, inputs, pointer(offset),
                                               pointer(factor), scratch.data(), 1, 1);
                                if (wrong >= 0) {
                                    const int64_t here = s * inputs + wrong;
                                    int64_t first = bad;
                                    while ((first < 0 || here < first) && !bad.compare_exchange_weak(first, here)) {}
                                }
                                T* z = out.data() + s * outputs;
                                std::copy_n(net.run(scratch.data()), outputs, z);
                                if (softmaxed) softmax(z, outputs, 1, 1);
                            }
                        });
                    });
                }
                if (!known) refuse("no loader for " + type_name(x));
                return bad.load();
            },
            nb::arg("x"), nb::arg("offset").noconvert().none(), nb::arg("factor").noconvert().none(),
            nb::arg("out").noconvert(), nb::arg("softmaxed"), nb::arg("threads"));
}

}  // namespace

void bind_inference(nb::module_& m) {
    bind_frozen<float>(m, "FrozenNetwork32");
    bind_frozen<double>(m, "FrozenNetwork64");
}

}  // namespace ts
