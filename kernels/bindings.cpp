// The one door to Python. Checks shapes, releases the interpreter lock, calls the kernels.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <stdexcept>

#include "batch.hpp"
#include "connectivity.hpp"
#include "dispatch.hpp"
#include "frozen.hpp"
#include "grow.hpp"
#include "neurons.hpp"
#include "prune.hpp"
#include "rewire.hpp"
#include "threads.hpp"

namespace nb = nanobind;
using namespace ts;

namespace {

template <class T>
using Array = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Rows = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Maybe = std::optional<T>;
template <class T>
using Owned = nb::ndarray<nb::numpy, T, nb::ndim<1>, nb::c_contig>;

void require(bool condition, const char* what) {
    if (!condition) throw std::invalid_argument(std::string("kernels: ") + what);
}

template <class T>
Owned<T> give(Buffer<T>&& buffer) {
    const size_t size = size_t(buffer.size());
    T* data = buffer.release();
    nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
    return Owned<T>(data, {size}, owner);
}

template <class A>
auto pointer(const Maybe<A>& array) -> decltype(array->data()) {
    return array ? array->data() : nullptr;
}

// What a kernel reads through pointers must be as long as the connectivity says.
Connections view(const Array<const int64_t>& ptr, const Array<const int32_t>& index) {
    require(ptr.shape(0) >= 1, "row pointers are empty");
    const int64_t rows = int64_t(ptr.shape(0)) - 1;
    require(ptr.data()[0] == 0 && ptr.data()[rows] == int64_t(index.shape(0)), "row pointers do not span the indices");
    return {rows, ptr.data(), index.data(), nullptr};
}

struct UpdateRule {
    int kind = 0;
    double learning_rate = 0, momentum = 0, l2 = 0, decay = 0;
    double beta1 = 0, beta2 = 0, epsilon = 0, correction1 = 1, correction2 = 1;

    template <class T>
    UpdateArgs<T> args(bool for_bias) const {
        return {Update(kind), T(learning_rate), T(momentum), for_bias ? T(0) : T(l2), for_bias ? T(0) : T(decay),
                T(beta1), T(beta2), T(epsilon), T(correction1), T(correction2)};
    }
};

Epilogue epilogue(int activation, double slope, const Maybe<Array<uint8_t>>& positive, const Maybe<Array<uint8_t>>& kept,
                  double keep_probability, uint64_t key, int64_t rows, int64_t stride) {
    const size_t bits = size_t(rows * bit_stride(stride));
    require(!positive || positive->shape(0) >= bits, "activation bits are too short");
    require(!kept || kept->shape(0) >= bits, "dropout bits are too short");
    return {Activation(activation), slope, pointer(positive), pointer(kept), keep_probability, key};
}

template <class T>
void bind_forward(nb::module_& m) {
    m.def("forward",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Maybe<Array<const uint32_t>> position,
             Array<const T> weight, Array<const T> bias, Rows<const T> x, Rows<T> y, Array<const int64_t> long_rows,
             int activation, double slope, Maybe<Array<uint8_t>> positive, Maybe<Array<uint8_t>> kept,
             double keep_probability, uint64_t key, int threads) {
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
              a.epilogue = epilogue(activation, slope, positive, kept, keep_probability, key, a.by_output.rows, a.stride);
              nb::gil_scoped_release free_lock;
              forward(a, int64_t(x.shape(0)), long_rows.data(), int64_t(long_rows.shape(0)), threads);
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("position").noconvert().none(),
          nb::arg("weight").noconvert(), nb::arg("bias").noconvert(), nb::arg("x").noconvert(), nb::arg("y").noconvert(),
          nb::arg("long_rows").noconvert(), nb::arg("activation"), nb::arg("slope"), nb::arg("positive").noconvert().none(),
          nb::arg("kept").noconvert().none(), nb::arg("keep_probability"), nb::arg("key"), nb::arg("threads"));
}

template <class T>
void bind_backward(nb::module_& m) {
    using Slot = Maybe<Array<T>>;
    m.def("backward",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Array<T> weight, Slot slot0, Slot slot1, Slot gradient,
             Array<T> bias, Slot bias_slot0, Slot bias_slot1, Slot bias_gradient, Rows<const T> dy, Rows<T> x,
             Maybe<Rows<T>> dx, Array<const int64_t> long_rows, int activation, double slope,
             Maybe<Array<uint8_t>> positive, Maybe<Array<uint8_t>> kept, double keep_probability, const UpdateRule& rule,
             int threads) {
              BackwardArgs<T> a;
              a.by_input = view(ptr, index);
              require(weight.shape(0) == index.shape(0), "one weight a connection");
              for (const Slot* s : {&slot0, &slot1, &gradient})
                  require(!*s || (*s)->shape(0) == weight.shape(0), "one value of optimizer state a connection");
              for (const Slot* s : {&bias_slot0, &bias_slot1, &bias_gradient})
                  require(!*s || (*s)->shape(0) == bias.shape(0), "one value of optimizer state a bias");
              const Update kind = Update(rule.kind);
              require(kind != Update::gradient || (gradient && bias_gradient), "gradients need somewhere to go");
              require(kind != Update::nesterov || (slot0 && bias_slot0), "Nesterov momentum needs its state");
              require(kind != Update::adam || (slot0 && slot1 && bias_slot0 && bias_slot1), "Adam needs two states");
              require(dy.shape(0) == bias.shape(0) && dy.shape(1) == x.shape(1), "dy is outputs x stride");
              require(x.shape(0) == size_t(a.by_input.rows), "x is inputs x stride");
              require(!dx || (dx->shape(0) == x.shape(0) && dx->shape(1) == x.shape(1)), "dx has the shape of x");
              a.weights = {weight.data(), pointer(slot0), pointer(slot1), pointer(gradient)};
              a.biases = {bias.data(), pointer(bias_slot0), pointer(bias_slot1), pointer(bias_gradient)};
              a.weight_update = rule.args<T>(false);
              a.bias_update = rule.args<T>(true);
              a.n_out = int64_t(bias.shape(0));
              a.dy = dy.data();
              a.x = x.data();
              a.dx = dx ? dx->data() : nullptr;
              a.stride = int64_t(x.shape(1));
              require(padded_batch(a.stride) == a.stride, "the stride is not a padded batch size");
              a.input = epilogue(activation, slope, positive, kept, keep_probability, 0, a.by_input.rows, a.stride);
              require(!a.dx || a.input.kind != Activation::leaky || a.input.positive, "the activation's bits are missing");
              nb::gil_scoped_release free_lock;
              backward(a, long_rows.data(), int64_t(long_rows.shape(0)), threads);
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("weight").noconvert(),
          nb::arg("slot0").noconvert().none(), nb::arg("slot1").noconvert().none(), nb::arg("gradient").noconvert().none(),
          nb::arg("bias").noconvert(), nb::arg("bias_slot0").noconvert().none(), nb::arg("bias_slot1").noconvert().none(),
          nb::arg("bias_gradient").noconvert().none(), nb::arg("dy").noconvert(), nb::arg("x").noconvert(),
          nb::arg("dx").noconvert().none(), nb::arg("long_rows").noconvert(), nb::arg("activation"), nb::arg("slope"),
          nb::arg("positive").noconvert().none(), nb::arg("kept").noconvert().none(), nb::arg("keep_probability"),
          nb::arg("rule"), nb::arg("threads"));
}

template <class T>
void bind_losses(nb::module_& m) {
    m.def("loss_and_gradient",
          [](int kind, Rows<T> z, int64_t batch, Maybe<Array<const int32_t>> label, Maybe<Rows<const T>> target,
             Array<const T> sample_weight, int threads) {
              LossArgs<T> a;
              a.kind = Loss(kind);
              a.outputs = int64_t(z.shape(0));
              a.stride = int64_t(z.shape(1));
              a.batch = batch;
              require(batch <= a.stride && sample_weight.shape(0) == z.shape(1), "one weight a column");
              if (a.kind == Loss::softmax_cross_entropy) {
                  require(label && int64_t(label->shape(0)) >= batch, "one label a sample");
                  for (int64_t b = 0; b < batch; ++b)
                      require(label->data()[b] >= 0 && label->data()[b] < a.outputs, "a label is out of range");
              } else {
                  require(target && target->shape(0) == z.shape(0) && target->shape(1) == z.shape(1), "targets are outputs x stride");
              }
              a.z = z.data();
              a.label = pointer(label);
              a.target = target ? target->data() : nullptr;
              a.sample_weight = sample_weight.data();
              nb::gil_scoped_release free_lock;
              return loss_and_gradient(a, threads);
          },
          nb::arg("kind"), nb::arg("z").noconvert(), nb::arg("batch"), nb::arg("label").noconvert().none(),
          nb::arg("target").noconvert().none(), nb::arg("sample_weight").noconvert(), nb::arg("threads"));
    m.def("softmax", [](Rows<T> z, int threads) {
        nb::gil_scoped_release free_lock;
        softmax(z.data(), int64_t(z.shape(0)), int64_t(z.shape(1)), threads);
    }, nb::arg("z").noconvert(), nb::arg("threads"));
    m.def("sigmoid", [](Rows<T> z, int threads) {
        nb::gil_scoped_release free_lock;
        sigmoid(z.data(), int64_t(z.size()), threads);
    }, nb::arg("z").noconvert(), nb::arg("threads"));
}

template <class T>
void bind_connection_values(nb::module_& m) {
    m.def("draw_weights", [](Array<T> out, int kind, double scale, uint64_t key, int threads) {
        nb::gil_scoped_release free_lock;
        draw_weights(out.data(), int64_t(out.shape(0)), kind, scale, key, threads);
    }, nb::arg("out").noconvert(), nb::arg("kind"), nb::arg("scale"), nb::arg("key"), nb::arg("threads"));
    m.def("keep_by_sign_magnitude", [](Array<const T> value, double zeta, Array<uint8_t> keep, int threads) {
        require(keep.shape(0) == value.shape(0), "one mark a connection");
        nb::gil_scoped_release free_lock;
        return keep_by_sign_magnitude<T>({value.data(), keep.data(), int64_t(value.shape(0))}, zeta, threads);
    }, nb::arg("value").noconvert(), nb::arg("zeta"), nb::arg("keep").noconvert(), nb::arg("threads"));
    m.def("keep_by_magnitude",
          [](std::vector<Array<const T>> values, int64_t remove, std::vector<Array<uint8_t>> keeps, int threads) {
              std::vector<Marked<T>> layers;
              int64_t total = 0;
              require(values.size() == keeps.size(), "marks for each layer");
              for (size_t l = 0; l < values.size(); ++l) {
                  require(values[l].shape(0) == keeps[l].shape(0), "one mark a connection");
                  layers.push_back({values[l].data(), keeps[l].data(), int64_t(values[l].shape(0))});
                  total += layers.back().count;
              }
              require(remove >= 0 && remove <= total, "more connections to remove than there are");
              nb::gil_scoped_release free_lock;
              keep_by_magnitude(layers, remove, threads);
          },
          nb::arg("values"), nb::arg("remove"), nb::arg("keeps"), nb::arg("threads"));
    m.def("strength",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Maybe<Array<const uint32_t>> position,
             Array<const T> weight, Array<double> out, int threads) {
              Connections con = view(ptr, index);
              con.position = pointer(position);
              require(weight.shape(0) == index.shape(0) && (!position || position->shape(0) == index.shape(0)),
                      "one weight a connection");
              require(out.shape(0) == size_t(con.rows), "one value a row");
              nb::gil_scoped_release free_lock;
              strength(con, weight.data(), out.data(), threads);
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("position").noconvert().none(),
          nb::arg("weight").noconvert(), nb::arg("out").noconvert(), nb::arg("threads"));
    m.def("fold_constants",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const T> weight, Array<const double> constant,
             Array<T> bias) {
              const Connections con = view(ptr, index);
              require(weight.shape(0) == index.shape(0), "one weight a connection");
              require(constant.shape(0) == size_t(con.rows), "one constant an input neuron");
              nb::gil_scoped_release free_lock;
              fold_constants(con, weight.data(), constant.data(), bias.data(), int64_t(bias.shape(0)));
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("weight").noconvert(),
          nb::arg("constant").noconvert(), nb::arg("bias").noconvert());
    m.def("grow_by_gradient",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Maybe<Array<const uint8_t>> keep, Rows<const T> x,
             Rows<const T> dy, int64_t count, int threads) {
              const Connections con = view(ptr, index);
              require(!keep || keep->shape(0) == index.shape(0), "one mark a connection");
              require(x.shape(0) == size_t(con.rows) && x.shape(1) == dy.shape(1), "x is inputs x stride, dy outputs x stride");
              require(padded_batch(int64_t(x.shape(1))) == int64_t(x.shape(1)), "the stride is not a padded batch size");
              require(count >= 0, "a count is at least 0");
              Positions out;
              {
                  nb::gil_scoped_release free_lock;
                  out = grow_by_gradient<T>(con, int64_t(dy.shape(0)), pointer(keep),
                                            {x.data(), dy.data(), int64_t(x.shape(1))}, count, threads);
              }
              return nb::make_tuple(give(std::move(out.ptr)), give(std::move(out.index)));
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("keep").noconvert().none(),
          nb::arg("x").noconvert(), nb::arg("dy").noconvert(), nb::arg("count"), nb::arg("threads"));
    m.def("rewire",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const uint8_t> keep, Array<const int64_t> grown_ptr,
             Array<const int32_t> grown_index, std::vector<Array<const T>> values, Maybe<Array<const T>> fresh, int threads) {
              const Connections old = view(ptr, index), grown = view(grown_ptr, grown_index);
              require(grown.rows == old.rows, "as many rows grown as there are");
              require(keep.shape(0) == index.shape(0), "one mark a connection");
              require(values.size() <= 3, "at most three arrays");
              for (const auto& array : values) require(array.shape(0) == index.shape(0), "one value a connection");
              require(!fresh || fresh->shape(0) == grown_index.shape(0), "one value a grown connection");
              Buffer<int64_t> target;
              Buffer<int32_t> out;
              Buffer<T> moved[3];
              {
                  nb::gil_scoped_release free_lock;
                  target = kept_pointers(old, keep.data(), threads);
                  for (int64_t r = 0; r <= old.rows; ++r) target[r] += grown.ptr[r];
                  out = Buffer<int32_t>(target[old.rows]);
                  Moved<T> arrays[3];
                  for (size_t a = 0; a < values.size(); ++a) {
                      moved[a] = Buffer<T>(target[old.rows]);
                      arrays[a] = {values[a].data(), a == 0 ? pointer(fresh) : nullptr, moved[a].data()};
                  }
                  rewire(old, keep.data(), grown, {old.rows, target.data(), nullptr, nullptr}, out.data(), arrays,
                         int(values.size()), threads);
              }
              nb::list given;
              for (size_t a = 0; a < values.size(); ++a) given.append(give(std::move(moved[a])));
              return nb::make_tuple(give(std::move(target)), give(std::move(out)), given);
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("keep").noconvert(),
          nb::arg("grown_ptr").noconvert(), nb::arg("grown_index").noconvert(), nb::arg("values"),
          nb::arg("fresh").noconvert().none(), nb::arg("threads"));
}

void bind_connectivity(nb::module_& m) {
    m.def("sample_empty",
          [](Array<const int64_t> ptr, Array<const int32_t> index, int64_t columns, Maybe<Array<const uint8_t>> keep,
             int64_t count, uint64_t key, int threads) {
              const Connections con = view(ptr, index);
              require(!keep || keep->shape(0) == index.shape(0), "one mark a connection");
              Positions out;
              {
                  nb::gil_scoped_release free_lock;
                  Buffer<int64_t> kept;
                  if (keep) kept = kept_pointers(con, keep->data(), threads);
                  const int64_t* kept_ptr = keep ? kept.data() : con.ptr;
                  const uint64_t empty = uint64_t(con.rows) * uint64_t(columns) - uint64_t(kept_ptr[con.rows]);
                  require(count >= 0 && uint64_t(count) <= empty, "more connections asked for than there are empty places");
                  out = sample_empty(con, columns, pointer(keep), kept_ptr, count, key, threads);
              }
              return nb::make_tuple(give(std::move(out.ptr)), give(std::move(out.index)));
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("columns"), nb::arg("keep").noconvert().none(),
          nb::arg("count"), nb::arg("key"), nb::arg("threads"));
    m.def("count_marked",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const uint8_t> mark_column, Array<int64_t> count,
             int threads) {
              const Connections con = view(ptr, index);
              require(count.shape(0) == size_t(con.rows), "one count a row");
              nb::gil_scoped_release free_lock;
              count_marked(con, mark_column.data(), count.data(), threads);
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("mark_column").noconvert(),
          nb::arg("count").noconvert(), nb::arg("threads"));
    m.def("mark_between",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const uint8_t> keep_row,
             Array<const uint8_t> keep_column, Array<uint8_t> keep, int threads) {
              const Connections con = view(ptr, index);
              require(keep_row.shape(0) == size_t(con.rows) && keep.shape(0) == index.shape(0), "one mark a connection");
              nb::gil_scoped_release free_lock;
              mark_between(con, keep_row.data(), keep_column.data(), keep.data(), threads);
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("keep_row").noconvert(),
          nb::arg("keep_column").noconvert(), nb::arg("keep").noconvert(), nb::arg("threads"));
    m.def("renumber",
          [](Array<int32_t> index, Array<const int32_t> number, int threads) {
              nb::gil_scoped_release free_lock;
              renumber(index.data(), int64_t(index.shape(0)), number.data(), threads);
          },
          nb::arg("index").noconvert(), nb::arg("number").noconvert(), nb::arg("threads"));
    m.def("mark_empty",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Maybe<Array<const uint8_t>> keep,
             Array<const int64_t> candidate_ptr, Array<const int32_t> candidate_index, Array<uint8_t> mark, int threads) {
              const Connections con = view(ptr, index), candidates = view(candidate_ptr, candidate_index);
              require(con.rows == candidates.rows && mark.shape(0) == candidate_index.shape(0), "one mark a candidate");
              require(!keep || keep->shape(0) == index.shape(0), "one mark a connection");
              nb::gil_scoped_release free_lock;
              mark_empty(con, pointer(keep), candidates, mark.data(), threads);
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("keep").noconvert().none(),
          nb::arg("candidate_ptr").noconvert(), nb::arg("candidate_index").noconvert(), nb::arg("mark").noconvert(),
          nb::arg("threads"));
    m.def("transpose",
          [](Array<const int64_t> ptr, Array<const int32_t> index, int64_t columns, int threads) {
              const Connections con = view(ptr, index);
              Transposed out;
              {
                  nb::gil_scoped_release free_lock;
                  out = transpose(con, columns, threads);
              }
              return nb::make_tuple(give(std::move(out.ptr)), give(std::move(out.index)), give(std::move(out.position)));
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("columns"), nb::arg("threads"));
    m.def("first_invalid",
          [](Array<const int64_t> ptr, Array<const int32_t> index, int64_t columns) {
              const Connections con = view(ptr, index);
              nb::gil_scoped_release free_lock;
              for (int64_t r = 0; r < con.rows; ++r)
                  if (con.ptr[r] > con.ptr[r + 1]) return int64_t(0);
              return first_invalid(con, columns);
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("columns"));
    m.def("long_rows", [](Array<const int64_t> ptr) {
        std::vector<int64_t> rows;
        for (size_t r = 0; r + 1 < ptr.shape(0); ++r)
            if (ptr.data()[r + 1] - ptr.data()[r] > kSegment) rows.push_back(int64_t(r));
        Buffer<int64_t> out(int64_t(rows.size()));
        std::copy(rows.begin(), rows.end(), out.data());
        return give(std::move(out));
    }, nb::arg("ptr").noconvert());
}

using AnyMatrix = nb::ndarray<nb::ro, nb::ndim<2>, nb::device::cpu>;

// Calls body with a pointer of the matrix's own type; false where the type is not one of ours.
template <class Body>
bool by_type(const AnyMatrix& x, Body&& body) {
    const nb::dlpack::dtype type = x.dtype();
    const auto is = [&]<class S>(S*) { return type == nb::dtype<S>() ? (body(static_cast<const S*>(x.data())), true) : false; };
    return is((float*)nullptr) || is((double*)nullptr) || is((uint8_t*)nullptr) || is((int8_t*)nullptr) ||
           is((uint16_t*)nullptr) || is((int16_t*)nullptr) || is((int32_t*)nullptr) || is((uint32_t*)nullptr) ||
           is((int64_t*)nullptr) || is((uint64_t*)nullptr);
}

template <class T>
void bind_batch(nb::module_& m) {
    m.def("load_dense",
          [](AnyMatrix x, Array<const int64_t> rows, Maybe<Array<const double>> shift, Maybe<Array<const double>> factor,
             Rows<T> out, int threads) {
              const int64_t features = int64_t(x.shape(1)), batch = int64_t(rows.shape(0)), stride = int64_t(out.shape(1));
              require(out.shape(0) == x.shape(1) && batch <= stride, "out is features x stride");
              require(!shift || (int64_t(shift->shape(0)) == features && factor && int64_t(factor->shape(0)) == features),
                      "one shift and factor a feature");
              for (int64_t b = 0; b < batch; ++b)
                  require(rows.data()[b] >= 0 && rows.data()[b] < int64_t(x.shape(0)), "a row number is out of range");
              int64_t bad = -1;
              bool known;
              {
                  nb::gil_scoped_release free_lock;
                  known = by_type(x, [&](auto* data) {
                      bad = load_dense(data, x.stride(0), x.stride(1), rows.data(), batch, features, pointer(shift),
                                       pointer(factor), out.data(), stride, threads);
                  });
              }
              require(known, "no loader for this data type");
              return bad;
          },
          nb::arg("x"), nb::arg("rows").noconvert(), nb::arg("shift").noconvert().none(), nb::arg("factor").noconvert().none(),
          nb::arg("out").noconvert(), nb::arg("threads"));
    m.def("load_sparse",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const T> value, Maybe<Array<const double>> shift,
             Maybe<Array<const double>> factor, Rows<T> out, int threads) {
              const Connections con = view(ptr, index);
              const int64_t features = int64_t(out.shape(0)), stride = int64_t(out.shape(1));
              require(value.shape(0) == index.shape(0) && con.rows <= stride, "out is features x stride");
              require(!shift || (int64_t(shift->shape(0)) == features && factor && int64_t(factor->shape(0)) == features),
                      "one shift and factor a feature");
              for (size_t k = 0; k < index.shape(0); ++k)
                  require(index.data()[k] >= 0 && index.data()[k] < features, "a column number is out of range");
              nb::gil_scoped_release free_lock;
              return load_sparse(con.ptr, con.index, value.data(), con.rows, features, pointer(shift), pointer(factor),
                                 out.data(), stride, threads);
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("value").noconvert(),
          nb::arg("shift").noconvert().none(), nb::arg("factor").noconvert().none(), nb::arg("out").noconvert(),
          nb::arg("threads"));
}

template <class T>
void bind_frozen(nb::module_& m, const char* name) {
    nb::class_<FrozenNetwork<T>>(m, name)
        .def(nb::init<int64_t>(), nb::arg("inputs"))
        .def("append",
             [](FrozenNetwork<T>& net, Array<const int64_t> ptr, Array<const int32_t> index, Array<const uint32_t> position,
                Array<const T> weight, Array<const T> bias, int activation, double slope) {
                 Connections con = view(ptr, index);
                 require(position.shape(0) == index.shape(0) && weight.shape(0) == index.shape(0), "one weight a connection");
                 require(bias.shape(0) == size_t(con.rows), "one bias an output neuron");
                 require(first_invalid(con, net.outputs()) < 0, "an index is out of range");
                 con.position = position.data();
                 nb::gil_scoped_release free_lock;
                 net.append(con, weight.data(), bias.data(), Activation(activation), slope);
             },
             nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("position").noconvert(),
             nb::arg("weight").noconvert(), nb::arg("bias").noconvert(), nb::arg("activation"), nb::arg("slope"))
        .def("run",
             [](const FrozenNetwork<T>& net, AnyMatrix x, Maybe<Array<const double>> shift, Maybe<Array<const double>> factor,
                Rows<T> out, bool softmaxed, int threads) {
                 const int64_t samples = int64_t(x.shape(0)), inputs = net.inputs(), outputs = net.outputs();
                 require(int64_t(x.shape(1)) == inputs, "x is samples x inputs");
                 require(int64_t(out.shape(0)) == samples && int64_t(out.shape(1)) == outputs, "out is samples x outputs");
                 require(!shift || (int64_t(shift->shape(0)) == inputs && factor && int64_t(factor->shape(0)) == inputs),
                         "one shift and factor a feature");
                 std::atomic<int64_t> bad{-1};
                 bool known;
                 {
                     nb::gil_scoped_release free_lock;
                     known = by_type(x, [&](auto* data) {
                         parallel_ranges(samples, threads, [&](int64_t begin, int64_t end) {
                             Buffer<T> scratch(net.scratch_size());
                             for (int64_t s = begin; s < end; ++s) {
                                 const int64_t wrong = load_dense(data, x.stride(0), x.stride(1), &s, 1, inputs, pointer(shift),
                                                                  pointer(factor), scratch.data(), 1, 1);
                                 if (wrong >= 0) bad = s * inputs + wrong;
                                 T* z = out.data() + s * outputs;
                                 std::copy_n(net.run(scratch.data()), outputs, z);
                                 if (softmaxed) softmax(z, outputs, 1, 1);
                             }
                         });
                     });
                 }
                 require(known, "no loader for this data type");
                 return bad.load();
             },
             nb::arg("x"), nb::arg("shift").noconvert().none(), nb::arg("factor").noconvert().none(),
             nb::arg("out").noconvert(), nb::arg("softmaxed"), nb::arg("threads"));
}

}  // namespace

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
        .def_rw("correction2", &UpdateRule::correction2);
    bind_forward<float>(m);
    bind_forward<double>(m);
    bind_backward<float>(m);
    bind_backward<double>(m);
    bind_losses<float>(m);
    bind_losses<double>(m);
    bind_connection_values<float>(m);
    bind_connection_values<double>(m);
    bind_connectivity(m);
    bind_batch<float>(m);
    bind_batch<double>(m);
    bind_frozen<float>(m, "FrozenNetwork32");
    bind_frozen<double>(m, "FrozenNetwork64");
    m.def("empty_bytes", [](int64_t size) {
        require(size >= 0, "a size is at least 0");
        return give(Buffer<uint8_t>(size));
    }, nb::arg("size"));
    m.def("padded_batch", [](int64_t batch) { return padded_batch(batch); }, nb::arg("batch"));
    m.def("bit_stride", [](int64_t stride) { return bit_stride(stride); }, nb::arg("stride"));
    m.def("available_isas", &available_isas);
    m.def("current_isa", [] { return current_isa(); });
    m.def("use_isa", &use_isa, nb::arg("name"));
}
