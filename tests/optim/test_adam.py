"""Adam and AdamW against algorithm 1 of the paper in float64, step by step."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts

RATE, BETA1, BETA2, EPSILON = 0.03, 0.8, 0.95, 1e-6


@pytest.mark.parametrize(("decay", "mode"), [(0.0, "l2"), (0.1, "l2"), (0.1, "decoupled"), (0.01, "direct")])
def test_step_follows_the_formula(rng, decay, mode):
    net = ts.SparseMLP((7, 4), epsilon=1.5, output="identity", dtype="float64", seed=3)
    weight, bias = net.layers[0].weight.toarray(), net.layers[0].bias.copy()
    mask = weight != 0
    m, v, bias_m, bias_v = (np.zeros_like(a) for a in (weight, weight, bias, bias))
    trainer = ts.Trainer(net, optimizer=ts.Adam(RATE, BETA1, BETA2, EPSILON, decay, mode))

    def step(m, v, g, t):
        m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g**2
        return m, v, RATE * m / (1 - BETA1**t) / (np.sqrt(v / (1 - BETA2**t)) + EPSILON)

    for t in range(1, 7):
        X, y = rng.normal(size=(5, 7)), rng.normal(size=(5, 4))
        trainer.step(X, y)
        error = X @ weight.T + bias - y
        g, bias_g = 2 * error.T @ X / error.size, 2 * error.sum(axis=0) / error.size
        if mode == "l2":
            g = g + decay * weight
        lost = {"l2": 0.0, "decoupled": RATE * decay, "direct": decay}[mode] * weight
        m, v, change = step(m, v, g, t)
        bias_m, bias_v, bias_change = step(bias_m, bias_v, bias_g, t)
        weight, bias = (weight - change - lost) * mask, bias - bias_change
        np.testing.assert_allclose(net.layers[0].weight.toarray(), weight, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(net.layers[0].bias, bias, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(learning_rate=-1), "learning_rate must lie"),
        (dict(beta1=1.0), "beta1 must lie"),
        (dict(beta2=-0.1), "beta2 must lie"),
        (dict(epsilon=0), "epsilon must lie"),
        (dict(weight_decay=1.0), "weight_decay must lie"),
        (dict(state="int8"), "state must be one of"),
        (dict(fresh_state="median"), "fresh_state must be one of zero, typical"),
    ],
)
def test_argument_out_of_range_is_refused(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.Adam(**arguments)


def steps_of_new_connections(fresh_state, updates=10):
    """|change of the weight| / learning rate of connections that grew after 4,000 updates, in their first updates:
    (connections, updates)."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(256, 12)), rng.normal(size=(256, 4))
    net = ts.SparseMLP((12, 24, 4), epsilon=4, output="identity", dtype="float64", seed=0)
    optimizer = ts.Adam(1e-4, fresh_state=fresh_state)
    trainer = ts.Trainer(net, optimizer=optimizer, evolution=ts.SET(), batch_size=32, seed=0)
    trainer.fit(X, y, epochs=499)
    layer, steps = net.layers[0], []
    trainer.evolution = ts.SET()
    trainer.evolve()
    new = np.flatnonzero(trainer.optimizer_state[0].weight[0] == 0)
    assert len(new) > 20
    for _ in range(updates):
        before = layer.values[new]
        rows = rng.integers(0, 256, 32)
        trainer.step(X[rows], y[rows])
        steps.append(np.abs(layer.values[new] - before) / 1e-4)
    return np.array(steps).T


def test_new_connections_with_a_state_of_zero_take_steps_of_several_learning_rates():
    steps = steps_of_new_connections("zero")
    t = 499 * 8 + 1
    first = 0.1 / (1 - 0.9**t) / np.sqrt(0.001 / (1 - 0.999**t))  # whatever the gradient, if epsilon is small beside it
    assert first > 3
    assert np.quantile(np.abs(steps[:, 0] - first), 0.8) < 1e-3
    assert np.all((steps.max(axis=1) > 3) & (steps.max(axis=1) < 7))


def test_new_connections_with_a_typical_state_step_as_the_others_do():
    steps = steps_of_new_connections("typical")
    assert 0.01 < np.median(steps[:, 0]) < 1
    assert np.quantile(steps.max(axis=1), 0.95) < 1
