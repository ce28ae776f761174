"""Starting weights against the formulas of their rules."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts


@pytest.mark.parametrize(
    ("init", "fan"),
    [
        ("he_uniform", "dense"),
        ("he_uniform", "sparse"),
        ("xavier_uniform", "dense"),
        ("xavier_uniform", "sparse"),
        ("normal", "dense"),
    ],
)
def test_weights_follow_the_rule(init, fan):
    net = ts.SparseMLP((500, 800, 10), epsilon=20, init=init, fan=fan, balance=False, seed=1)
    values = net.layers[0].values.astype(np.float64)
    n = 20 * 1300
    fan_in, fan_out = (500, 800) if fan == "dense" else (n / 800, n / 500)
    deviation = {"he_uniform": np.sqrt(2 / fan_in), "xavier_uniform": np.sqrt(2 / (fan_in + fan_out)), "normal": 0.1}[
        init
    ]
    assert values.std() == pytest.approx(deviation, rel=0.03)
    assert abs(values.mean()) < 5 * deviation / np.sqrt(n)
    if init != "normal":
        assert np.abs(values).max() <= deviation * np.sqrt(3)
        assert np.abs(values).max() > 0.99 * deviation * np.sqrt(3)


@pytest.mark.parametrize("activation", ["all_relu", "relu", "identity", "tanh"])
def test_balanced_outputs_start_with_the_promised_deviation(rng, activation):
    net = ts.SparseMLP((400, 600, 500, 8), epsilon=40, activation=activation, seed=2)
    z = net.decision_function(rng.standard_normal((500, 400)))
    assert z.std() == pytest.approx(0.25, rel=0.35)
