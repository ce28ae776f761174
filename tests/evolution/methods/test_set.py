"""SET against the paper's rule written naively, and its invariants."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import trulysparse as ts
from conftest import check_invariants
from trulysparse.evolution import LayerView
from trulysparse.evolution.prune import sign_magnitude
from trulysparse.optim import OptimizerState


def naive_keep_mask(values, zeta):
    """Sort each sign by magnitude, drop the fraction zeta from the front."""
    keep_mask = np.ones(len(values), np.uint8)
    for sign in (np.signbit(values), ~np.signbit(values)):
        members = np.flatnonzero(sign)
        order = members[np.argsort(np.abs(values[members]), kind="stable")]
        keep_mask[order[: int(np.floor(zeta * len(members)))]] = 0
    return keep_mask


def small_net(dtype="float32", seed=0, epsilon=4.0):
    return ts.SparseMLP((30, 40, 25, 5), epsilon=epsilon, dtype=dtype, seed=seed)


def view_of(net, number, fraction, threads=2):
    return LayerView(net.layers[number], OptimizerState([], []), number, fraction, 0, threads)


def state_for(net, n=2):
    rng = np.random.default_rng(1)
    return [
        OptimizerState(
            [rng.random(layer.n_connections).astype(net.dtype) for _ in range(n)],
            [rng.random(layer.n_out).astype(net.dtype) for _ in range(n)],
        )
        for layer in net.layers
    ]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**31), st.floats(0, 1), st.sampled_from(["float32", "float64"]), st.booleans(), st.integers(1, 3)
)
def test_set_prune_rule_any_weights_is_the_papers(seed, zeta, dtype, with_ties, threads):
    net = small_net(dtype, seed % 7)
    rng = np.random.default_rng(seed)
    layer = net.layers[0]
    values = rng.standard_normal(layer.n_connections)
    if with_ties:
        values = np.round(values * 2) / 2 * rng.choice([1, -1, 0.0], len(values))
    layer.values = values.astype(dtype)
    np.testing.assert_array_equal(sign_magnitude(view_of(net, 0, zeta, threads)), naive_keep_mask(layer.values, zeta))


def test_set_prune_rule_many_ties_across_blocks_is_the_papers(rng):
    """More weights than one counting block, with many ties."""
    net = ts.SparseMLP((2000, 2000, 2), epsilon=60)
    layer = net.layers[0]
    layer.values = (np.round(rng.standard_normal(layer.n_connections) * 8) / 8).astype(np.float32)
    expected = naive_keep_mask(layer.values, 0.3)
    for threads in (1, 2, 4):
        np.testing.assert_array_equal(sign_magnitude(view_of(net, 0, 0.3, threads)), expected)


def as_dict(layer, state):
    """(input, output) -> (weight, state...), connection by connection."""
    rows = np.repeat(np.arange(layer.n_in), np.diff(layer.connectivity.by_input.ptr)).tolist()
    columns = layer.connectivity.by_input.index.tolist()
    return dict(zip(zip(rows, columns, strict=True), zip(layer.values, *state.weight, strict=True), strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("zeta", [0.0, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("epsilon", [0.5, 4, 12, 100])
def test_set_remaining_connections_keep_weight_and_state(dtype, zeta, epsilon):
    net = small_net(dtype, epsilon=epsilon)
    state = state_for(net)
    keep_masks = [naive_keep_mask(layer.values, zeta) for layer in net.layers]
    before = [as_dict(layer, s) for layer, s in zip(net.layers, state, strict=True)]
    counts = [layer.n_connections for layer in net.layers]
    replaced = ts.SET(zeta, fresh="init").evolve(net, state, 99, 2)
    assert replaced == sum(int((keep_mask == 0).sum()) for keep_mask in keep_masks[:-1])
    for number, (layer, old, keep_mask) in enumerate(zip(net.layers, before, keep_masks, strict=True)):
        check_invariants(layer.connectivity)
        assert layer.n_connections == counts[number]
        new = as_dict(layer, state[number])
        if number == len(net.layers) - 1:
            assert new == old  # the output layer does not evolve
            continue
        remaining = [pair for pair, k in zip(old, keep_mask, strict=True) if k]
        assert all(new[pair] == old[pair] for pair in remaining)
        grown = [new[pair] for pair in new.keys() - set(remaining)]
        assert len(grown) == int((keep_mask == 0).sum())
        limit = net.init.scale(layer.connectivity, layer.activation).of(1)
        assert all(0 < abs(weight) <= limit and not any(rest) for weight, *rest in grown)


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_set_new_weights_are_zero(storage):
    net = ts.SparseMLP((300, 400, 5), epsilon=4, seed=0, storage=storage)
    state = [layer.new_state(ts.SGD(momentum=0.9)) for layer in net.layers]
    state[0].weight[0][:] = 1
    replaced = ts.SET(0.3).evolve(net, state, 99, 2)
    zeros = net.layers[0].values == 0
    assert zeros.sum() == replaced > 800
    np.testing.assert_array_equal(state[0].weight[0], np.where(zeros, 0, 1))


def test_set_removed_and_grown_again_keeps_its_weight():
    net = ts.SparseMLP((12, 10, 3), epsilon=100, seed=0)
    before = net.layers[0].values.copy()
    assert ts.SET(0.5).evolve(net, state_for(net), 99, 1) == 0  # the layer is full
    np.testing.assert_array_equal(net.layers[0].values, before)


@pytest.mark.parametrize("sizes", [(30, 5), (30, 20, 5)])
def test_set_output_layer_evolves_where_asked(sizes):
    net = ts.SparseMLP(sizes, epsilon=2, seed=0)
    before = [layer.connectivity.by_input.index for layer in net.layers]
    ts.SET(0.3, output_layer=True).evolve(net, state_for(net), 99, 1)
    assert not np.array_equal(net.layers[-1].connectivity.by_input.index, before[-1])
    assert net.layers[-1].n_connections == len(before[-1])
    net = ts.SparseMLP(sizes, epsilon=2, seed=0)
    ts.SET(0.3).evolve(net, state_for(net), 99, 1)
    np.testing.assert_array_equal(net.layers[-1].connectivity.by_input.index, before[-1])


def test_set_growth_is_uniform_over_empty_coordinates():
    hits, runs = np.zeros((12, 10)), 2000
    first = ts.SparseMLP((12, 10, 3), epsilon=2.0, seed=5)
    layer = first.layers[0]
    keep_mask = naive_keep_mask(layer.values, 0.3)
    rows = np.repeat(np.arange(12), np.diff(layer.connectivity.by_input.ptr))
    remaining = np.zeros((12, 10), bool)
    remaining[rows[keep_mask == 1], layer.connectivity.by_input.index[keep_mask == 1]] = True
    empty, grown = ~remaining, int((keep_mask == 0).sum())
    for key in range(runs):
        net = copy.deepcopy(first)
        ts.SET(0.3).evolve(net, state_for(net, 0), key, 1)
        con = net.layers[0].connectivity
        now = np.zeros((12, 10), bool)
        now[np.repeat(np.arange(12), np.diff(con.by_input.ptr)), con.by_input.index] = True
        assert now[remaining].all()
        hits += now & empty
    probability = grown / empty.sum()
    counts = hits[empty]
    variance = runs * probability * (1 - probability)
    statistic = ((counts - runs * probability) ** 2).sum() / variance * (1 - 1 / len(counts))
    assert 1e-4 < stats.chi2.sf(statistic, len(counts) - 1) < 1 - 1e-4


def test_set_any_thread_count_gives_the_same_network():
    results = []
    for threads in (1, 2, 4):
        net = ts.SparseMLP((3000, 4000, 3000, 10), epsilon=10, seed=2)
        state = state_for(net, 1)
        for key in (1, 2):
            ts.SET(0.3).evolve(net, state, key, threads)
        results.append(
            [
                a
                for layer, s in zip(net.layers, state, strict=True)
                for a in (layer.connectivity.by_input.index, layer.values, s.weight[0])
            ]
        )
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("zeta", [-0.1, 1.1, float("nan"), "a", True])
def test_set_zeta_out_of_range_is_refused(zeta):
    with pytest.raises(ts.InputError, match=r"^zeta must"):
        ts.SET(zeta)


def test_set_evolves_after_each_epoch_but_the_last(rng):
    X, y = rng.standard_normal((40, 30)), rng.integers(0, 5, 40)
    net = small_net()
    seen = []

    class Watch(ts.Callback):
        def on_epoch_end(self, trainer, record):
            seen.append(net.layers[0].connectivity)

    ts.Trainer(net, evolution=ts.SET(0.3), callbacks=[Watch()]).fit(X, y, epochs=3)
    assert len({id(con) for con in [*seen, net.layers[0].connectivity]}) == 3
    assert net.layers[0].connectivity is seen[-1]
