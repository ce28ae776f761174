// Batches for Python: samples x features become neurons x batch.
#include "bindings/bindings.hpp"

#include "bindings/any_matrix.hpp"
#include "input/batch.hpp"
#include "input/corrupt.hpp"
#include "input/images.hpp"

namespace ts {
namespace {

using Shape = std::tuple<int64_t, int64_t, int64_t>;

// shape: channels, height, width.
ImageShape image_shape(const Shape& shape, bool channels_last) {
    const auto [channels, height, width] = shape;
    require(channels > 0 && height > 0 && width > 0, "an image has no pixels");
    return {channels, height, width, channels_last};
}

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
        [](Rows<T> x, int64_t batch, double noise, double keep_probability, bool rescale, double swap_probability,
           uint64_t key, Maybe<Array<const int64_t>> number, int threads) {
            const int64_t features = int64_t(x.shape(0)), stride = int64_t(x.shape(1));
            require(0 <= batch && batch <= stride, "x has fewer columns than there are samples");
            require(keep_probability > 0, "nothing is kept");
            if (number) require_length(*number, batch, "number", "one per sample");
            CorruptArgs<T> a;
            a.x = x.data();
            a.features = features;
            a.batch = batch;
            a.stride = stride;
            a.noise = noise;
            a.keep_probability = keep_probability;
            a.rescale = rescale;
            a.swap_probability = swap_probability;
            a.key = key;
            a.number = pointer(number);
            nb::gil_scoped_release free_lock;
            corrupt<T>(a, threads);
        },
        nb::arg("x").noconvert(), nb::kw_only(), nb::arg("batch"), nb::arg("noise"), nb::arg("keep_probability"),
        nb::arg("rescale") = true, nb::arg("swap_probability") = 0.0, nb::arg("key"),
        nb::arg("number").noconvert().none() = nb::none(), nb::arg("threads"));
    m.def(
        "transform_images",
        [](Rows<T> x, Rows<const double> transforms, Shape shape, bool channels_last, Scale offset, Scale factor,
           int threads) {
            const ImageShape images = image_shape(shape, channels_last);
            const int64_t batch = int64_t(transforms.shape(0)), stride = int64_t(x.shape(1));
            require_length(x, images.features(), "x", "one row per value of an image");
            require(int64_t(transforms.shape(1)) == kTransform, "transforms do not have 6 columns");
            require(batch <= stride, "x has fewer columns than there are transforms");
            require_scaling(offset, factor, images.features());
            nb::gil_scoped_release free_lock;
            transform_images(x.data(), stride, batch, images, transforms.data(), pointer(offset), pointer(factor),
                             threads);
        },
        nb::arg("x").noconvert(), nb::arg("transforms").noconvert(), nb::arg("shape"), nb::arg("channels_last"),
        nb::arg("offset").noconvert().none(), nb::arg("factor").noconvert().none(), nb::arg("threads"));
}

}  // namespace

void bind_input(nb::module_& m) {
    bind_type<float>(m);
    bind_type<double>(m);
    m.def(
        "draw_transforms",
        [](uint64_t key, Array<const int64_t> rows, Shape shape, std::tuple<double, double, double> ranges, bool flip,
           Rows<double> out) {
            const auto [rotation, row_shift, column_shift] = ranges;
            const int64_t count = int64_t(rows.shape(0));
            require_shape(out, count, kTransform, "out", "one transform per row");
            draw_transforms(key, rows.data(), count, image_shape(shape, false),
                            {rotation, row_shift, column_shift, flip}, out.data());
        },
        nb::arg("key"), nb::arg("rows").noconvert(), nb::arg("shape"), nb::arg("ranges"), nb::arg("flip"),
        nb::arg("out").noconvert());
}

}  // namespace ts
