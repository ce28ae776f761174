"""Learner against dense networks in float64, written naively."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.rl.joint_passes import JointPasses
from trulysparse.rl.learner import Learner

METHODS = {
    "set": ts.SET(0.3, every_updates=5),
    "rigl": ts.RigL(0.3, every_updates=5, until=100),
    "snfs": ts.SNFS(every_updates=5, until=100),
    "mest": ts.MEST(every_updates=5, until=100),
    "deepr": ts.DeepR(),
    "chts": ts.CHTs(every_updates=5),
}


def learner(**options):
    given = dict(batch_size=24, n_networks=2, density=0.4, optimizer=ts.SGD(0.05, momentum=0.0), seed=3)
    return Learner((5, 16, 12, 2), **given | options)


def dense(net):
    return [(layer.weight.toarray().astype(np.float64), layer.bias.astype(np.float64)) for layer in net.layers]


def run(weights, x):
    """Activations of each layer, the input first."""
    values = [x.astype(np.float64)]
    for number, (w, b) in enumerate(weights):
        z = w @ values[-1] + b[:, None]
        values.append(np.maximum(z, 0) if number < len(weights) - 1 else z)
    return values


def gradients(weights, x, dy):
    """Of weights and biases of each layer, and at x."""
    values, found, d = run(weights, x), [], dy.astype(np.float64)
    for number in range(len(weights) - 1, -1, -1):
        found.append((d @ values[number].T, d.sum(axis=1)))
        d = weights[number][0].T @ d
        if number:
            d *= values[number] > 0
    return found[::-1], d


def fill(each, rng):
    each.x[:, : each.batch_size] = rng.standard_normal((len(each.x), each.batch_size))
    for dy in each.dy:
        dy[:] = rng.standard_normal(dy.shape)  # the padding too: it must count for nothing


@pytest.mark.parametrize("batch_size", [1, 16, 24, 100, 300])
def test_passes_equal_dense_networks(batch_size):
    each, rng = learner(batch_size=batch_size), np.random.default_rng(0)
    fill(each, rng)
    x, dys = each.x[:, :batch_size].copy(), [dy[:, :batch_size].copy() for dy in each.dy]
    before = [dense(net) for net in each.nets]
    for number, z in enumerate(each.forward()):
        np.testing.assert_allclose(z[:, :batch_size], run(before[number], x)[-1], atol=2e-5)
    inputs = [dx[:, :batch_size].copy() for dx in each.input_gradients()]
    each.forward()
    np.testing.assert_array_equal(each.input_gradient(1)[:, :batch_size], inputs[1])
    np.testing.assert_array_equal(each.output(1), each.forward()[1])
    each.update()
    for net, weights, dy, dx in zip(each.nets, before, dys, inputs, strict=True):
        expected, at_x = gradients(weights, x, dy)
        np.testing.assert_allclose(dx, at_x, atol=2e-4)
        for layer, (w, b), (dw, db) in zip(net.layers, weights, expected, strict=True):
            exists = layer.weight.toarray() != 0
            np.testing.assert_allclose(layer.weight.toarray(), np.where(exists, w - 0.05 * dw, 0), atol=2e-4)
            np.testing.assert_allclose(layer.bias, b - 0.05 * db, atol=2e-4)


def test_input_gradient_equals_central_differences():
    each, rng = learner(), np.random.default_rng(1)
    fill(each, rng)
    x, dy, weights = each.x.copy().astype(np.float64), each.dy[0].copy(), dense(each.nets[0])
    dy[:, each.batch_size :] = 0
    each.forward()
    found = each.input_gradient(0)
    h = 1e-5
    for feature, column in [(0, 0), (4, 7), (2, 23)]:
        values = []
        for sign in (1, -1):
            moved = x.copy()
            moved[feature, column] += sign * h
            values.append((run(weights, moved)[-1] * dy).sum())
        assert found[feature, column] == pytest.approx((values[0] - values[1]) / (2 * h), abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_targets_have_the_online_topology_and_connections_stay_as_many(method):
    each, rng = learner(evolution=METHODS[method], total_updates=40), np.random.default_rng(2)
    counts = [layer.n_connections for net in each.nets for layer in net.layers]
    start = [layer.connectivity for layer in each.nets[0].layers]
    for _ in range(23):
        fill(each, rng)
        each.forward()
        each.update()
        each.soft_update(0.1)
        for net, target in zip(each.nets, each.targets, strict=True):
            for layer, own in zip(net.layers, target.layers, strict=True):
                assert own.connectivity is layer.connectivity
                assert own.values.shape == layer.values.shape
                assert not np.shares_memory(own.values, layer.values)
    assert counts == [layer.n_connections for net in each.nets for layer in net.layers]
    changed = any(now.connectivity is not then for now, then in zip(each.nets[0].layers, start, strict=True))
    assert changed == (each.replaced > 0)
    assert each.replaced > 0 or method == "deepr"


def test_a_target_keeps_what_stays_and_starts_new_connections_at_zero():
    each = learner(evolution=ts.SET(0.4, every_updates=1), n_networks=1)
    rng = np.random.default_rng(0)
    before = [layer.weight.toarray() for layer in each.targets[0].layers]
    fill(each, rng)
    each.forward()
    each.update()
    for layer, old, online in zip(each.targets[0].layers, before, each.nets[0].layers, strict=True):
        rows = online.connectivity.by_output
        exists = np.zeros(old.shape, bool)
        for neuron in range(old.shape[0]):
            exists[neuron, rows.index[rows.ptr[neuron] : rows.ptr[neuron + 1]]] = True
        np.testing.assert_array_equal(layer.weight.toarray(), np.where(exists, old, 0))


def test_soft_updates():
    each = learner()
    for target in each.targets:
        for layer in target.layers:
            layer.values[:] = 1.0
    online = [layer.values.copy() for layer in each.nets[0].layers]
    each.soft_update(0.25)
    for layer, values in zip(each.targets[0].layers, online, strict=True):
        np.testing.assert_allclose(layer.values, 1 + 0.25 * (values - 1), rtol=1e-6)
    each.soft_update(1)
    for layer, values in zip(each.targets[0].layers, online, strict=True):
        np.testing.assert_array_equal(layer.values, values)


@pytest.mark.parametrize("method", ["set", "rigl"])
def test_the_same_bits_for_any_number_of_threads(method):
    found = []
    for threads in (1, 2, 3):
        each, rng = (
            learner(threads=threads, evolution=METHODS[method], optimizer=ts.Adam(0.01)),
            np.random.default_rng(4),
        )
        for _ in range(12):
            fill(each, rng)
            each.forward()
            each.update()
            each.soft_update(0.05)
        nets = [*each.nets, *each.targets]
        found.append(
            np.concatenate([part for net in nets for layer in net.layers for part in (layer.values, layer.bias)])
        )
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_gradients_are_clipped_by_their_norm():
    each, rng = learner(max_grad_norm=0.5, optimizer=ts.SGD(1.0, momentum=0.0)), np.random.default_rng(5)
    fill(each, rng)
    before = [[(layer.values.copy(), layer.bias.copy()) for layer in net.layers] for net in each.nets]
    each.forward()
    each.update()
    for net, layers in zip(each.nets, before, strict=True):
        moved = [
            new - old
            for layer, pair in zip(net.layers, layers, strict=True)
            for new, old in zip((layer.values, layer.bias), pair, strict=True)
        ]
        assert np.sqrt(sum(float((m.astype(np.float64) ** 2).sum()) for m in moved)) == pytest.approx(0.5, rel=1e-4)


def test_rates_follow_a_schedule_over_the_training():
    each, rng = (
        learner(optimizer=ts.SGD(ts.CosineRate(1.0, 0.0), momentum=0.0), total_updates=2),
        np.random.default_rng(6),
    )
    steps = []
    fill(each, rng)
    dy = each.dy[0].copy()
    for _ in range(3):
        bias = each.nets[0].layers[-1].bias.copy()
        each.dy[0][:] = dy
        each.forward()
        each.update()
        steps.append(float(np.abs(each.nets[0].layers[-1].bias - bias).sum()))
    assert steps[1] == pytest.approx(steps[0] / 2, rel=1e-4)
    assert steps[2] == pytest.approx(0, abs=1e-6)


def test_only_the_layers_that_are_named_evolve():
    each, rng = learner(evolution=ts.SET(0.5, every_updates=1), evolving=(0,)), np.random.default_rng(7)
    start = [layer.connectivity for layer in each.nets[1].layers]
    fill(each, rng)
    each.forward()
    each.update()
    assert [layer.connectivity is old for layer, old in zip(each.nets[1].layers, start, strict=True)] == [
        False,
        True,
        True,
    ]


def test_an_evolution_that_needs_the_length_of_training_says_so():
    each = learner(evolution=ts.SET(0.5, every_updates=1, until=0.5))
    fill(each, np.random.default_rng(0))
    each.forward()
    with pytest.raises(ts.InputError, match="total_updates must be given"):
        each.update()
    each.set_total_updates(10)
    each.forward()
    each.update()


@pytest.mark.parametrize("evolution", [None, ts.SET(0.3, every_updates=2), ts.RigL(0.3, every_updates=2, until=100)])
@pytest.mark.parametrize("clip", [None, 0.05])
def test_a_fleet_learns_as_its_agents_alone(rng, evolution, clip):
    options = dict(batch_size=12, n_networks=2, density=0.4, evolution=evolution, total_updates=20, max_grad_norm=clip)
    fleet = Learner((4, 16, 3), n_agents=3, seed=5, threads=2, **options)
    alone = []
    for agent in range(3):
        learner = Learner((4, 16, 3), **options)
        learner.nets = [each[agent] for each in fleet.nets]
        learner.targets = [each[agent] for each in fleet.targets]
        learner._online = JointPasses(learner.nets, learner.columns, 1)
        learner._target = JointPasses(learner.targets, learner.columns, 1)
        alone.append(learner)
    for _ in range(7):
        x, dy = rng.standard_normal((3, 4, fleet.columns)), rng.standard_normal((2, 3, 3, fleet.columns))
        fleet.x[:] = fleet.target_x[:] = x
        outputs, targets = [each.copy() for each in fleet.forward()], fleet.forward_targets()
        for agent, learner in enumerate(alone):
            learner.x[:] = learner.target_x[:] = x[agent]
            np.testing.assert_array_equal(learner.forward(), [each[agent] for each in outputs])
            np.testing.assert_array_equal(learner.forward_targets(), [each[agent] for each in targets])
        for mine, gradient in zip(fleet.dy, dy, strict=True):
            mine[:] = gradient
        together = [each.copy() for each in fleet.input_gradients()]
        fleet.forward()
        fleet.update()
        fleet.soft_update(0.3)
        for agent, learner in enumerate(alone):
            for mine, gradient in zip(learner.dy, dy, strict=True):
                mine[:] = gradient[agent]
            np.testing.assert_array_equal(learner.input_gradients(), [each[agent] for each in together])
            learner.forward()
            learner.update()
            learner.soft_update(0.3)
            for mine, others in zip((*learner.nets, *learner.targets), (*fleet.nets, *fleet.targets), strict=True):
                for layer, other in zip(mine.layers, others[agent].layers, strict=True):
                    same = np.testing.assert_array_equal if clip is None else np.testing.assert_allclose
                    np.testing.assert_array_equal(layer.connectivity.by_input.index, other.connectivity.by_input.index)
                    same(layer.values, other.values)
                    same(layer.bias, other.bias)
    assert fleet.n_connections == sum(learner.n_connections for learner in alone)
    assert fleet.replaced == sum(learner.replaced for learner in alone)
    assert (fleet.replaced > 0) == (evolution is not None)


@pytest.mark.parametrize("n_agents", [None, 3])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_learn_on(n_agents, copied):
    first = learner(n_agents=n_agents)
    random = np.random.default_rng(0)
    first.x[:] = random.standard_normal(first.x.shape)
    first.forward()
    second, inputs = copied(first), random.standard_normal(first.x.shape)
    for each in (first, second):
        each.x[:] = each.target_x[:] = inputs
        for z, dy in zip(each.forward(), each.dy, strict=True):
            dy[:] = z - 1
        each.update()
        each.soft_update(0.5)
    for one, two in zip(
        first.forward() + first.forward_targets(), second.forward() + second.forward_targets(), strict=True
    ):
        np.testing.assert_array_equal(one, two)
