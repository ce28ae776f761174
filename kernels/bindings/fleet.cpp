// Fleets for Python: passes of many networks at once.
#include "bindings/bindings.hpp"
#include "bindings/layer_calls.hpp"
#include "layer/fleet_passes.hpp"
#include "topology/fleet_drawing.hpp"

#include <algorithm>

namespace ts {
namespace {

void require_blocks(int64_t rows, int64_t agents, int64_t n_long) {
    require(agents >= 1 && rows % agents == 0, "a layer's neurons are not those of so many agents");
    require(n_long == 0, "a neuron of a fleet has more connections than one row can have");
}

template <class T>
void bind_type(nb::module_& m) {
    m.def(
        "run_fleet_forward",
        [](const std::vector<std::vector<const ForwardCall<T>*>>& chains, int64_t agents, int threads) {
            std::vector<FleetForward<T>> fleets;
            for (const auto& chain : chains) {
                fleets.emplace_back();
                for (const ForwardCall<T>* call : chain) {
                    require_blocks(call->args.by_output.rows, agents, call->n_long);
                    require_blocks(call->n_in, agents, 0);
                    fleets.back().push_back(call->args);
                }
            }
            nb::gil_scoped_release free_lock;
            fleet_forward(fleets, agents, threads);
        },
        nb::arg("chains"), nb::arg("agents"), nb::arg("threads"));
    m.def(
        "run_fleet_backward",
        [](const std::vector<std::vector<std::pair<std::vector<const BackwardCall<T>*>, UpdateRule>>>& chains,
           int64_t agents, int threads) {
            std::vector<FleetBackward<T>> fleets;
            for (const auto& chain : chains) {
                fleets.emplace_back();
                for (const auto& [calls, rule] : chain)
                    for (const BackwardCall<T>* call : calls) {
                        call->check(rule);
                        require_blocks(call->args.by_input.rows, agents, call->n_long);
                        require_blocks(call->args.n_out, agents, 0);
                        BackwardArgs<T> a = call->args;
                        a.weight_update = rule.template args<T>(false);
                        if (call->biased) a.bias_update = rule.template args<T>(true);
                        fleets.back().push_back(a);
                    }
            }
            nb::gil_scoped_release free_lock;
            fleet_backward(fleets, agents, threads);
        },
        nb::arg("chains"), nb::arg("agents"), nb::arg("threads"));
}

template <class T>
void bind_drawing(nb::module_& m) {
    m.def(
        "draw_block_weights",
        [](Array<T> out, Array<const int64_t> blocks, Draw kind, const WeightScale& scale, Array<const double> scales,
           Array<const uint64_t> keys, int threads, Maybe<Array<const int32_t>> output,
           Maybe<Array<const int64_t>> fan_in) {
            const int64_t agents = int64_t(keys.shape(0));
            require_length(blocks, agents + 1, "blocks", "one more than keys");
            require_length(scales, agents, "scales", "one per key");
            const int64_t* ptr = blocks.data();
            require(ptr[0] == 0 && ptr[agents] == int64_t(out.shape(0)) && std::is_sorted(ptr, ptr + agents + 1),
                    "blocks do not span the values");
            require(!scale.by_fan_in || (output && fan_in), "a scale by fan-in needs output and fan_in");
            if (scale.by_fan_in) {
                require_length(*output, int64_t(out.shape(0)), "output", "one neuron per value");
                const int64_t n = int64_t(fan_in->shape(0));
                require(std::all_of(output->data(), output->data() + out.shape(0),
                                    [&](int32_t o) { return o >= 0 && o < n; }),
                        "output must be numbers of neurons");
            }
            nb::gil_scoped_release free_lock;
            draw_block_weights(out.data(), ptr, agents, kind, scale, scales.data(), pointer(output), pointer(fan_in),
                               keys.data(), threads);
        },
        nb::arg("out").noconvert(), nb::arg("blocks").noconvert(), nb::arg("kind"), nb::arg("scale"),
        nb::arg("scales").noconvert(), nb::arg("keys").noconvert(), nb::arg("threads"),
        nb::arg("output").noconvert().none() = nb::none(), nb::arg("fan_in").noconvert().none() = nb::none());
}

}  // namespace

void bind_fleet(nb::module_& m) {
    bind_type<float>(m);
    bind_type<double>(m);
    bind_drawing<float>(m);
    bind_drawing<double>(m);
    m.def(
        "draw_blocks",
        [](int64_t rows, int64_t columns, int64_t count, Array<const uint64_t> keys, int threads) {
            require(rows >= 1 && columns >= 1 && count >= 0 && uint64_t(count) <= uint64_t(rows) * uint64_t(columns),
                    "a block cannot have so many connections");
            Positions out;
            {
                nb::gil_scoped_release free_lock;
                out = draw_blocks(int64_t(keys.shape(0)), rows, columns, count, keys.data(), threads);
            }
            return nb::make_tuple(give(std::move(out.ptr)), give(std::move(out.index)));
        },
        nb::arg("rows"), nb::arg("columns"), nb::arg("count"), nb::arg("keys").noconvert(), nb::arg("threads"));
    m.def(
        "is_block_diagonal",
        [](Array<const int64_t> ptr, Array<const int32_t> index, int64_t columns, int64_t agents) {
            const Connections connections = view(ptr, index);
            nb::gil_scoped_release free_lock;
            return is_block_diagonal(connections, columns, agents);
        },
        nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("columns"), nb::arg("agents"));
}

}  // namespace ts
