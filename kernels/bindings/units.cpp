// Units of a restricted Boltzmann machine, for Python.
#include "layer/units.hpp"

#include "bindings/bindings.hpp"

namespace ts {
namespace {

template <class T>
void bind_type(nb::module_& m) {
    m.def(
        "draw_units",
        [](Rows<T> values, Maybe<Array<const T>> bias, int64_t batch, bool logistic, bool sampled, uint64_t key,
           int threads) {
            const int64_t rows = int64_t(values.shape(0)), stride = int64_t(values.shape(1));
            require_padded(stride);
            require(0 <= batch && batch <= stride, "values has fewer columns than there are samples");
            require_length(bias, rows, "bias", "one per unit");
            nb::gil_scoped_release free_lock;
            draw_units<T>({values.data(), pointer(bias), rows, batch, stride, logistic, sampled, key}, threads);
        },
        nb::arg("values").noconvert(), nb::arg("bias").noconvert().none(), nb::arg("batch"), nb::arg("logistic"),
        nb::arg("sampled"), nb::arg("key"), nb::arg("threads"));
    m.def(
        "join_phases",
        [](Rows<const T> first, Rows<const T> second, Rows<T> joined, double sign, Maybe<Array<T>> difference,
           Maybe<Array<T>> error, int threads) {
            const int64_t rows = int64_t(first.shape(0)), stride = int64_t(first.shape(1));
            require_padded(stride);
            require_shape(second, rows, stride, "second", "as first");
            require_shape(joined, rows, 2 * stride, "joined", "twice the columns of first");
            require_length(difference, rows, "difference", "one per row");
            require_length(error, rows, "error", "one per row");
            nb::gil_scoped_release free_lock;
            join_phases<T>({first.data(), second.data(), joined.data(), pointer(difference), pointer(error), T(sign),
                            rows, stride},
                           threads);
        },
        nb::arg("first").noconvert(), nb::arg("second").noconvert(), nb::arg("joined").noconvert(), nb::arg("sign"),
        nb::arg("difference").noconvert().none(), nb::arg("error").noconvert().none(), nb::arg("threads"));
    m.def(
        "flip_gains",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const T> weight, Array<const T> bias,
           Rows<const T> visible, Rows<const T> hidden, Rows<T> gain, int threads) {
            FlipArgs<T> a;
            a.by_input = view(ptr, index);
            a.stride = int64_t(visible.shape(1));
            require_padded(a.stride);
            require_length(weight, int64_t(index.shape(0)), "weight", "one per connection");
            require_length(bias, a.by_input.rows, "bias", "one per visible unit");
            require_shape(visible, a.by_input.rows, a.stride, "visible", "visible units x stride");
            require_shape(hidden, int64_t(hidden.shape(0)), a.stride, "hidden", "hidden units x stride");
            require_shape(gain, a.by_input.rows, a.stride, "gain", "as visible");
            a.weight = weight.data();
            a.bias = bias.data();
            a.visible = visible.data();
            a.hidden = hidden.data();
            a.gain = gain.data();
            nb::gil_scoped_release free_lock;
            flip_gains(a, threads);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("weight").noconvert(),
        nb::arg("bias").noconvert(), nb::arg("visible").noconvert(), nb::arg("hidden").noconvert(),
        nb::arg("gain").noconvert(), nb::arg("threads"));
}

}  // namespace

void bind_units(nb::module_& m) {
    bind_type<float>(m);
    bind_type<double>(m);
}

}  // namespace ts
