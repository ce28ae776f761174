// Connectivity and its evolution for Python.
#include "bindings/bindings.hpp"

#include <algorithm>

#include "base/bfloat16.hpp"
#include "layer/passes.hpp"
#include "topology/grow.hpp"
#include "topology/median.hpp"
#include "topology/merge.hpp"
#include "topology/neurons.hpp"
#include "topology/prune.hpp"
#include "topology/rewire.hpp"
#include "topology/sampling.hpp"
#include "topology/transpose.hpp"

namespace ts {
namespace {

// What arrays of 16 bits hold: bfloat16.
template <class Held>
auto* as_stored(Held* data) {
    if constexpr (sizeof(Held) == 2)
        return reinterpret_cast<std::conditional_t<std::is_const_v<Held>, const bf16, bf16>*>(data);
    else return data;
}

// Held: how NumPy holds values of type T.
template <class T, class Held>
void bind_values(nb::module_& m) {
    m.def(
        "draw_weights",
        [](Array<Held> out, Draw kind, const WeightScale& scale, uint64_t key, int threads,
           std::optional<Array<const int32_t>> output, std::optional<Array<const int64_t>> fan_in) {
            const int64_t count = int64_t(out.shape(0));
            const int32_t* to = nullptr;
            const int64_t* inputs = nullptr;
            if (scale.by_fan_in) {
                require(output && fan_in, "a scale by fan-in needs output and fan_in");
                require_length(*output, count, "output", "one neuron per value");
                to = output->data();
                inputs = fan_in->data();
                const int64_t n = int64_t(fan_in->shape(0));
                require(std::all_of(to, to + count, [&](int32_t o) { return o >= 0 && o < n; }),
                        "output must be numbers of neurons");
            }
            nb::gil_scoped_release free_lock;
            draw_weights(as_stored(out.data()), count, kind, scale, to, inputs, key, threads);
        },
        nb::arg("out").noconvert(), nb::arg("kind"), nb::arg("scale"), nb::arg("key"), nb::arg("threads"),
        nb::arg("output").noconvert().none() = nb::none(), nb::arg("fan_in").noconvert().none() = nb::none());
    m.def(
        "keep_by_sign_magnitude",
        [](Array<const Held> value, double zeta, Array<uint8_t> keep, int threads) {
            require_length(keep, int64_t(value.shape(0)), "keep", "one value per connection");
            nb::gil_scoped_release free_lock;
            return keep_by_sign_magnitude<T>({as_stored(value.data()), keep.data(), int64_t(value.shape(0))}, zeta,
                                             threads);
        },
        nb::arg("value").noconvert(), nb::arg("zeta"), nb::arg("keep").noconvert(), nb::arg("threads"));
    m.def(
        "keep_by_magnitude",
        [](std::vector<Array<const Held>> values, int64_t remove, std::vector<Array<uint8_t>> keeps, int threads) {
            std::vector<Marked<T>> layers;
            int64_t total = 0;
            require(values.size() == keeps.size(), "one keep mask per layer");
            for (size_t l = 0; l < values.size(); ++l) {
                require_length(keeps[l], int64_t(values[l].shape(0)), "a keep mask", "one per connection");
                layers.push_back({as_stored(values[l].data()), keeps[l].data(), int64_t(values[l].shape(0))});
                total += layers.back().count;
            }
            require(remove >= 0 && remove <= total, "remove exceeds the number of connections");
            nb::gil_scoped_release free_lock;
            keep_by_magnitude(layers, remove, threads);
        },
        nb::arg("values"), nb::arg("remove"), nb::arg("keeps"), nb::arg("threads"));
    m.def(
        "kept_median",
        [](Array<const Held> value, Array<const uint8_t> keep, int threads) {
            require_length(keep, int64_t(value.shape(0)), "keep", "one value per connection");
            nb::gil_scoped_release free_lock;
            return kept_median<T>(as_stored(value.data()), keep.data(), int64_t(value.shape(0)), threads);
        },
        nb::arg("value").noconvert(), nb::arg("keep").noconvert(), nb::arg("threads"));
}

template <class T>
void bind_connection_values(nb::module_& m) {
    m.def(
        "strength",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Maybe<Array<const uint32_t>> position,
           Array<const T> weight, Array<double> out, int threads) {
            Connections con = view(ptr, index);
            con.position = pointer(position);
            require_length(weight, int64_t(index.shape(0)), "weight", "one per connection");
            require_length(position, int64_t(index.shape(0)), "position", "one per connection");
            require_length(out, con.rows, "out", "one per row");
            nb::gil_scoped_release free_lock;
            strength(con, weight.data(), out.data(), threads);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("position").noconvert().none(),
        nb::arg("weight").noconvert(), nb::arg("out").noconvert(), nb::arg("threads"));
    m.def(
        "fold_constants",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const T> weight, Array<const double> constant,
           Array<T> bias) {
            const Connections con = view(ptr, index);
            require_length(weight, int64_t(index.shape(0)), "weight", "one per connection");
            require_length(constant, con.rows, "constant", "one per input neuron");
            nb::gil_scoped_release free_lock;
            fold_constants(con, weight.data(), constant.data(), bias.data(), int64_t(bias.shape(0)));
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("weight").noconvert(),
        nb::arg("constant").noconvert(), nb::arg("bias").noconvert());
    m.def(
        "grow_by_gradient",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Maybe<Array<const uint8_t>> keep, Rows<const T> x,
           Rows<const T> dy, int64_t count, int threads) {
            const Connections con = view(ptr, index);
            require_length(keep, int64_t(index.shape(0)), "keep", "one value per connection");
            const int64_t stride = int64_t(x.shape(1));
            require_padded(stride);
            require_shape(x, con.rows, stride, "x", "inputs x stride");
            require_shape(dy, int64_t(dy.shape(0)), stride, "dy", "outputs x stride");
            require(count >= 0, "count must be at least 0");
            Positions out;
            {
                nb::gil_scoped_release free_lock;
                out = grow_by_gradient<T>(con, int64_t(dy.shape(0)), pointer(keep), {x.data(), dy.data(), stride},
                                          count, threads);
            }
            return nb::make_tuple(give(std::move(out.ptr)), give(std::move(out.index)));
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("keep").noconvert().none(),
        nb::arg("x").noconvert(), nb::arg("dy").noconvert(), nb::arg("count"), nb::arg("threads"));
    m.def(
        "rewire",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const uint8_t> keep,
           Array<const int64_t> grown_ptr, Array<const int32_t> grown_index, std::vector<Array<const T>> values,
           Maybe<Array<const T>> fresh, int threads, const std::vector<double>& fill) {
            const Connections old = view(ptr, index), grown = view(grown_ptr, grown_index);
            require_length(grown_ptr, old.rows + 1, "grown_ptr", "as ptr");
            require_length(keep, int64_t(index.shape(0)), "keep", "one value per connection");
            require(values.size() <= 3, "at most three arrays");
            require(fill.empty() || fill.size() == values.size(), "fill has one value per array");
            for (const auto& array : values)
                require_length(array, int64_t(index.shape(0)), "an array of values", "one per connection");
            require_length(fresh, int64_t(grown_index.shape(0)), "fresh", "one value per new connection");
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
                    arrays[a] = {values[a].data(), a == 0 ? pointer(fresh) : nullptr, moved[a].data(),
                                 fill.empty() ? T(0) : T(fill[a])};
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
        nb::arg("fresh").noconvert().none(), nb::arg("threads"), nb::arg("fill") = std::vector<double>{});
    m.def(
        "carry",
        [](Array<const int64_t> from_ptr, Array<const int32_t> from_index, Array<const T> value,
           Array<const int64_t> to_ptr, Array<const int32_t> to_index, Array<T> out, int threads) {
            const Connections from = view(from_ptr, from_index), to = view(to_ptr, to_index);
            require_length(to_ptr, from.rows + 1, "to_ptr", "as from_ptr");
            require_length(value, int64_t(from_index.shape(0)), "value", "one per connection");
            require_length(out, int64_t(to_index.shape(0)), "out", "one per connection");
            nb::gil_scoped_release free_lock;
            return carry(from, value.data(), to, out.data(), threads);
        },
        nb::arg("from_ptr").noconvert(), nb::arg("from_index").noconvert(), nb::arg("value").noconvert(),
        nb::arg("to_ptr").noconvert(), nb::arg("to_index").noconvert(), nb::arg("out").noconvert(), nb::arg("threads"));
    m.def(
        "add",
        [](Array<const int64_t> a_ptr, Array<const int32_t> a_index, Array<const T> a_value, Array<const int64_t> b_ptr,
           Array<const int32_t> b_index, Array<const T> b_value, int threads) {
            const Connections a = view(a_ptr, a_index), b = view(b_ptr, b_index);
            require_length(b_ptr, a.rows + 1, "b_ptr", "as a_ptr");
            require_length(a_value, int64_t(a_index.shape(0)), "a_value", "one per connection");
            require_length(b_value, int64_t(b_index.shape(0)), "b_value", "one per connection");
            Summed<T> sum;
            {
                nb::gil_scoped_release free_lock;
                sum = add(a, a_value.data(), b, b_value.data(), threads);
            }
            return nb::make_tuple(give(std::move(sum.ptr)), give(std::move(sum.index)), give(std::move(sum.value)));
        },
        nb::arg("a_ptr").noconvert(), nb::arg("a_index").noconvert(), nb::arg("a_value").noconvert(),
        nb::arg("b_ptr").noconvert(), nb::arg("b_index").noconvert(), nb::arg("b_value").noconvert(),
        nb::arg("threads"));
}

void bind_connectivity(nb::module_& m) {
    m.def(
        "sample_empty",
        [](Array<const int64_t> ptr, Array<const int32_t> index, int64_t columns, Maybe<Array<const uint8_t>> keep,
           int64_t count, uint64_t key, int threads) {
            const Connections con = view(ptr, index);
            require_length(keep, int64_t(index.shape(0)), "keep", "one value per connection");
            Positions out;
            {
                nb::gil_scoped_release free_lock;
                Buffer<int64_t> kept;
                if (keep) kept = kept_pointers(con, keep->data(), threads);
                const int64_t* kept_ptr = keep ? kept.data() : con.ptr;
                const uint64_t empty = uint64_t(con.rows) * uint64_t(columns) - uint64_t(kept_ptr[con.rows]);
                require(count >= 0 && uint64_t(count) <= empty,
                        "more connections requested than there are empty places");
                out = sample_empty(con, columns, pointer(keep), kept_ptr, count, key, threads);
            }
            return nb::make_tuple(give(std::move(out.ptr)), give(std::move(out.index)));
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("columns"),
        nb::arg("keep").noconvert().none(), nb::arg("count"), nb::arg("key"), nb::arg("threads"));
    m.def(
        "count_marked",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const uint8_t> mark_column, Array<int64_t> count,
           int threads) {
            const Connections con = view(ptr, index);
            require_length(count, con.rows, "count", "one per row");
            nb::gil_scoped_release free_lock;
            count_marked(con, mark_column.data(), count.data(), threads);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("mark_column").noconvert(),
        nb::arg("count").noconvert(), nb::arg("threads"));
    m.def(
        "mark_between",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const uint8_t> keep_row,
           Array<const uint8_t> keep_column, Array<uint8_t> keep, int threads) {
            const Connections con = view(ptr, index);
            require_length(keep_row, con.rows, "keep_row", "one per row");
            require_length(keep, int64_t(index.shape(0)), "keep", "one value per connection");
            nb::gil_scoped_release free_lock;
            mark_between(con, keep_row.data(), keep_column.data(), keep.data(), threads);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("keep_row").noconvert(),
        nb::arg("keep_column").noconvert(), nb::arg("keep").noconvert(), nb::arg("threads"));
    m.def(
        "renumber",
        [](Array<int32_t> index, Array<const int32_t> number, int threads) {
            nb::gil_scoped_release free_lock;
            renumber(index.data(), int64_t(index.shape(0)), number.data(), threads);
        },
        nb::arg("index").noconvert(), nb::arg("number").noconvert(), nb::arg("threads"));
    m.def(
        "mark_empty",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Maybe<Array<const uint8_t>> keep,
           Array<const int64_t> candidate_ptr, Array<const int32_t> candidate_index, Array<uint8_t> mark, int threads) {
            const Connections con = view(ptr, index), candidates = view(candidate_ptr, candidate_index);
            require_length(candidate_ptr, con.rows + 1, "candidate_ptr", "as ptr");
            require_length(mark, int64_t(candidate_index.shape(0)), "mark", "one per candidate");
            require_length(keep, int64_t(index.shape(0)), "keep", "one value per connection");
            nb::gil_scoped_release free_lock;
            mark_empty(con, pointer(keep), candidates, mark.data(), threads);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("keep").noconvert().none(),
        nb::arg("candidate_ptr").noconvert(), nb::arg("candidate_index").noconvert(), nb::arg("mark").noconvert(),
        nb::arg("threads"));
    m.def(
        "transpose",
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
    m.def(
        "first_invalid",
        [](Array<const int64_t> ptr, Array<const int32_t> index, int64_t columns) {
            const Connections con = view(ptr, index);
            nb::gil_scoped_release free_lock;
            for (int64_t r = 0; r < con.rows; ++r)
                if (con.ptr[r] > con.ptr[r + 1]) return int64_t(0);
            return first_invalid(con, columns);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("columns"));
    m.def(
        "long_rows",
        [](Array<const int64_t> ptr) {
            const std::vector<int64_t> rows = long_rows(ptr.data(), int64_t(ptr.shape(0)) - 1);
            Buffer<int64_t> out(int64_t(rows.size()));
            std::copy(rows.begin(), rows.end(), out.data());
            return give(std::move(out));
        },
        nb::arg("ptr").noconvert());
}

}  // namespace

void bind_topology(nb::module_& m) {
    bind_values<bf16, uint16_t>(m);
    bind_values<float, float>(m);
    bind_values<double, double>(m);
    bind_connection_values<float>(m);
    bind_connection_values<double>(m);
    bind_connectivity(m);
}

}  // namespace ts
