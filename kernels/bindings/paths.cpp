// Soft removal, percolation and growth along paths for Python.
#include "base/bfloat16.hpp"
#include "bindings/bindings.hpp"
#include "topology/local_community.hpp"
#include "topology/percolate.hpp"
#include "topology/soft_keep.hpp"

namespace ts {
namespace {

template <class T, class Held>
void bind_soft_keep(nb::module_& m) {
    m.def(
        "soft_keep",
        [](Array<const Held> value, double power, int64_t remove, uint64_t key, Array<uint8_t> keep, int threads) {
            const int64_t count = int64_t(value.shape(0));
            require_length(keep, count, "keep", "one value per connection");
            require(remove >= 0 && remove <= count, "remove exceeds the number of connections");
            nb::gil_scoped_release free_lock;
            soft_keep(reinterpret_cast<const T*>(value.data()), count, power, remove, key, keep.data(), threads);
        },
        nb::arg("value").noconvert(), nb::arg("power"), nb::arg("remove"), nb::arg("key"), nb::arg("keep").noconvert(),
        nb::arg("threads"));
}

template <class T>
void bind_soft_keep_relative(nb::module_& m) {
    m.def(
        "soft_keep_relative",
        [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const T> value, Array<const double> row_sum,
           Array<const double> column_sum, double power, int64_t remove, uint64_t key, Array<uint8_t> keep,
           int threads) {
            const Connections con = view(ptr, index);
            const int64_t count = int64_t(index.shape(0));
            require_length(value, count, "value", "one per connection");
            require_length(row_sum, con.rows, "row_sum", "one per row");
            require_length(keep, count, "keep", "one value per connection");
            require(remove >= 0 && remove <= count, "remove exceeds the number of connections");
            nb::gil_scoped_release free_lock;
            soft_keep_relative(con, value.data(), row_sum.data(), column_sum.data(), power, remove, key, keep.data(),
                               threads);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("value").noconvert(),
        nb::arg("row_sum").noconvert(), nb::arg("column_sum").noconvert(), nb::arg("power"), nb::arg("remove"),
        nb::arg("key"), nb::arg("keep").noconvert(), nb::arg("threads"));
}

using StageArrays = std::tuple<Array<const int64_t>, Array<const int32_t>, int64_t>;

std::vector<int64_t> percolate_stages(const std::vector<StageArrays>& arrays,
                                      const std::vector<Maybe<Array<uint8_t>>>& keeps, int threads) {
    require(arrays.size() == keeps.size(), "one keep mask, or none, per layer");
    std::vector<Stage> stages;
    for (size_t l = 0; l < arrays.size(); ++l) {
        const auto& [ptr, index, columns] = arrays[l];
        stages.push_back({view(ptr, index), columns, pointer(keeps[l])});
        require_length(keeps[l], int64_t(index.shape(0)), "a keep mask", "one value per connection");
        require(l == 0 || stages[l - 1].columns == stages[l].by_input.rows, "layers do not follow one another");
    }
    nb::gil_scoped_release free_lock;
    return percolate(stages, threads);
}

}  // namespace

void bind_paths(nb::module_& m) {
    bind_soft_keep<bf16, uint16_t>(m);
    bind_soft_keep<float, float>(m);
    bind_soft_keep<double, double>(m);
    bind_soft_keep_relative<float>(m);
    bind_soft_keep_relative<double>(m);
    m.def("percolate", &percolate_stages, nb::arg("layers"), nb::arg("keeps"), nb::arg("threads"));
    m.def(
        "count_paths",
        [](Array<const int64_t> ptr, Array<const int32_t> index, int64_t columns) {
            const Connections con = view(ptr, index);
            nb::gil_scoped_release free_lock;
            return count_paths(con, columns);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("columns"));
    m.def(
        "grow_by_paths",
        [](Array<const int64_t> ptr, Array<const int32_t> index, int64_t columns, Maybe<Array<const uint8_t>> keep,
           int64_t count, bool largest, double max_paths, uint64_t key, int threads) {
            const Connections con = view(ptr, index);
            require_length(keep, int64_t(index.shape(0)), "keep", "one value per connection");
            require(count >= 0, "count must be at least 0");
            Positions out;
            {
                nb::gil_scoped_release free_lock;
                out = grow_by_paths(con, columns, pointer(keep), count, largest ? Pick::largest : Pick::sampled,
                                    max_paths, key, threads);
            }
            return nb::make_tuple(give(std::move(out.ptr)), give(std::move(out.index)));
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("columns"),
        nb::arg("keep").noconvert().none(), nb::arg("count"), nb::arg("largest"), nb::arg("max_paths"), nb::arg("key"),
        nb::arg("threads"));
}

}  // namespace ts
