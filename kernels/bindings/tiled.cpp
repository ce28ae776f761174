// The compact form of layers for Python: float32 arrays, or bfloat16 in uint16 arrays.
#include "bindings/bindings.hpp"

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

Tiles view_tiles(int64_t n_in, int64_t n_out, int shift, const Array<const int64_t>& ptr,
                 const Array<const uint32_t>& place) {
    require(n_in > 0 && n_out > 0 && shift >= 3 && shift <= 16, "widths are positive, tiles have 2^3 to 2^16 rows");
    const Tiles tiles{n_in, n_out, shift, ptr.data(), place.data()};
    require(int64_t(ptr.shape(0)) == tiles.count() + 1, "one pointer a tile, and one more");
    require(ptr.data()[0] == 0 && ptr.data()[tiles.count()] == int64_t(place.shape(0)),
            "tile pointers do not span the places");
    return tiles;
}

// Bits lie along the values as a whole, in groups of sixteen.
Epilogue flat_epilogue(int activation, double slope, const Maybe<Array<uint8_t>>& positive,
                       const Maybe<Array<uint8_t>>& kept, double keep_probability, uint64_t key, int64_t values) {
    const size_t bytes = size_t((values + 15) / 16 * 2);
    require(!positive || positive->shape(0) >= bytes, "activation bits are too short");
    require(!kept || kept->shape(0) >= bytes, "dropout bits are too short");
    return {Activation(activation), slope, pointer(positive), pointer(kept), keep_probability, key};
}

// value, two slots, the gradient, and where updated ones go if not in place.
TileParameters parameters(const Values& value, const std::vector<Values>& slots, const Maybe<Array<float>>& gradient,
                          const std::vector<Values>& into, const UpdateRule& rule, bool add, uint64_t key) {
    const size_t size = value.shape(0);
    require(slots.size() <= 2, "at most two values of optimizer state");
    TileParameters p{stored(value), {}, {}, pointer(gradient), add, key};
    for (size_t s = 0; s < slots.size(); ++s) {
        require(slots[s].shape(0) == size, "one value of optimizer state a parameter");
        (s == 0 ? p.slot0 : p.slot1) = stored(slots[s]);
    }
    require(into.empty() || into.size() == 1 + slots.size(), "somewhere to go for each array");
    Stored* all[] = {&p.value, &p.slot0, &p.slot1};
    for (size_t a = 0; a < into.size(); ++a) {
        require(into[a].shape(0) == size && stored(into[a]).half == all[a]->half,
                "updated values have the type of the old");
        all[a]->to = into[a].data();
    }
    const Update kind = Update(rule.kind);
    require(kind != Update::gradient || gradient, "gradients need somewhere to go");
    require(!gradient || gradient->shape(0) == size, "one gradient a parameter");
    require(kind != Update::nesterov || p.slot0, "Nesterov momentum needs its state");
    require(kind != Update::adam || (p.slot0 && p.slot1), "Adam needs two states");
    return p;
}

void bind_passes(nb::module_& m) {
    m.def(
        "tile_forward",
        [](int64_t n_in, int64_t n_out, int shift, Array<const int64_t> ptr, Array<const uint32_t> place, Values weight,
           Values bias, Signals x, Signals y, int activation, double slope, Maybe<Array<uint8_t>> positive,
           Maybe<Array<uint8_t>> kept, double keep_probability, uint64_t key, int threads) {
            TileForwardArgs a;
            a.tiles = view_tiles(n_in, n_out, shift, ptr, place);
            require(weight.shape(0) == place.shape(0), "one weight a connection");
            require(int64_t(bias.shape(0)) == n_out, "one bias an output neuron");
            require(int64_t(x.shape(0)) == n_in && int64_t(y.shape(0)) == n_out && x.shape(1) == y.shape(1),
                    "x is inputs x stride, y outputs x stride");
            a.weight = stored(weight);
            a.bias = stored(bias);
            a.x = stored(x);
            a.y = stored(y);
            a.stride = int64_t(x.shape(1));
            require(padded_batch(a.stride) == a.stride, "the stride is not a padded batch size");
            a.epilogue = flat_epilogue(activation, slope, positive, kept, keep_probability, key, n_out * a.stride);
            nb::gil_scoped_release free_lock;
            tile_forward(a, threads);
        },
        nb::arg("n_in"), nb::arg("n_out"), nb::arg("shift"), nb::arg("ptr").noconvert(), nb::arg("place").noconvert(),
        nb::arg("weight"), nb::arg("bias"), nb::arg("x"), nb::arg("y"), nb::arg("activation"), nb::arg("slope"),
        nb::arg("positive").noconvert().none(), nb::arg("kept").noconvert().none(), nb::arg("keep_probability"),
        nb::arg("key"), nb::arg("threads"));
    m.def(
        "tile_backward",
        [](int64_t n_in, int64_t n_out, int shift, Array<const int64_t> ptr, Array<const uint32_t> place, Values weight,
           std::vector<Values> slots, Maybe<Array<float>> gradient, std::vector<Values> into, Values bias,
           std::vector<Values> bias_slots, Maybe<Array<float>> bias_gradient, std::vector<Values> bias_into, bool add,
           Signals dy, Signals x, Maybe<Signals> dx, int activation, double slope, Maybe<Array<uint8_t>> positive,
           Maybe<Array<uint8_t>> kept, double keep_probability, const UpdateRule& rule, int threads) {
            TileBackwardArgs a;
            a.tiles = view_tiles(n_in, n_out, shift, ptr, place);
            require(weight.shape(0) == place.shape(0), "one weight a connection");
            require(int64_t(bias.shape(0)) == n_out, "one bias an output neuron");
            require(int64_t(x.shape(0)) == n_in && int64_t(dy.shape(0)) == n_out && x.shape(1) == dy.shape(1),
                    "x is inputs x stride, dy outputs x stride");
            require(!dx || (dx->shape(0) == x.shape(0) && dx->shape(1) == x.shape(1)), "dx has the shape of x");
            a.weights = parameters(weight, slots, gradient, into, rule, add, rule.key);
            a.biases = parameters(bias, bias_slots, bias_gradient, bias_into, rule, add, ~rule.key);
            a.weight_update = rule.args<float>(false);
            a.bias_update = rule.args<float>(true);
            a.dy = stored(dy);
            a.x = stored(x);
            if (dx) a.dx = stored(*dx);
            a.stride = int64_t(x.shape(1));
            require(padded_batch(a.stride) == a.stride, "the stride is not a padded batch size");
            a.input = flat_epilogue(activation, slope, positive, kept, keep_probability, 0, n_in * a.stride);
            require(!dx || a.input.kind != Activation::leaky || a.input.positive, "the activation's bits are missing");
            nb::gil_scoped_release free_lock;
            tile_backward(a, threads);
        },
        nb::arg("n_in"), nb::arg("n_out"), nb::arg("shift"), nb::arg("ptr").noconvert(), nb::arg("place").noconvert(),
        nb::arg("weight"), nb::arg("slots"), nb::arg("gradient").noconvert().none(), nb::arg("into"), nb::arg("bias"),
        nb::arg("bias_slots"), nb::arg("bias_gradient").noconvert().none(), nb::arg("bias_into"), nb::arg("add"),
        nb::arg("dy"), nb::arg("x"), nb::arg("dx").none(), nb::arg("activation"), nb::arg("slope"),
        nb::arg("positive").noconvert().none(), nb::arg("kept").noconvert().none(), nb::arg("keep_probability"),
        nb::arg("rule"), nb::arg("threads"));
    m.def(
        "tile_update",
        [](Values value, std::vector<Values> slots, Array<float> gradient, std::vector<Values> into,
           const UpdateRule& rule, bool bias, int threads) {
            const TileParameters p = parameters(value, slots, gradient, into, rule, false, bias ? ~rule.key : rule.key);
            require(rule.kind >= int(Update::sgd), "an update rule");
            nb::gil_scoped_release free_lock;
            tile_update(rule.args<float>(bias), p, int64_t(value.shape(0)), threads);
        },
        nb::arg("value"), nb::arg("slots"), nb::arg("gradient").noconvert(), nb::arg("into"), nb::arg("rule"),
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
            require(n_in > 0 && n_out > 0 && shift >= 3 && shift <= 16,
                    "widths are positive, tiles have 2^3 to 2^16 rows");
            require(count >= 0 && uint64_t(count) <= uint64_t(n_in) * uint64_t(n_out), "more connections than places");
            DrawnTiles out;
            {
                nb::gil_scoped_release free_lock;
                out = draw_tiles(n_in, n_out, shift, count, key, threads);
            }
            return nb::make_tuple(give(std::move(out.ptr)), give(std::move(out.place)));
        },
        nb::arg("n_in"), nb::arg("n_out"), nb::arg("shift"), nb::arg("count"), nb::arg("key"), nb::arg("threads"));
    m.def(
        "evolve_tiles",
        [](int64_t n_in, int64_t n_out, int shift, Array<const int64_t> ptr, Array<const uint32_t> place,
           Array<const uint8_t> keep, int64_t count, int kind, double scale, uint64_t fresh_key, uint64_t key,
           Array<int64_t> new_ptr, Array<uint32_t> new_place, std::vector<std::pair<Values, Values>> moved,
           int threads) {
            const Tiles tiles = view_tiles(n_in, n_out, shift, ptr, place);
            require(keep.shape(0) == place.shape(0), "one mark a connection");
            int64_t stay = 0;
            for (size_t k = 0; k < keep.shape(0); ++k) stay += keep.data()[k] != 0;
            require(new_ptr.shape(0) == ptr.shape(0), "one pointer a tile, and one more");
            require(int64_t(new_place.shape(0)) == stay + count, "room for what stays and what grows");
            require(count >= 0 && uint64_t(count) <= uint64_t(n_in) * uint64_t(n_out) - uint64_t(stay),
                    "more connections asked for than there are empty places");
            std::vector<MovedTiles> arrays;
            for (const auto& [from, to] : moved) {
                require(from.shape(0) == place.shape(0) && to.shape(0) == new_place.shape(0), "one value a connection");
                require(stored(from).half == stored(to).half, "moved values keep their type");
                arrays.push_back({{from.data(), to.data(), stored(from).half}});
            }
            nb::gil_scoped_release free_lock;
            evolve_tiles(tiles, keep.data(), count, {kind, scale, fresh_key}, key, new_ptr.data(), new_place.data(),
                         arrays.data(), int(arrays.size()), threads);
        },
        nb::arg("n_in"), nb::arg("n_out"), nb::arg("shift"), nb::arg("ptr").noconvert(), nb::arg("place").noconvert(),
        nb::arg("keep").noconvert(), nb::arg("count"), nb::arg("kind"), nb::arg("scale"), nb::arg("fresh_key"),
        nb::arg("key"), nb::arg("new_ptr").noconvert(), nb::arg("new_place").noconvert(), nb::arg("moved"),
        nb::arg("threads"));
    m.def(
        "first_invalid_tile",
        [](int64_t n_in, int64_t n_out, int shift, Array<const int64_t> ptr, Array<const uint32_t> place) {
            const Tiles tiles = view_tiles(n_in, n_out, shift, ptr, place);
            nb::gil_scoped_release free_lock;
            return first_invalid_tile(tiles, int64_t(place.shape(0)));
        },
        nb::arg("n_in"), nb::arg("n_out"), nb::arg("shift"), nb::arg("ptr").noconvert(), nb::arg("place").noconvert());
}

}  // namespace

void bind_tiled(nb::module_& m) {
    bind_passes(m);
    bind_tile_topology(m);
}

}  // namespace ts
