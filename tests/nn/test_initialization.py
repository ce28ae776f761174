"""Starting weights against the formulas of their rules."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from own_activations import Softsign
from trulysparse.connectivity import uniform
from trulysparse.nn.activations import NAMES, apply, make_activation, on_layer
from trulysparse.nn.initialization import WeightInit


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


@pytest.mark.parametrize("activation", ["all_relu", "relu", "identity", "tanh", "gelu", "silu", Softsign()])
def test_balanced_outputs_start_with_the_promised_deviation(rng, activation):
    net = ts.SparseMLP((400, 600, 500, 8), epsilon=40, activation=activation, seed=2)
    z = net.decision_function(rng.standard_normal((500, 400)))
    assert z.std() == pytest.approx(0.25, rel=0.35)


@pytest.mark.parametrize("rule", ["he_uniform", "normal"])
@pytest.mark.parametrize("activation", [*NAMES, Softsign()])
def test_power_after_is_the_mean_square_of_a_layers_outputs(rng, rule, activation):
    con = uniform(300, 2000, 30_000, seed=1)
    init = WeightInit(rule, "sparse")
    kernel = on_layer(make_activation(activation), 1)
    dense = np.zeros((2000, 300))
    rows = np.repeat(np.arange(2000), np.diff(con.indptr))
    dense[rows, con.indices] = init.draw(con.n_connections, init.scale(con), np.dtype("f8"), 7, 1)
    outputs = apply(kernel, rng.normal(size=(200, 300)) @ dense.T)
    assert init.power_after(con, 1.0, kernel) == pytest.approx(
        (outputs**2).mean(), rel=0.35 if activation == "tanh" else 0.1
    )


def test_draw_is_the_same_for_any_number_of_threads():
    draws = [WeightInit().draw(10_001, 0.5, np.dtype("f4"), 3, threads) for threads in (1, 2, 3)]
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])


@pytest.mark.parametrize("rule", ["he_uniform", "normal"])
def test_draw_has_the_moments_of_its_distribution(rule):
    values = WeightInit(rule).draw(200_000, 0.5, np.dtype("f8"), 3, 1)
    deviation, kurtosis = (0.5, 3.0) if rule == "normal" else (0.5 / np.sqrt(3), 1.8)
    assert values.std() == pytest.approx(deviation, rel=0.01)
    assert abs(values.mean()) < 5 * deviation / np.sqrt(len(values))
    assert (values**4).mean() / values.var() ** 2 == pytest.approx(kurtosis, rel=0.03)


def test_unknown_rule_is_refused():
    with pytest.raises(ts.InputError, match="init must be one of"):
        WeightInit("zeros")
    with pytest.raises(ts.InputError, match="fan must be one of"):
        WeightInit(fan="x")
