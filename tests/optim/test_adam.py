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
    ],
)
def test_argument_out_of_range_is_refused(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.Adam(**arguments)
