// Batches for Python: samples x features become neurons x batch.
#include "bindings/bindings.hpp"

#include "bindings/any_matrix.hpp"
#include "input/batch.hpp"
#include "input/corrupt.hpp"

namespace ts {
namespace {

template <class T>
void bind_type(nb::module_& m) {
    m.def(
        "load_dense",
        [](AnyMatrix x, Array<const int64_t> rows, Scale offset, Scale factor, Rows<T> out, int threads) {
            const int64_t features = int64_t(x.shape(1)), batch = int64_t(rows.shape(0)),
                          stride = int64_t(out.shape(1));
            require_length(out, features, "out", "one row per feature");
            require(batch <= stride, "out has fewer columns than there are rows asked for");
            require_scaling(offset, factor, features);
            for (int64_t b = 0; b < batch; ++b)
                require(rows.data()[b] >= 0 && rows.data()[b] < int64_t(x.shape(0)), "a row number is out of range");
            int64_t bad = -1;
            bool known;
            {
                nb::gil_scoped_release free_lock;
                known = by_type(x, [&](auto* data) {
                    bad = load_dense(data, x.stride(0), x.stride(1), rows.data(), batch, features, pointer(offset),
                                     pointer(factor), out.data(), stride, threads);
                });
            }
            if (!known) refuse("no loader for " + type_name(x));
            return bad;
        },
        nb::arg("x"), nb::arg("rows").noconvert(), nb::arg("offset").noconvert().none(),
        nb::arg("factor").noconvert().none(), nb::arg("out").noconvert(), nb::arg("threads"));
    m.def(
        "load_sparse",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const T> value, Scale offset, Scale factor,
           Rows<T> out, int threads) {
            const Connections con = view(ptr, index);
            const int64_t features = int64_t(out.shape(0)), stride = int64_t(out.shape(1));
            require_length(value, int64_t(index.shape(0)), "value", "one per stored value");
            require(con.rows <= stride, "out has fewer columns than there are samples");
            require_scaling(offset, factor, features);
            for (size_t k = 0; k < index.shape(0); ++k)
                require(index.data()[k] >= 0 && index.data()[k] < features, "a column number is out of range");
            nb::gil_scoped_release free_lock;
            return load_sparse(con.ptr, con.index, value.data(), con.rows, features, pointer(offset), pointer(factor),
                               out.data(), stride, threads);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("value").noconvert(),
        nb::arg("offset").noconvert().none(), nb::arg("factor").noconvert().none(), nb::arg("out").noconvert(),
        nb::arg("threads"));
    m.def(
        "store_dense",
        [](nb::ndarray<const T, nb::ndim<2>, nb::device::cpu> from, Scale factor, Rows<T> out, int threads) {
            const int64_t features = int64_t(from.shape(0)), batch = int64_t(out.shape(0));
            require(int64_t(out.shape(1)) == features, "out has another number of columns than there are features");
            require(batch <= int64_t(from.shape(1)), "out has more rows than there are samples");
            require(from.stride(1) == 1 || batch == 1, "the samples of a feature lie apart");
            require_length(factor, features, "factor", "one per feature");
            nb::gil_scoped_release free_lock;
            store_dense(from.data(), from.stride(0), batch, features, pointer(factor), out.data(), features, threads);
        },
        nb::arg("from_").noconvert(), nb::arg("factor").noconvert().none(), nb::arg("out").noconvert(),
        nb::arg("threads"));
    m.def(
        "corrupt",
        [](Rows<T> x, int64_t batch, double noise, double keep_probability, uint64_t key, int threads) {
            const int64_t features = int64_t(x.shape(0)), stride = int64_t(x.shape(1));
            require(0 <= batch && batch <= stride, "x has fewer columns than there are samples");
            require(keep_probability > 0, "something is kept");
            nb::gil_scoped_release free_lock;
            corrupt<T>({x.data(), features, batch, stride, noise, keep_probability, key}, threads);
        },
        nb::arg("x").noconvert(), nb::kw_only(), nb::arg("batch"), nb::arg("noise"), nb::arg("keep_probability"),
        nb::arg("key"), nb::arg("threads"));
}

}  // namespace

void bind_input(nb::module_& m) {
    bind_type<float>(m);
    bind_type<double>(m);
}

}  // namespace ts
