"""How long layers take."""

from __future__ import annotations

import time

import numpy as np
import pytest

import trulysparse as ts
from own_activations import Softsign
from trulysparse.analysis import layer_times


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dtype": "float64"},
        {"activation": ts.GELU()},
        {"activation": Softsign()},
        {"storage": "compact", "weights": "bfloat16", "signals": "bfloat16"},
        {"storage": "compact", "folder": True},
    ],
)
def test_times_of_all_layers_and_nothing_changed(options, tmp_path):
    if "folder" in options:
        options = {**options, "folder": tmp_path / "layers"}
    net = ts.SparseMLP((30, 40, 50, 3), epsilon=3, seed=0, **options)
    parts = [array for layer in net.layers for array in (layer.values, layer.bias)]
    before, topology = [np.array(part) for part in parts], [layer.connectivity for layer in net.layers]
    X = np.random.default_rng(0).standard_normal((5, 30))
    output = net.predict(X)
    times = layer_times(net, samples=17)
    assert len(times) == 3
    assert all(each.forward > 0 and each.backward > 0 for each in times)
    now = [array for layer in net.layers for array in (layer.values, layer.bias)]
    assert all(np.array_equal(a, b) for a, b in zip(before, now, strict=True))
    assert all(layer.connectivity is con for layer, con in zip(net.layers, topology, strict=True))
    assert np.array_equal(net.predict(X), output)


def test_layers_of_more_connections_take_longer():
    net = ts.SparseMLP((2000, 2000, 20), epsilon=200, seed=0, threads=1)
    first, second = layer_times(net)
    assert first.forward > second.forward
    assert first.backward > second.backward


def test_budget_bounds_the_time():
    net = ts.SparseMLP((50,) * 20, epsilon=3, seed=0, threads=1)
    began = time.perf_counter()
    layer_times(net, repeats=10**9, budget=0.2)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("options", [{"samples": 0}, {"repeats": 0}, {"budget": 0}, {"budget": -1.0}])
def test_refusals(options):
    with pytest.raises(ts.InputError, match=next(iter(options))):
        layer_times(ts.SparseMLP((3, 2), epsilon=1), **options)


def test_a_skip_layer_is_timed_and_stays_as_it_is():
    net = ts.SparseMLP((300, 20, 10), epsilon=10, skip=True, seed=0)
    times = layer_times(net, samples=32)
    assert len(times) == 3
    assert all(time.forward > 0 and time.backward > 0 for time in times)
    assert not net.skip_layer.values.any()
