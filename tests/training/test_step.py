"""TrainingStep and the network's two passes, without a Trainer."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._core.arrays import widened
from trulysparse.nn.sinks import Update
from trulysparse.training.passes import BatchPasses, checked_batch
from trulysparse.training.step import TrainingStep

STORAGES = {
    "indexed": {},
    "float64": {"dtype": "float64"},
    "compact": {"storage": "compact"},
    "bfloat16": {"storage": "compact", "weights": "bfloat16", "signals": "bfloat16"},
}


def network(storage="indexed", **options):
    return ts.SparseMLP((9, 14, 12, 11, 3), epsilon=4, seed=2, **STORAGES[storage], **options)


def samples(rng, n=21):
    return rng.standard_normal((n, 9)), rng.integers(0, 3, n)


@pytest.mark.parametrize("storage", STORAGES)
def test_update_on_the_spot_is_the_update_by_gradients(rng, storage):
    """Plain SGD: the weights after a step are those before less the rate times the gradient."""
    net = network(storage)
    step = TrainingStep(net, ts.SGD(0.1, 0.0))
    batch = checked_batch(net, step.passes.loss, *samples(rng))
    before = [widened(layer.values).copy() for layer in net.layers]
    loss, found = step.gradients(batch)
    found = [weights.copy() for weights, _ in found]
    assert step.update(batch) == loss
    assert step.count == 1
    tolerance = 1e-2 if storage == "bfloat16" else 1e-5
    for layer, values, gradient in zip(net.layers, before, found, strict=True):
        np.testing.assert_allclose(widened(layer.values), values - 0.1 * gradient, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("storage", STORAGES)
def test_recomputed_activations_give_the_same_bits(rng, storage):
    X, y = samples(rng, 70)
    nets = []
    for every in (1, 2, 3, 9):
        step = TrainingStep(network(storage), ts.Adam(0.01), recompute=every, dropout=0.3, seed=4)
        for _ in range(3):
            step.update(checked_batch(step.net, step.passes.loss, X, y))
        nets.append(step.net)
    for net in nets[1:]:
        for a, b in zip(net.layers, nets[0].layers, strict=True):
            np.testing.assert_array_equal(a.values, b.values)


def test_steps_follow_the_schedule_they_are_told(rng):
    step = TrainingStep(network("float64"), ts.SGD(ts.StepRate(0.1, every=1, factor=0.5), 0.0))
    batch = checked_batch(step.net, step.passes.loss, *samples(rng))
    for epoch, rate in ((0.0, 0.1), (1.5, 0.05), (2.0, 0.025)):
        before = step.net.layers[0].values.copy()
        gradient = step.gradients(batch)[1][0][0].copy()
        step.update(batch, epoch)
        np.testing.assert_allclose(step.net.layers[0].values, before - rate * gradient, rtol=1e-9, atol=1e-12)


def test_a_step_takes_state_and_goes_on(rng):
    X, y = samples(rng)
    step = TrainingStep(network(), ts.SGD(0.1, 0.9))
    batch = checked_batch(step.net, step.passes.loss, X, y)
    for _ in range(3):
        step.update(batch)
    other = TrainingStep(
        step.net.copy(),
        step.optimizer,
        optimizer_state=[optimizer_state.copy() for optimizer_state in step.optimizer_state],
    )
    twin = pickle.loads(pickle.dumps(step))
    assert step.update(batch) == other.update(batch) == twin.update(batch)
    for a, b, c in zip(step.net.layers, other.net.layers, twin.net.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.values, c.values)


def test_divergence_leaves_the_count(rng):
    net = network()
    net.layers[0].values[:] = 3e38
    step = TrainingStep(net, ts.SGD(0.1))
    with pytest.raises(ts.DivergenceError, match="at step 0"):
        step.update(checked_batch(net, step.passes.loss, *samples(rng)))
    assert step.count == 0


def test_update_by_gradients_added_up_before(rng):
    """Two batches' gradients in one update: that of both batches together, weighted by their sizes."""
    net = network("float64")
    X, y = samples(rng, 30)
    passes = BatchPasses(net)
    parts = [checked_batch(net, passes.loss, X[a:b], y[a:b]) for a, b in ((0, 10), (10, 30))]
    found = [
        [(w * share, b * share) for w, b in passes.gradients(part)[1]]
        for part, share in zip(parts, (1, 2), strict=True)
    ]
    total = [tuple((a + b) / 3 for a, b in zip(*pair, strict=True)) for pair in zip(*found, strict=True)]
    rule = ts.SGD(0.1, 0.0).rule(0, 0.0, None)
    whole = TrainingStep(net.copy(), ts.SGD(0.1, 0.0))
    Update([layer.new_state(ts.SGD(0.1, 0.0)) for layer in net.layers], rule).apply(net.layers, total, 1)
    whole.update(checked_batch(whole.net, passes.loss, X, y))
    for a, b in zip(net.layers, whole.net.layers, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-9, atol=1e-12)


class ReferenceAdam:
    """Adam by algorithm 1 of Kingma and Ba (2015), in float64, on one array."""

    def __init__(self, rate, beta1, beta2, epsilon):
        self.settings = rate, beta1, beta2, epsilon
        self.updates, self.m, self.v = 0, 0.0, 0.0

    def update(self, gradient):
        """What is subtracted from the parameters."""
        rate, beta1, beta2, epsilon = self.settings
        self.updates += 1
        self.m = beta1 * self.m + (1 - beta1) * gradient
        self.v = beta2 * self.v + (1 - beta2) * gradient**2
        m, v = self.m / (1 - beta1**self.updates), self.v / (1 - beta2**self.updates)
        return rate * m / (np.sqrt(v) + epsilon)


def follow(step, batch, references, updates):
    """Compares updates of a step with those of one reference per layer."""
    for _ in range(updates):
        gradients = [weight.copy() for weight, _ in step.gradients(batch)[1]]
        before = [layer.values.copy() for layer in step.net.layers]
        step.update(batch)
        for layer, old, gradient, reference in zip(step.net.layers, before, gradients, references, strict=True):
            np.testing.assert_allclose(layer.values, old - reference.update(gradient), rtol=1e-9, atol=1e-12)


ADAM = (0.01, 0.9, 0.999, 1e-8)


def adam_step(rng):
    step = TrainingStep(network("float64"), ts.Adam(*ADAM))
    return step, checked_batch(step.net, step.passes.loss, *samples(rng))


def test_adam_after_reset_state_corrects_its_bias_from_the_start(rng):
    step, batch = adam_step(rng)
    for n in (7, 4):
        follow(step, batch, [ReferenceAdam(*ADAM) for _ in step.net.layers], n)
        assert step.state_updates == n
        step.reset_state()
    assert (step.count, step.state_updates) == (11, 0)


def test_adam_in_place_of_another_optimizer_corrects_its_bias_from_the_start(rng):
    step, batch = adam_step(rng)
    adam, step.optimizer = step.optimizer, ts.SGD(0.1, 0.9)
    for _ in range(5):
        step.update(batch)
    step.optimizer = adam
    follow(step, batch, [ReferenceAdam(*ADAM) for _ in step.net.layers], 3)
    assert (step.count, step.state_updates) == (8, 3)


def test_adam_with_another_rate_goes_on_with_its_correction(rng):
    step, batch = adam_step(rng)
    references = [ReferenceAdam(*ADAM) for _ in step.net.layers]
    follow(step, batch, references, 5)
    step.optimizer = ts.Adam(0.003, *ADAM[1:])
    for reference in references:
        reference.settings = (0.003, *ADAM[1:])
    follow(step, batch, references, 3)


def test_adam_on_layers_that_were_all_replaced_corrects_its_bias_from_the_start(rng):
    step, batch = adam_step(rng)
    follow(step, batch, [ReferenceAdam(*ADAM) for _ in step.net.layers], 5)
    step.net.layers = network("float64").layers
    follow(step, batch, [ReferenceAdam(*ADAM) for _ in step.net.layers], 3)
