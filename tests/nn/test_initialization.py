"""Starting weights against the formulas of their rules."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from own_activations import Softsign
from trulysparse.connectivity import uniform
from trulysparse.nn.activations import NAMES, apply, make_activation, on_layer
from trulysparse.nn.initialization import StartSignals, WeightInit
from trulysparse.nn.passes import forward_layers

SLOPE = 0.6


def wanted_deviation(init, fan, con, rows):
    """The rule of each weight, written down neuron by neuron."""
    if init == "normal":
        return np.full(len(rows), 0.1)
    if fan == "dense":
        fan_in, fan_out = np.full(con.n_out, con.n_in), con.n_out
    else:
        fan_in, fan_out = np.array([np.sum(rows == o) for o in range(con.n_out)]), con.n_connections / con.n_in
    gain = 2 / (1 + SLOPE**2) if fan == "sparse" else 2
    variance = {"he_uniform": gain / fan_in, "xavier_uniform": 2 / (fan_in + fan_out), "uniform": 1 / (3 * fan_in)}
    return np.sqrt(variance[init])[rows]


@pytest.mark.parametrize(
    ("init", "fan"),
    [
        ("he_uniform", "dense"),
        ("he_uniform", "sparse"),
        ("xavier_uniform", "dense"),
        ("xavier_uniform", "sparse"),
        ("uniform", "dense"),
        ("uniform", "sparse"),
        ("normal", "dense"),
        ("normal", "sparse"),
    ],
)
@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_weights_follow_the_rule(init, fan, storage):
    activation = ts.AllReLU(SLOPE)
    options = {"init": init, "fan": fan, "activation": activation, "balance": False, "seed": 1, "storage": storage}
    net = ts.SparseMLP((500, 800, 10), epsilon=10, **options)
    layer = net.layers[0]
    con = layer.connectivity
    rows = con.coordinates()[0] if layer.tiled else con.by_input.index
    unit = layer.values.astype(np.float64) / wanted_deviation(init, fan, con, rows)
    assert unit.std() == pytest.approx(1, rel=0.03)
    assert abs(unit.mean()) < 5 / np.sqrt(len(unit))
    if init != "normal":
        assert 0.99 * np.sqrt(3) < np.abs(unit).max() <= np.sqrt(3) * (1 + 1e-6)


def rows_of(signals):
    return [float((each.values.astype(np.float64) ** 2).mean()) for each in signals]


@pytest.mark.parametrize("storage", ["indexed", "compact"])
@pytest.mark.parametrize("activation", [ts.AllReLU(0.6), ts.ReLU()])
def test_signals_keep_their_mean_square_through_six_layers_of_1_percent(rng, activation, storage):
    net = ts.SparseMLP(
        (1000,) * 7 + (10,), density=0.01, activation=activation, fan="sparse", seed=0, storage=storage, threads=1
    )
    signals = net.workspace().signals(128, 1.0)
    signals[0].values[:] = rng.standard_normal(signals[0].values.shape)
    forward_layers(net, signals, [0] * 8, threads=1)
    assert rows_of(signals[:-1]) == pytest.approx([1] * 7, abs=0.25)
    start = StartSignals()
    for layer in net.layers[:-1]:
        start = net.init.signals_after(layer.connectivity, start, layer.activation)
        assert start.power_into(layer.connectivity) == pytest.approx(1, abs=0.01)
    assert signals[-1].values.std() == pytest.approx(0.25, rel=0.5)


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_neurons_without_inputs_are_known_to_be_silent(rng, storage):
    net = ts.SparseMLP((2000, 2000, 2000, 5), epsilon=0.5, activation="relu", fan="sparse", seed=0, storage=storage)
    signals = net.workspace().signals(128, 1.0)
    signals[0].values[:] = rng.standard_normal(signals[0].values.shape)
    forward_layers(net, signals, [0] * 3, threads=1)
    first, second, _ = net.layers
    power = net.init.signals_after(first.connectivity, StartSignals(), first.activation).power_into(second.connectivity)
    assert power == pytest.approx(1 - np.exp(-1), rel=0.06)  # 2,000 connections into 2,000 neurons
    assert rows_of(signals)[1] == pytest.approx(power, rel=0.1)


@pytest.mark.parametrize("rule", ["he_uniform", "xavier_uniform", "uniform", "normal"])
@pytest.mark.parametrize("fan", ["dense", "sparse"])
def test_neurons_left_out_by_the_start_do_not_dim_the_others(rng, rule, fan):
    sizes = (1000, 1000, 1000, 1000, 10)
    net = ts.SparseMLP(
        sizes, density=0.001, connectivity="connected", activation="relu", init=rule, fan=fan, seed=0, threads=1
    )
    assert np.mean(np.diff(net.layers[1].connectivity.indptr) == 0) > 0.5
    signals = net.workspace().signals(128, 1.0)
    signals[0].values[:] = rng.standard_normal(signals[0].values.shape)
    forward_layers(net, signals, [0] * 4, threads=1)
    start = StartSignals()
    for number, layer in enumerate(net.layers):
        used = np.diff(layer.connectivity.by_input.ptr) > 0
        measured = (signals[number].values[used] ** 2).mean()
        assert start.power_into(layer.connectivity) == pytest.approx(measured, rel=0.5)
        start = net.init.signals_after(layer.connectivity, start, layer.activation)


@pytest.mark.parametrize("fan", ["dense", "sparse"])
def test_uniform_holds_in_the_output_layer_and_keeps_its_limit(fan):
    net = ts.SparseMLP((17, 64, 6), density=0.3, init="uniform", fan=fan, balance=False, activation="relu", seed=4)
    for layer in net.layers:
        con = layer.connectivity
        fan_in = np.diff(con.indptr) if fan == "sparse" else np.full(con.n_out, con.n_in)
        unit = layer.values * np.sqrt(fan_in)[con.by_input.index]
        assert 0.9 < np.abs(unit).max() <= 1 + 1e-6
        assert not layer.bias.any()


@pytest.mark.parametrize(("rule", "limit"), [("he_uniform", 6), ("uniform", 1)])
@pytest.mark.parametrize("storage", ["indexed", "compact", "mapped"])
def test_evolution_draws_by_the_inputs_that_neurons_then_have(storage, rule, limit, tmp_path):
    options = {"storage": "compact", "folder": tmp_path} if storage == "mapped" else {"storage": storage}
    options |= {"init": rule, "fan": "sparse"}
    net = ts.SparseMLP((300, 200, 4), epsilon=2, activation="relu", seed=3, **options)
    layer = net.layers[0]
    layer.values[:] = 100 + np.arange(layer.n_connections)  # what stays
    state = [each.new_state(ts.SGD(0.1)) for each in net.layers]
    ts.SET(0.5, fresh="init").evolve(net, state, 5, 1)
    con = layer.connectivity
    rows = con.coordinates()[0] if layer.tiled else con.by_input.index
    fan_in = np.bincount(rows, minlength=200)
    new = layer.values < 50
    assert new.sum() == 500
    unit = layer.values[new] / np.sqrt(limit / fan_in[rows[new]])
    assert np.abs(unit).max() <= 1 + 1e-6
    assert unit.std() == pytest.approx(1 / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize("activation", ["all_relu", "relu", "identity", "tanh", "gelu", "silu", Softsign()])
def test_balanced_outputs_start_with_the_promised_deviation(rng, activation):
    net = ts.SparseMLP((400, 600, 500, 8), epsilon=40, activation=activation, seed=2)
    z = net.decision_function(rng.standard_normal((500, 400)))
    assert z.std() == pytest.approx(0.25, rel=0.35)


@pytest.mark.parametrize("rule", ["he_uniform", "uniform", "normal"])
@pytest.mark.parametrize("activation", [*NAMES, Softsign()])
def test_signals_after_have_the_mean_square_of_a_layers_outputs(rng, rule, activation):
    con = uniform(300, 2000, 30_000, seed=1)
    init = WeightInit(rule, "sparse")
    kernel = on_layer(make_activation(activation), 1)
    dense = np.zeros((2000, 300))
    weights = np.empty(con.n_connections)
    init.fill(weights, con, init.scale(con, kernel), 7, 1)
    dense[con.by_input.index, np.repeat(np.arange(300), np.diff(con.by_input.ptr))] = weights
    start = init.signals_after(con, StartSignals(), kernel)
    power = start.power_into(uniform(2000, 10, 20_000))
    outputs = apply(kernel, rng.normal(size=(200, 300)) @ dense.T)
    assert power == pytest.approx((outputs**2).mean(), rel=0.35 if activation == "tanh" else 0.1)


@pytest.mark.parametrize("fan", ["dense", "sparse"])
@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_weights_are_the_same_for_any_number_of_threads(fan, storage):
    nets = [ts.SparseMLP((500, 700, 300, 2), fan=fan, storage=storage, seed=3, threads=n) for n in (1, 2, 3)]
    for net in nets[1:]:
        for layer, first in zip(net.layers, nets[0].layers, strict=True):
            np.testing.assert_array_equal(layer.values, first.values)


def test_unknown_rule_is_refused():
    with pytest.raises(ts.InputError, match="init must be one of"):
        WeightInit("zeros")
    with pytest.raises(ts.InputError, match="fan must be one of"):
        WeightInit(fan="x")
