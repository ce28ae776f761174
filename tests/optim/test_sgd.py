"""SGD against its formulas in float64, step by step."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts

STEPS = 6
RATE = 0.05


def losses_problem(rng):
    """A linear network, samples for each step, and what gives its gradient in NumPy."""
    net = ts.SparseMLP((7, 4), epsilon=1.5, output="identity", dtype="float64", seed=3)
    batches = [(rng.normal(size=(5, 7)), rng.normal(size=(5, 4))) for _ in range(STEPS)]
    return net, batches


def gradients(weight, bias, X, y):
    """Of the mean of (X w' + b - y)^2."""
    error = X @ weight.T + bias - y
    return 2 * error.T @ X / error.size, 2 * error.sum(axis=0) / error.size


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(("decay", "mode"), [(0.0, "l2"), (0.1, "l2"), (0.1, "decoupled"), (0.1, "direct")])
def test_step_follows_the_formula(rng, momentum, nesterov, decay, mode):
    if nesterov and not momentum:
        with pytest.raises(ts.InputError, match="nesterov=True needs a momentum above 0"):
            ts.SGD(RATE, momentum, nesterov)
        return
    net, batches = losses_problem(rng)
    weight, bias = net.layers[0].weight.toarray(), net.layers[0].bias.copy()
    mask = weight != 0
    velocity, bias_velocity = np.zeros_like(weight), np.zeros_like(bias)
    trainer = ts.Trainer(net, optimizer=ts.SGD(RATE, momentum, nesterov, decay, mode))
    for X, y in batches:
        trainer.step(X, y)
        g, bias_g = gradients(weight, bias, X, y)
        if mode == "l2":
            g = g + decay * weight
        lost = {"l2": 0.0, "decoupled": RATE * decay, "direct": decay}[mode] * weight
        velocity, bias_velocity = momentum * velocity - RATE * g, momentum * bias_velocity - RATE * bias_g
        step, bias_step = velocity, bias_velocity
        if nesterov:
            step, bias_step = momentum * velocity - RATE * g, momentum * bias_velocity - RATE * bias_g
        weight, bias = (weight + step - lost) * mask, bias + bias_step
        velocity = velocity * mask
        np.testing.assert_allclose(net.layers[0].weight.toarray(), weight, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(net.layers[0].bias, bias, rtol=1e-10, atol=1e-12)


def test_schedule_sets_the_rate_of_each_step():
    optimizer = ts.SGD(ts.StepRate(0.4, every=1, factor=0.5))
    assert [optimizer.rule(0, epoch, None).learning_rate for epoch in (0.0, 1.0, 2.5)] == [0.4, 0.2, 0.1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(learning_rate=0), "learning_rate must lie"),
        (dict(momentum=1.0), "momentum must lie"),
        (dict(weight_decay=-0.1), "weight_decay must lie"),
        (dict(weight_decay_mode="l1"), "weight_decay_mode must be one of"),
        (dict(state="float16"), "state must be one of"),
    ],
)
def test_argument_out_of_range_is_refused(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.SGD(**arguments)
