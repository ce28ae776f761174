// Topologies of many networks at once, for Python.
#include <algorithm>

#include "bindings/bindings.hpp"
#include "topology/fleet_average.hpp"
#include "topology/fleet_evolve.hpp"

namespace ts {
namespace {

using Keys = Maybe<Array<const uint64_t>>;

Blocks blocks_of(const Array<const int64_t>& ptr, const Array<const int32_t>& index, int64_t agents, int64_t n_out) {
    const Connections con = view(ptr, index);
    require(agents > 0 && con.rows % agents == 0, "the rows are not those of so many agents");
    require(n_out > 0 && agents * n_out <= INT32_MAX, "n_out is out of range");
    for (int64_t r = 0; r < con.rows; ++r) require(con.ptr[r] <= con.ptr[r + 1], "row pointers fall");
    return {agents, con.rows / agents, n_out, con.ptr, con.index};
}

// (ptr, index, (by_output, position), arrays, new connections of each agent, agent that failed or -1, whether it has
// connections outside its block)
template <class T>
nb::tuple give_blocks(NewBlocks<T>&& made) {
    nb::list arrays;
    for (auto& array : made.arrays) arrays.append(give(std::move(array)));
    const auto by_output = nb::make_tuple(give(std::move(made.by_output.ptr)), give(std::move(made.by_output.index)),
                                          give(std::move(made.by_output.position)));
    return nb::make_tuple(give(std::move(made.ptr)), give(std::move(made.index)), by_output, arrays,
                          give(std::move(made.grown)), made.failed, made.outside);
}

template <class T>
void bind_fleet_evolve(nb::module_& m) {
    m.def(
        "fleet_evolve",
        [](Array<const int64_t> ptr, Array<const int32_t> index, int64_t agents, int64_t n_out,
           const std::vector<Array<const T>>& arrays, const std::vector<bool>& median, bool signs, double fraction,
           const Keys& grow_keys, const Maybe<Rows<const T>>& x, const Maybe<Rows<const T>>& dy, const Keys& fresh_keys,
           Draw draw, const WeightScale& scale, const Maybe<Array<const double>>& added, int threads) {
            const Blocks layer = blocks_of(ptr, index, agents, n_out);
            require(!arrays.empty() && arrays.size() <= 3, "one to three arrays");
            require(median.size() == arrays.size(), "median has one mark per array");
            require(fraction >= 0 && fraction <= 1, "fraction must be from 0 to 1");
            require_length(grow_keys, agents, "grow_keys", "one per agent");
            require_length(fresh_keys, agents, "fresh_keys", "one per agent");
            require_length(added, agents, "added", "one per agent");
            FleetRule<T> rule{signs ? FleetPrune::sign_magnitude : FleetPrune::magnitude,
                              fraction,
                              pointer(grow_keys),
                              {},
                              pointer(fresh_keys),
                              draw,
                              scale,
                              pointer(added)};
            if (!grow_keys) {
                require(x && dy, "growth needs keys, or x and dy");
                const int64_t stride = int64_t(x->shape(1));
                require_padded(stride);
                require_shape(*x, agents * layer.n_in, stride, "x", "inputs x stride");
                require_shape(*dy, agents * n_out, stride, "dy", "outputs x stride");
                rule.gradient = {x->data(), dy->data(), stride};
            }
            std::vector<FleetArray<T>> views;
            for (size_t a = 0; a < arrays.size(); ++a) {
                require_length(arrays[a], int64_t(index.shape(0)), "an array of values", "one per connection");
                views.push_back({arrays[a].data(), median[a]});
            }
            NewBlocks<T> change;
            {
                nb::gil_scoped_release free_lock;
                change = fleet_evolve(layer, rule, views, threads);
            }
            return give_blocks(std::move(change));
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("agents"), nb::arg("n_out"),
        nb::arg("arrays"), nb::arg("median"), nb::arg("signs"), nb::arg("fraction"),
        nb::arg("grow_keys").noconvert().none(), nb::arg("x").noconvert().none(), nb::arg("dy").noconvert().none(),
        nb::arg("fresh_keys").noconvert().none(), nb::arg("draw"), nb::arg("scale"),
        nb::arg("added").noconvert().none(), nb::arg("threads"));
}

template <class T>
void bind_fleet_average(nb::module_& m) {
    m.def(
        "fleet_average",
        [](Array<const int64_t> ptr, Array<const int32_t> index, int64_t agents, int64_t n_out,
           const std::vector<Array<const T>>& arrays, const Maybe<Array<const T>>& bias,
           const Maybe<Array<const int64_t>>& group_ptr, const Maybe<Array<const int32_t>>& group,
           const Array<const double>& weight, int sent, bool own_topology, int threads) {
            const Blocks layer = blocks_of(ptr, index, agents, n_out);
            require(!arrays.empty() && arrays.size() <= 3, "one to three arrays");
            require(sent >= 0 && sent <= 2, "sent is out of range");
            for (const auto& array : arrays)
                require_length(array, int64_t(index.shape(0)), "an array of values", "one per connection");
            require_length(bias, layer.columns(), "bias", "one per output");
            require_length(weight, agents, "weight", "one per agent");
            require(bool(group_ptr) == bool(group), "group_ptr and group go together");
            if (group) {
                const Connections rows = view(*group_ptr, *group);
                require_length(*group_ptr, agents + 1, "group_ptr", "one more than agents");
                for (int64_t a = 0; a < agents; ++a) require(rows.ptr[a] <= rows.ptr[a + 1], "group_ptr falls");
                require(std::all_of(rows.index, rows.index + rows.ptr[agents],
                                    [&](int32_t member) { return member >= 0 && member < agents; }),
                        "group must hold numbers of agents");
            }
            FleetAverageArgs<T> args{arrays[0].data(), {},         pointer(bias), pointer(group_ptr), pointer(group),
                                     weight.data(),    Sent(sent), own_topology};
            for (size_t a = 1; a < arrays.size(); ++a) args.states.push_back(arrays[a].data());
            FleetAverage<T> made;
            {
                nb::gil_scoped_release free_lock;
                made = fleet_average(layer, args, threads);
            }
            return nb::make_tuple(give_blocks(std::move(made.blocks)), give(std::move(made.bias)));
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("agents"), nb::arg("n_out"),
        nb::arg("arrays"), nb::arg("bias").noconvert().none(), nb::arg("group_ptr").noconvert().none(),
        nb::arg("group").noconvert().none(), nb::arg("weight").noconvert(), nb::arg("sent"), nb::arg("own_topology"),
        nb::arg("threads"));
}

}  // namespace

void bind_fleet_topology(nb::module_& m) {
    bind_fleet_average<float>(m);
    bind_fleet_average<double>(m);
    bind_fleet_evolve<float>(m);
    bind_fleet_evolve<double>(m);
}

}  // namespace ts
