// Tiled layers for Python: float32 arrays, or bfloat16 in uint16 arrays.
#include "bindings/bindings.hpp"

#include "bindings/update_rule.hpp"
#include "tiled/tiles.hpp"
#include "tiled/topology.hpp"

namespace ts {
namespace {

using Values = nb::ndarray<nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Signals = nb::ndarray<nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class A>
Stored stored(const A& array) {
    const bool half = array.dtype() == nb::dtype<uint16_t>();
    require(half || array.dtype() == nb::dtype<float>(), "values are float32, or bfloat16 as uint16");
    return {array.data(), array.data(), half};
}

template <class A>
Stored stored(const Maybe<A>& array) {
    return array ? stored(*array) : Stored{};
}

void require_widths(int64_t n_in, int64_t n_out, int shift) {
    if (n_in <= 0 || n_out <= 0 || shift < kLeastShift || shift > kMostShift)
        refuse("a layer of " + std::to_string(n_in) + " x " + std::to_string(n_out) + " neurons in tiles of 2^" +
               std::to_string(shift));
}

// A layer's connections, checked once; keeps their arrays alive.
struct HeldTiles {
    Array<const int64_t> ptr;
    Array<const uint32_t> packed;
    Tiles tiles;

    HeldTiles(int64_t n_in, int64_t n_out, int shift, Array<const int64_t> ptr_, Array<const uint32_t> packed_)
        : ptr(ptr_), packed(packed_), tiles{n_in, n_out, shift, ptr_.data(), packed_.data()} {
        require_widths(n_in, n_out, shift);
        require_length(ptr, tiles.count() + 1, "ptr", "one per tile, and one more");
        require(ptr.data()[0] == 0 && ptr.data()[tiles.count()] == int64_t(packed.shape(0)),
                "tile pointers do not span the coordinates");
    }
    int64_t size() const { return int64_t(packed.shape(0)); }
};

void* pre_activations(const Maybe<Signals>& array, const Signals& activations, const char* meaning) {
    if (!array) return nullptr;
    require_shape(*array, int64_t(activations.shape(0)), int64_t(activations.shape(1)), "pre_activation", meaning);
    require(stored(*array).half == stored(activations).half, "pre-activations have the type of the activations");
    return array->data();
}

// Bits lie along the values as a whole, in groups of sixteen.
int64_t bit_bytes(int64_t values) { return (values + 15) / 16 * 2; }

// value, up to two arrays of optimizer state, the gradient, and the arrays for updated ones if not in place.
TileParameters parameters(const Values& value, const std::vector<Values>& state, const Maybe<Array<float>>& gradient,
                          const std::vector<Values>& into, const UpdateRule& rule, uint64_t key) {
    const int64_t size = int64_t(value.shape(0));
    require(state.size() <= 2, "at most two arrays of optimizer state");
    TileParameters p{stored(value), {}, {}, pointer(gradient), key};
    for (size_t s = 0; s < state.size(); ++s) {
        require_length(state[s], size, "an array of optimizer state", "one value per parameter");
        (s == 0 ? p.slot0 : p.slot1) = stored(state[s]);
    }
    require(into.empty() || into.size() == 1 + state.size(),
            "`into` needs an array for the values and for each array of state");
    Stored* all[] = {&p.value, &p.slot0, &p.slot1};
    for (size_t a = 0; a < into.size(); ++a) {
        require_length(into[a], size, "an array of updated values", "as many as there were");
        require(stored(into[a]).half == all[a]->half, "updated values have the type of the old");
        all[a]->to = into[a].data();
    }
    require_length(gradient, size, "gradient", "one per parameter");
    require((rule.kind != Update::gradient && !rule.add) || gradient, "gradients need an array");
    require(rule.kind != Update::nesterov || p.slot0, "Nesterov momentum needs its state");
    require(rule.kind != Update::adam || (p.slot0 && p.slot1), "Adam needs two states");
    return p;
}

void bind_passes(nb::module_& m) {
    m.def(
        "tile_forward",
        [](const HeldTiles& held, Values weight, Values bias, Signals x, Signals y, const KernelActivation& activation,
           Bits positive, Bits kept, double keep_probability, uint64_t key, int threads, Maybe<Signals> pre_activation,
           bool add) {
            TileForwardArgs a;
            const int64_t n_in = held.tiles.n_in, n_out = held.tiles.n_out;
            a.tiles = held.tiles;
            a.stride = int64_t(x.shape(1));
            require_padded(a.stride);
            require_length(weight, held.size(), "weight", "one per connection");
            require_bias(bias, n_out);
            require_shape(x, n_in, a.stride, "x", "inputs x stride");
            require_shape(y, n_out, a.stride, "y", "outputs x stride");
            a.weight = stored(weight);
            if (bias.shape(0)) a.bias = stored(bias);
            a.x = stored(x);
            a.y = stored(y);
            a.epilogue = epilogue(activation, positive, kept, keep_probability, bit_bytes(n_out * a.stride), key,
                                  pre_activations(pre_activation, y, "as y"));
            a.add = add;
            require(!add || (is_plain(a.epilogue) && !a.bias && !a.y.half),
                    "what adds has floats, neither biases nor an activation");
            nb::gil_scoped_release free_lock;
            tile_forward(a, threads);
        },
        nb::arg("tiles"), nb::arg("weight"), nb::arg("bias"), nb::arg("x"), nb::arg("y"), nb::kw_only(),
        nb::arg("activation"), nb::arg("positive").noconvert().none(), nb::arg("kept").noconvert().none(),
        nb::arg("keep_probability"), nb::arg("key"), nb::arg("threads"), nb::arg("pre_activation") = nb::none(),
        nb::arg("add") = false);
    m.def(
        "tile_backward",
        [](const HeldTiles& held, Values weight, Values bias, Signals x, Signals dy, Maybe<Signals> dx,
           std::vector<Values> state, Maybe<Array<float>> gradient, std::vector<Values> into,
           std::vector<Values> bias_state, Maybe<Array<float>> bias_gradient, std::vector<Values> bias_into,
           const KernelActivation& activation, Bits positive, Bits kept, double keep_probability,
           const UpdateRule& rule, int threads, Maybe<Signals> pre_activation, bool add) {
            TileBackwardArgs a;
            const int64_t n_in = held.tiles.n_in, n_out = held.tiles.n_out;
            a.tiles = held.tiles;
            a.stride = int64_t(x.shape(1));
            require_padded(a.stride);
            require_length(weight, held.size(), "weight", "one per connection");
            require_bias(bias, n_out);
            require_shape(x, n_in, a.stride, "x", "inputs x stride");
            require_shape(dy, n_out, a.stride, "dy", "outputs x stride");
            if (dx) require_shape(*dx, n_in, a.stride, "dx", "as x");
            a.weights = parameters(weight, state, gradient, into, rule, rule.key);
            const bool biased = bias.shape(0) > 0;
            if (biased) a.biases = parameters(bias, bias_state, bias_gradient, bias_into, rule, ~rule.key);
            a.weight_update = rule.args<float>(false);
            if (biased) a.bias_update = rule.args<float>(true);
            a.dy = stored(dy);
            a.x = stored(x);
            if (dx) a.dx = stored(*dx);
            a.input = epilogue(activation, positive, kept, keep_probability, bit_bytes(n_in * a.stride), 0,
                               pre_activations(pre_activation, x, "as x"));
            require_derivative(a.input, a.dx.to);
            a.add = add;
            require(!add || (is_plain(a.input) && !a.dx.half), "what adds has floats without an activation");
            nb::gil_scoped_release free_lock;
            tile_backward(a, threads);
        },
        nb::arg("tiles"), nb::arg("weight"), nb::arg("bias"), nb::arg("x"), nb::arg("dy"), nb::arg("dx").none(),
        nb::kw_only(), nb::arg("state"), nb::arg("gradient").noconvert().none(), nb::arg("into"), nb::arg("bias_state"),
        nb::arg("bias_gradient").noconvert().none(), nb::arg("bias_into"), nb::arg("activation"),
        nb::arg("positive").noconvert().none(), nb::arg("kept").noconvert().none(), nb::arg("keep_probability"),
        nb::arg("rule"), nb::arg("threads"), nb::arg("pre_activation") = nb::none(), nb::arg("add") = false);
    m.def(
        "tile_update",
        [](Values value, std::vector<Values> state, Array<float> gradient, std::vector<Values> into,
           const UpdateRule& rule, bool bias, int threads) {
            const TileParameters p = parameters(value, state, gradient, into, rule, bias ? ~rule.key : rule.key);
            require(rule.updates(), "a rule that updates");
            nb::gil_scoped_release free_lock;
            tile_update(rule.args<float>(bias), p, int64_t(value.shape(0)), threads);
        },
        nb::arg("value"), nb::arg("state"), nb::arg("gradient").noconvert(), nb::arg("into"), nb::arg("rule"),
        nb::arg("bias"), nb::arg("threads"));
    m.def(
        "round_to",
        [](Values from, Values to, int threads) {
            const Stored source = stored(from), target = stored(to);
            require(from.shape(0) == to.shape(0) && source.half != target.half, "as many values of the other type");
            nb::gil_scoped_release free_lock;
            tile_convert({source.from, target.to, target.half}, int64_t(from.shape(0)), threads);
        },
        nb::arg("from_"), nb::arg("to"), nb::arg("threads"));
}

void bind_tile_topology(nb::module_& m) {
    m.def(
        "draw_tiles",
        [](int64_t n_in, int64_t n_out, int shift, int64_t count, uint64_t key, int threads) {
            require_widths(n_in, n_out, shift);
            require(count >= 0 && uint64_t(count) <= uint64_t(n_in) * uint64_t(n_out),
                    "more connections than the layer has");
            DrawnTiles out;
            {
                nb::gil_scoped_release free_lock;
                out = draw_tiles(n_in, n_out, shift, count, key, threads);
            }
            return nb::make_tuple(give(std::move(out.ptr)), give(std::move(out.packed)));
        },
        nb::arg("n_in"), nb::arg("n_out"), nb::arg("shift"), nb::arg("count"), nb::arg("key"), nb::arg("threads"));
    m.def(
        "evolve_tiles",
        [](const HeldTiles& held, Array<const uint8_t> keep, int64_t count, Draw kind, const WeightScale& scale,
           uint64_t fresh_key, uint64_t key, Array<int64_t> new_ptr, Array<uint32_t> new_place,
           std::vector<std::pair<Values, Values>> moved, int threads, const std::vector<double>& fill) {
            const Tiles& tiles = held.tiles;
            require_length(keep, held.size(), "keep", "one per connection");
            int64_t stay = 0;
            for (size_t k = 0; k < keep.shape(0); ++k) stay += keep.data()[k] != 0;
            require_length(new_ptr, tiles.count() + 1, "new_ptr", "one per tile, and one more");
            require_length(new_place, stay + count, "new_place", "kept and new connections");
            require(count >= 0 && uint64_t(count) <= uint64_t(tiles.n_in) * uint64_t(tiles.n_out) - uint64_t(stay),
                    "more connections requested than there are empty positions");
            require(fill.empty() || fill.size() == moved.size(), "fill has one value per array");
            std::vector<MovedTiles> arrays;
            for (const auto& [from, to] : moved) {
                require_length(from, held.size(), "an array to move", "one per connection");
                require_length(to, stay + count, "an array to move to", "kept and new connections");
                require(stored(from).half == stored(to).half, "moved values keep their type");
                const float value = fill.empty() ? 0.0f : float(fill[arrays.size()]);
                arrays.push_back({{from.data(), to.data(), stored(from).half}, value});
            }
            nb::gil_scoped_release free_lock;
            evolve_tiles(tiles, keep.data(), count, {kind, scale, fresh_key}, key, new_ptr.data(), new_place.data(),
                         arrays.data(), int(arrays.size()), threads);
        },
        nb::kw_only(), nb::arg("tiles"), nb::arg("keep").noconvert(), nb::arg("count"), nb::arg("kind"),
        nb::arg("scale"), nb::arg("fresh_key"), nb::arg("key"), nb::arg("new_ptr").noconvert(),
        nb::arg("new_place").noconvert(), nb::arg("moved"), nb::arg("threads"),
        nb::arg("fill") = std::vector<double>{});
    m.def(
        "draw_tile_weights",
        [](const HeldTiles& held, Values out, Draw kind, const WeightScale& scale, uint64_t key, int threads) {
            require_length(out, held.size(), "out", "one per connection");
            nb::gil_scoped_release free_lock;
            draw_tile_weights(held.tiles, {kind, scale, key}, stored(out), threads);
        },
        nb::arg("tiles"), nb::arg("out").noconvert(), nb::arg("kind"), nb::arg("scale"), nb::arg("key"),
        nb::arg("threads"));
    m.def(
        "connected_outputs",
        [](const HeldTiles& held, int threads) {
            nb::gil_scoped_release free_lock;
            return connected_outputs(held.tiles, threads);
        },
        nb::arg("tiles"), nb::arg("threads"));
    m.def(
        "first_invalid_tile",
        [](const HeldTiles& held) {
            nb::gil_scoped_release free_lock;
            return first_invalid_tile(held.tiles, held.size());
        },
        nb::arg("tiles"));
}

}  // namespace

void bind_tiled(nb::module_& m) {
    m.attr("MAX_TILE_SHIFT") = kMostShift;
    m.attr("ORDERED_BYTES") = kOrderedBytes;
    m.attr("FEW_BLOCKS") = kFewBlocks;
    nb::class_<HeldTiles>(m, "Tiles")
        .def(nb::init<int64_t, int64_t, int, Array<const int64_t>, Array<const uint32_t>>(), nb::arg("n_in"),
             nb::arg("n_out"), nb::arg("shift"), nb::arg("ptr").noconvert(), nb::arg("packed").noconvert());
    bind_passes(m);
    bind_tile_topology(m);
}

}  // namespace ts
