"""Layers in tiles against SciPy in float64: every instruction set, type of value, width of row, number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, ndtr

from conftest import narrowed
from trulysparse import _kernels
from trulysparse._core.arrays import widened
from trulysparse.connectivity import TiledConnectivity
from trulysparse.connectivity.tiled import n_tiles, tile_shift
from trulysparse.errors import InputError
from trulysparse.nn.activations_buffer import Activations, bit_bytes
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.optim import SGD, Adam, OptimizerState

SHAPES = [(1, 1, 1), (7, 3, 15), (300, 200, 900), (1, 500, 400), (500, 2, 700), (1000, 40, 60), (130, 129, 0)]
BATCHES = [1, 2, 4, 8, 16, 32, 64, 144]


def held(values: np.ndarray, kind: str) -> np.ndarray:
    return narrowed(values) if kind == "bfloat16" else values.astype(np.float32)


def make(shape: tuple[int, int, int], kind: str, rng: np.random.Generator, threads: int = 2) -> TiledLayer:
    n_in, n_out, count = shape
    con = TiledConnectivity.draw(n_in, n_out, count, seed=5, threads=threads)
    return TiledLayer(con, held(rng.normal(size=count), kind), held(rng.normal(size=n_out), kind), (0, 0.0))


def bits(n: int, batch: int) -> np.ndarray:
    return np.zeros(bit_bytes(n, batch, True), np.uint8)


def tolerance(*kinds: str) -> dict[str, float]:
    return dict(rtol=2e-2, atol=2e-2) if "bfloat16" in kinds else dict(rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", SHAPES)
def test_forward_and_backward_agree_with_scipy(isa, rng, shape, batch, kind):
    n_in, n_out, _ = shape
    layer = make(shape, kind, rng)
    x = Activations(held(rng.normal(size=(n_in, batch)), kind), (1, -0.5), bits(n_in, batch))
    x.sign_bits[:] = rng.integers(0, 256, len(x.sign_bits), dtype=np.uint8)
    y = Activations(held(np.zeros((n_out, batch)), kind), (1, 0.25), bits(n_out, batch))
    weight = layer.weight.astype(np.float64)
    bias = widened(layer.bias).astype(np.float64)

    layer.forward(x, y, 0, 2)
    x64 = widened(x.values).astype(np.float64)
    z = weight @ x64 + bias[:, None]
    np.testing.assert_allclose(widened(y.values), np.where(z > 0, z, 0.25 * z), **tolerance(kind))
    sure = np.abs(z).ravel() > 1e-3
    positive = np.unpackbits(y.sign_bits, bitorder="little")[: z.size].astype(bool)
    np.testing.assert_array_equal(positive[sure], (z > 0).ravel()[sure])

    dy = held(rng.normal(size=(n_out, batch)), kind)
    dy64 = widened(dy).astype(np.float64)
    rows, columns = layer.connectivity.coordinates()
    wanted = (dy64[rows] * x64[columns]).sum(axis=1)
    gradient, bias_gradient = layer.gradients(dy, x, None, 2)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(bias_gradient, dy64.sum(axis=1), rtol=1e-3, atol=1e-3)
    layer.gradients(dy, x, None, 2, (gradient, bias_gradient), add=True)
    np.testing.assert_allclose(gradient, 2 * wanted, rtol=1e-3, atol=1e-3)

    slope = np.where(np.unpackbits(x.sign_bits, bitorder="little")[: x64.size].reshape(x64.shape), 1, -0.5)
    rule = SGD(0.1, momentum=0).rule(0, 0, None)
    layer.backward(dy, x, x.values, OptimizerState([], []), rule, 2)
    np.testing.assert_allclose(widened(x.values), slope * (weight.T @ dy64), **tolerance(kind))
    np.testing.assert_allclose(widened(layer.values), weight[rows, columns] - 0.1 * wanted, **tolerance(kind))
    np.testing.assert_allclose(widened(layer.bias), bias - 0.1 * dy64.sum(axis=1), **tolerance(kind))


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_rows_in_order_against_scipy(isa, rng, kind):
    """Layers beyond the caches, at small batches, bring rows into order first (propagation blocking)."""
    n_in, n_out = 600_000, 560_000
    layer = make((n_in, n_out, 700_000), kind, rng)
    weight = layer.weight.astype(np.float64)
    rows, columns = layer.connectivity.coordinates()
    for batch in (1, 2, 4, 8):
        x = Activations(held(rng.random((n_in, batch), np.float32) - 0.5, kind))
        y = Activations(held(np.zeros((n_out, batch), np.float32), kind))
        layer.forward(x, y, 0, 2)
        z = weight @ widened(x.values) + widened(layer.bias)[:, None]
        np.testing.assert_allclose(widened(y.values), z, **tolerance(kind))
        dy = held(rng.random((n_out, batch), np.float32) - 0.5, kind)
        wanted = np.einsum("cb,cb->c", widened(dy)[rows], widened(x.values)[columns], dtype=np.float64)
        dx = np.zeros_like(x.values)
        gradient, _ = layer.gradients(dy, x, dx, 2)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(widened(dx), weight.T @ widened(dy), **tolerance(kind))


@pytest.mark.parametrize("activation", [(0, 0.0), (1, 0.3), (2, 0.0), (3, 0.0), (4, 0.0), (5, 0.0)])
@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_derivatives_of_activations_and_dropout(isa, rng, kind, activation):
    """The gradient at x's pre-activation against that of the same layer computed by NumPy from what x holds."""
    n_in, n_out, batch, keep = 90, 70, 16, 0.75
    below = make((50, n_in, 400), kind, rng)
    layer = make((n_in, n_out, 500), kind, rng)
    x = Activations(held(np.empty((n_in, batch)), kind), activation, bits(n_in, batch), bits(n_in, batch), keep)
    x.pre_activation = held(np.empty((n_in, batch)), kind)
    below.forward(Activations(held(rng.normal(size=(50, batch)), kind)), x, 3, 2)
    kept = np.unpackbits(x.dropout_bits, bitorder="little")[: x.values.size].reshape(x.values.shape)
    positive = np.unpackbits(x.sign_bits, bitorder="little")[: x.values.size].reshape(x.values.shape)
    assert kept.mean() == pytest.approx(keep, abs=0.05)
    np.testing.assert_array_equal(x.values[kept == 0], 0)
    f, z = widened(x.values).astype(np.float64) * keep, widened(x.pre_activation).astype(np.float64)
    if activation[0] > 3:
        np.testing.assert_allclose(f, kept * z * (ndtr(z) if activation[0] == 4 else expit(z)), **tolerance(kind))
    slope = [
        np.ones_like(f),
        np.where(positive, 1, 0.3),
        1 - f * f,
        f * (1 - f),
        ndtr(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
        expit(z) * (1 + z * expit(-z)),
    ][activation[0]]
    dy = held(rng.normal(size=(n_out, batch)), kind)
    wanted = kept * slope / keep * (layer.weight.T.astype(np.float64) @ widened(dy))
    layer.gradients(dy, x, x.values, 2)
    np.testing.assert_allclose(widened(x.values), wanted, **tolerance(kind))


@pytest.mark.parametrize(
    "optimizer", [SGD(0.1), SGD(0.1, nesterov=True, weight_decay=0.01), Adam(0.1, weight_decay=0.1)]
)
@pytest.mark.parametrize("state", ["float32", "bfloat16"])
def test_updates_follow_the_rule_of_the_indexed_form(isa, rng, optimizer, state):
    """The same rule on the same gradients as the kernel for plain arrays; state in bfloat16 keeps it to rounding."""
    layer = make((60, 50, 1000), "float32", rng)
    optimizer_state = layer.new_state(type(optimizer)(**{**optimizer.__dict__, "state": state}))
    value, plain = layer.values.copy(), [np.zeros(1000, np.float32) for _ in optimizer_state.weight]
    for step in range(3):
        gradient = rng.normal(size=1000).astype(np.float32)
        rule = optimizer.rule(step, 0, None)
        _kernels.update(value, *[*plain, None, None][:2], [(gradient, 1.0)], rule, False, 1)
        layer.update([(gradient, np.zeros(50, np.float32), 1.0)], optimizer_state, rule, 2)
    close = dict(rtol=1e-6, atol=1e-7) if state == "float32" else dict(rtol=3e-2, atol=5e-2)
    np.testing.assert_allclose(layer.values, value, **close)
    for ours, theirs in zip(optimizer_state.weight, plain, strict=True):
        np.testing.assert_allclose(widened(ours), theirs, rtol=1e-6 if state == "float32" else 3e-2, atol=1e-2)


def test_stochastic_rounding_is_right_on_average(isa):
    """Steps far under half a unit in the last place of bfloat16 must neither vanish nor drift."""
    n = 200_000
    con = TiledConnectivity.draw(1000, 1000, n, seed=0, threads=1)
    layer = TiledLayer(con, narrowed(np.full(n, 1.0)), narrowed(np.zeros(1000)), (0, 0.0))
    gradient = np.full(n, 1 / 4096, np.float32)  # a unit in the last place under 1 is 1/256
    rule = SGD(1.0, momentum=0).rule(0, 0, None)
    for step in range(4):
        rule.key = step
        layer.update([(gradient, np.zeros(1000, np.float32), 1.0)], OptimizerState([], []), rule, 1)
    moved = 1 - widened(layer.values).astype(np.float64)
    assert moved.mean() == pytest.approx(4 / 4096, rel=0.05)
    assert set(np.unique(moved * 256)) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    rule.key = 9
    before = layer.values.copy()
    layer.update([(0 * gradient, np.zeros(1000, np.float32), 1.0)], OptimizerState([], []), rule, 1)
    np.testing.assert_array_equal(layer.values, before)  # what bfloat16 holds exactly stays


def test_rounding_to_the_nearest(isa, rng):
    values = np.concatenate([rng.normal(size=1000), [0.0, -0.0, np.inf, -np.inf, 1.00390625, 1.01171875]]).astype(
        np.float32
    )
    back = widened(narrowed(values))
    finite = np.isfinite(values)
    assert np.all(np.abs(back[finite] - values[finite]) <= np.abs(values[finite]) * 2.0**-8)
    np.testing.assert_array_equal(back[~finite], values[~finite])
    np.testing.assert_array_equal(back[-2:], [1.0, 1.015625])  # ties to even
    assert np.isnan(widened(narrowed(np.array([np.nan, -np.nan] * 20)))).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(0, 1), st.integers(0, 2**32))
def test_drawn_connections_are_whole(n_in, n_out, share, seed):
    count = int(min(20_000, n_in * n_out) * share)
    con = TiledConnectivity.draw(n_in, n_out, count, seed=seed, threads=2)
    con.check()
    assert con.n_connections == count
    rows, columns = con.coordinates()
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == count
    again = TiledConnectivity.draw(n_in, n_out, count, seed=seed, threads=1)
    np.testing.assert_array_equal(con.packed, again.packed)


def test_every_place_is_equally_likely():
    """Over many draws of a small layer of several tiles, each place comes as often as each other."""
    n_in, n_out, count, draws = 70, 66, 100, 3000
    seen = np.zeros((n_out, n_in))
    for seed in range(draws):
        ptr, place = _kernels.draw_tiles(n_in, n_out, 6, count, seed, 1)
        seen[TiledConnectivity(n_in, n_out, 6, ptr, place).coordinates()] += 1
    expected = draws * count / (n_in * n_out)
    chi_square = ((seen - expected) ** 2 / expected).sum()
    assert abs(chi_square - seen.size) < 6 * np.sqrt(2 * seen.size)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(300, 200, 900), (70, 3, 150), (5000, 3000, 40_000)])
@pytest.mark.parametrize("fresh", [(), ("median",)])
def test_evolution_against_a_dictionary(rng, shape, kind, fresh):
    count = shape[2]
    layer = make(shape, kind, rng)
    before = layer.connectivity
    optimizer_state = OptimizerState([held(rng.normal(size=count), "float32")], [], fresh)
    rows, columns = before.coordinates()
    keep = (rng.random(count) < 0.7).astype(np.uint8)
    grow = int(count - keep.sum())
    kept = {
        place: (w, s)
        for place, w, s, k in zip(
            zip(rows, columns, strict=True), layer.values, optimizer_state.weight[0], keep, strict=True
        )
        if k
    }
    start = np.median(optimizer_state.weight[0][keep > 0]) if fresh else 0
    layer.evolve(keep, grow, WeightInit(), (1, 2), optimizer_state, 2)
    layer.connectivity.check()
    assert layer.n_connections == count
    found = dict(
        zip(
            zip(*layer.connectivity.coordinates(), strict=True),
            zip(layer.values, optimizer_state.weight[0], strict=True),
            strict=True,
        )
    )
    assert len(found) == count
    assert all(found[place] == values for place, values in kept.items())
    limit = WeightInit().scale(before, layer.activation).of(1)
    grown = [values for place, values in found.items() if place not in kept]
    weights = widened(np.array([w for w, _ in grown], layer.values.dtype))
    assert len(grown) == grow
    assert np.abs(weights).max() <= limit * 1.01
    assert np.abs(weights).mean() == pytest.approx(limit / 2, rel=0.3)
    assert all(s == start for _, s in grown)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(300, 200, 900), (70_000, 66_000, 200_000), (40, 9, 3)])
def test_weights_drawn_by_fan_in_follow_the_inputs_of_their_neuron(rng, shape, kind, threads):
    layer = make(shape, kind, rng)
    init = WeightInit(fan="sparse")
    con, scale = layer.connectivity, init.scale(layer.connectivity, layer.activation)
    init.fill(layer.values, con, scale, 7, threads)
    rows = con.coordinates()[0]
    fan_in = np.bincount(rows, minlength=con.n_out)
    unit = np.empty(con.n_connections)
    _kernels.draw_weights(unit, init.kind, 1.0, 7, 1)
    wanted = unit * np.sqrt(3 / fan_in[rows])
    tolerance = 1e-6 if kind == "float32" else 2**-8
    np.testing.assert_allclose(widened(layer.values), wanted, rtol=tolerance, atol=1e-9)
    assert _kernels.connected_outputs(con.tiles, threads) == np.count_nonzero(fan_in)


@pytest.mark.parametrize("threads", [1, 3])
def test_weights_that_evolution_draws_by_fan_in_follow_the_new_topology(rng, threads):
    layer = make((70_000, 66_000, 200_000), "float32", rng)
    layer.values[:] = 1e9  # what stays
    keep = (rng.random(layer.n_connections) < 0.6).astype(np.uint8)
    grow = int((keep == 0).sum())
    layer.evolve(keep, grow, WeightInit(fan="sparse"), (1, 2), OptimizerState([], []), threads)
    rows = layer.connectivity.coordinates()[0]
    new = layer.values != 1e9
    assert new.sum() == grow
    unit = np.empty(grow)
    _kernels.draw_weights(unit, _kernels.Draw.UNIFORM, 1.0, 2, 1)
    wanted = unit * np.sqrt(3 / np.bincount(rows)[rows[new]])
    np.testing.assert_allclose(layer.values[new], wanted, rtol=1e-6)


def test_grown_places_are_uniform_among_the_empty_ones(rng):
    n_in, n_out, count = 70, 66, 600
    start = TiledConnectivity(n_in, n_out, 6, *_kernels.draw_tiles(n_in, n_out, 6, count, 0, 1))
    keep = np.zeros(count, np.uint8)
    keep[::2] = 1
    rows, columns = start.coordinates()
    seen, rounds = np.zeros((n_out, n_in)), 1500
    for number in range(rounds):
        layer = TiledLayer(start, np.zeros(count, np.float32), np.zeros(n_out, np.float32), (0, 0.0))
        layer.evolve(keep, 300, WeightInit(), (number, 0), OptimizerState([], []), 1)
        seen[layer.connectivity.coordinates()] += 1
    stays = np.zeros(seen.shape, bool)
    stays[rows[::2], columns[::2]] = True
    assert (seen[stays] == rounds).all()
    expected = rounds * 300 / (~stays).sum()
    chi_square = ((seen[~stays] - expected) ** 2 / expected).sum()
    assert abs(chi_square - (~stays).sum()) < 6 * np.sqrt(2 * (~stays).sum())


@pytest.mark.parametrize("batch", [4, 32])
@pytest.mark.parametrize(
    "shape", [(3000, 2000, 9000), (40_000, 2, 30_000), (9, 50_000, 60_000), (200_000, 180_000, 200_000)]
)
def test_same_bits_for_any_number_of_threads(isa, rng, shape, batch):
    n_in, n_out, _ = shape
    layer = make(shape, "bfloat16", rng)
    x, dy = held(rng.normal(size=(n_in, batch)), "bfloat16"), held(rng.normal(size=(n_out, batch)), "bfloat16")
    rule = SGD(0.1).rule(0, 0, None)
    rule.key = 77
    results = []
    for threads in (1, 2, 3):
        twin = TiledLayer(layer.connectivity, layer.values.copy(), layer.bias.copy(), (0, 0.0))
        optimizer_state, y, dx = twin.new_state(SGD(state="bfloat16")), Activations(np.zeros_like(dy)), np.zeros_like(x)
        twin.forward(Activations(x), y, 0, threads)
        twin.backward(dy, Activations(x), dx, optimizer_state, rule, threads)
        twin.evolve(
            (np.arange(twin.n_connections) % 3 > 0).astype(np.uint8),
            500,
            WeightInit(),
            (1, 2),
            optimizer_state,
            threads,
        )
        results.append(
            [
                y.values,
                dx,
                twin.values,
                twin.bias,
                *optimizer_state.weight,
                *optimizer_state.bias,
                twin.connectivity.packed,
            ]
        )
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_updates_may_go_elsewhere(rng):
    """What was there stays, as layers on disk need it."""
    layer = make((500, 300, 4000), "bfloat16", rng)
    optimizer_state = layer.new_state(SGD())
    spare = (
        [np.zeros_like(layer.values), np.zeros_like(optimizer_state.weight[0])],
        [np.zeros_like(layer.bias), np.zeros_like(optimizer_state.bias[0])],
    )
    layer._into = lambda _: spare
    before = layer.values.copy()
    x, dy = held(rng.normal(size=(500, 8)), "bfloat16"), held(rng.normal(size=(300, 8)), "bfloat16")
    rule = SGD(0.1).rule(0, 0, None)
    layer.backward(dy, Activations(x), None, optimizer_state, rule, 2)
    np.testing.assert_array_equal(layer.values, before)
    assert not optimizer_state.weight[0].any()
    twin = make((500, 300, 4000), "bfloat16", np.random.default_rng(0))
    twin_slots = twin.new_state(SGD())
    twin.backward(dy, Activations(x), None, twin_slots, rule, 2)
    np.testing.assert_array_equal(spare[0][0], twin.values)
    np.testing.assert_array_equal(spare[0][1], twin_slots.weight[0])
    np.testing.assert_array_equal(spare[1][0], twin.bias)


def test_tiles_hold_enough_connections():
    assert tile_shift(100, 100, 50) == 6 + next(s for s in range(11) if n_tiles(100, 100, 6 + s) * 64 <= 50 or s == 10)
    shift = tile_shift(5_000_000, 5_000_000, 10_000_000)
    assert 64 <= 10_000_000 / n_tiles(5_000_000, 5_000_000, shift) < 256
    assert tile_shift(10**8, 10**8, 10**8) == 16


@pytest.mark.parametrize(
    "damage", [lambda p: p[::-1], lambda p: p | np.uint32(0x8000_0000), lambda p: p[[0, *range(len(p) - 1)]]]
)
def test_damaged_tiles_are_found(damage):
    con = TiledConnectivity.draw(300, 200, 900, seed=0, threads=1)
    place = np.ascontiguousarray(damage(con.packed))
    with pytest.raises(InputError, match="ascending, unique"):
        TiledConnectivity(300, 200, con.shift, con.ptr, place)
    bad = TiledConnectivity.trusted(300, 200, con.shift, con.ptr, place)
    with pytest.raises(InputError, match="ascending, unique"):
        bad.check()
    with pytest.raises(InputError, match=r"net\.indexed"):
        _ = con.by_input


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", SHAPES)
def test_products_are_added_to_what_is_there(isa, rng, shape, batch, kind):
    n_in, n_out, _ = shape
    layer = make(shape, kind, rng)
    layer.bias = layer.bias[:0]
    x = Activations(rng.normal(size=(n_in, batch)).astype(np.float32))
    dy = rng.normal(size=(n_out, batch)).astype(np.float32)
    results = []
    for threads in (1, 3):
        y, dx = (np.full((n, batch), 0.5, np.float32) for n in (n_out, n_in))
        layer.forward(x, Activations(y), 0, threads, add=True)
        layer.input_gradient(dy, x, dx, threads, add=True)
        results.append((y, dx))
    weight = layer.weight.astype(np.float64)
    np.testing.assert_allclose(results[0][0], weight @ x.values + 0.5, **tolerance("float32"))
    np.testing.assert_allclose(results[0][1], weight.T @ dy + 0.5, **tolerance("float32"))
    for one, three in zip(*results, strict=True):
        np.testing.assert_array_equal(one, three)


def test_what_adds_is_plain(rng):
    layer = make((7, 3, 15), "float32", rng)
    x, y = (Activations(np.zeros((n, 8), np.float32)) for n in (7, 3))
    with pytest.raises(ValueError, match="neither biases nor an activation"):
        layer.forward(x, y, 0, 1, add=True)
