"""FleetTrainer against one Trainer for each agent, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import DivergenceError, InputError
from trulysparse.training.fleet_trainer import FleetTrainer

N, SIZES = 12, (5, 12, 10, 3)


def batch(output: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    X = random.standard_normal((N, n, 5))
    if output == "softmax":
        return X, random.integers(0, 3, (N, n))
    values = random.standard_normal((N, n, 3))
    return X, (values > 0).astype(np.float32) if output == "sigmoid" else values


def equal(fleet: ts.Fleet, trainers: list[ts.Trainer]) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for net, trainer in zip(fleet, trainers, strict=True)
        for a, b in zip(net.layers, trainer.net.layers, strict=True)
        for name in ("values", "bias")
    )


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("n", "output", "loss", "options", "optimizer"),
    [
        (64, "softmax", None, {}, ts.Adam(0.01)),
        (1, "identity", None, {"activation": "tanh"}, ts.SGD(0.1)),
        (50, "identity", "huber", {"dtype": "float64"}, ts.SGD(0.1, momentum=0.9, weight_decay=0.01)),
        (130, "sigmoid", ts.BinaryCrossEntropy("sum"), {"activation": "gelu", "bias": False}, ts.Adam(0.01)),
        (2100, "softmax", None, {}, ts.SGD(ts.StepRate(0.1, every=1, factor=0.5), momentum=0.9, nesterov=True)),
    ],
)
def test_steps_are_those_of_each_trainer(
    n: int, output: str, loss: Any, options: dict, optimizer: Any, threads: int
) -> None:
    fleet = ts.Fleet(N, SIZES, density=0.5, output=output, seed=4, threads=threads, **options)
    fleet[3] = ts.SparseMLP(SIZES, density=0.9, output=output, seed=7, **options)
    trainers = [ts.Trainer(net, optimizer=optimizer, loss=loss, threads=1) for net in fleet]
    trainer = ts.FleetTrainer(fleet, optimizer=optimizer, loss=loss)
    for step in range(3):
        X, y = batch(output, n, step)
        losses = trainer.step(X, y)
        assert losses.tolist() == [each.step(*pair) for each, *pair in zip(trainers, X, y, strict=True)]
    assert equal(fleet, trainers)
    found, gradients = trainer.gradients(X, y)
    for agent, (each, *pair) in enumerate(zip(trainers, X, y, strict=True)):
        value, parts = each.gradients(*pair)
        assert value == found[agent]
        for layer, (weight, bias), (own, own_bias) in zip(fleet.layers, gradients, parts, strict=True):
            start, stop = fleet.blocks(layer)[agent : agent + 2]
            alone = each.net.layers[fleet.layers.index(layer)]
            assert np.array_equal(weight[start:stop][alone.connectivity.position], own.data)
            assert np.array_equal(bias.reshape(N, -1)[agent], own_bias)


@pytest.mark.parametrize("method", [ts.SET(0.3, every_updates=2), ts.RigL(0.3, every_updates=2, until=6)])
def test_evolution_is_that_of_each_evolver(method: ts.Evolution) -> None:
    fleet = ts.Fleet(N, SIZES, density=0.5, seed=4, threads=2)
    nets, optimizer = list(fleet), ts.Adam(0.01)
    trainers = [ts.Trainer(net, optimizer=optimizer, threads=1) for net in nets]
    evolvers = [
        ts.Evolver(method, net, each.optimizer_state, total_updates=8, seed=fleet.seed_of(agent), threads=1)
        for agent, (net, each) in enumerate(zip(nets, trainers, strict=True))
    ]
    trainer = ts.FleetTrainer(fleet, optimizer=optimizer, evolution=method, total_updates=8)
    for step in range(7):
        X, y = batch("softmax", 32, step)
        trainer.step(X, y)
        for each, evolver, *pair in zip(trainers, evolvers, X, y, strict=True):
            each.epoch, each.epochs = step / 8, 1
            if method.needs_gradient and evolver.due():
                from trulysparse.training.passes import checked_batch

                each.training_step.backward_to(evolver.start(), checked_batch(each.net, each.loss, *pair))
                each.training_step.count += 1
                each.training_step.remember_layers()
            else:
                each.step(*pair)
            evolver.step_done()
            if not method.needs_gradient and evolver.due():
                evolver.evolve()
                each.training_step.remember_layers()
    assert equal(fleet, trainers)
    assert (trainer.evolver.replaced > 0).all()


def test_an_optimizer_in_arrays() -> None:
    class Sign:
        n_slots = 0

        def rule(self, step: int, epoch: float, epochs: int | None) -> Any:
            return self

        learning_rate = 0.1

        def update(self, values: np.ndarray, gradient: np.ndarray, slots: Any, is_bias: bool) -> None:
            values -= np.float32(0.1) * np.sign(gradient)

    fleet = ts.Fleet(N, SIZES, density=0.5, seed=4, threads=1)
    trainers = [ts.Trainer(net, optimizer=Sign(), threads=1) for net in fleet]
    X, y = batch("softmax", 20, 0)
    losses = ts.FleetTrainer(fleet, optimizer=Sign()).step(X, y)
    assert losses.tolist() == [each.step(*pair) for each, *pair in zip(trainers, X, y, strict=True)]
    assert equal(fleet, trainers)


def test_an_agent_that_diverges_stays_as_it_was() -> None:
    fleet = ts.Fleet(N, SIZES, density=0.5, output="identity", seed=4, threads=2)
    fleet.layers[1].values[fleet.blocks(1)[5] : fleet.blocks(1)[6]] = 1e38
    before = fleet.copy()
    trainer = ts.FleetTrainer(fleet)
    with pytest.raises(DivergenceError, match=r"agent 5 is (inf|nan) at step 0, and 1 of 12"):
        trainer.step(*batch("identity", 16, 0))
    assert np.array_equal(fleet[5].layers[1].values, before[5].layers[1].values)
    for agent in (4, 6):
        assert not np.array_equal(fleet[agent].layers[1].values, before[agent].layers[1].values)


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.zeros((N, 4)), np.zeros((N, 4), int), "X must have the shape"),
        (np.zeros((N, 4, 6)), np.zeros((N, 4), int), "X must have the shape"),
        (np.full((N, 4, 5), np.nan), np.zeros((N, 4), int), "X must hold finite numbers, but it has NaN"),
        (np.zeros((N, 4, 5)), np.zeros((N, 3), int), "y must have the 4 samples of each agent"),
        (np.zeros((N, 4, 5)), np.full((N, 4), 3), "y must hold labels from 0 to 2, but it has 3"),
        (np.zeros((N, 4, 5)), np.zeros((N, 4)), "y must hold labels, integers from 0 to 2"),
        (np.array([["a"] * 5] * 4 * N).reshape(N, 4, 5), np.zeros((N, 4), int), "X must hold numbers"),
    ],
)
def test_bad_samples_change_nothing(X: np.ndarray, y: np.ndarray, words: str) -> None:
    fleet = ts.Fleet(N, SIZES, density=0.5, seed=4, threads=1)
    before = fleet.copy()
    with pytest.raises(InputError, match=words):
        ts.FleetTrainer(fleet).step(X, y)
    assert all(np.array_equal(a.values, b.values) for a, b in zip(fleet.layers, before.layers, strict=True))


def test_bad_arguments() -> None:
    fleet = ts.Fleet(2, SIZES, density=0.5, seed=4, threads=1)
    with pytest.raises(InputError, match="fleet must be a Fleet, not SparseMLP"):
        ts.FleetTrainer(fleet[0])
    with pytest.raises(InputError, match="loss huber belongs to output='identity'"):
        ts.FleetTrainer(fleet, loss="huber")
    with pytest.raises(InputError, match=r"optimizer_state\[0\] must hold"):
        ts.FleetTrainer(fleet, optimizer_state=[layer.new_state(ts.Adam()) for layer in fleet.layers])


@pytest.mark.parametrize("output", ["softmax", "identity"])
def test_gradients_refuse_targets_of_other_samples(output: str) -> None:
    trainer = ts.FleetTrainer(ts.Fleet(N, SIZES, density=0.5, output=output, seed=4))
    X, y = batch(output, 6, 0)
    for n in (5, 7):
        with pytest.raises(InputError, match=rf"y must have the {n} samples of each agent of X, not 6"):
            trainer.gradients(np.resize(X, (N, n, 5)), y)


def test_agents_that_diverge_do_not_evolve() -> None:
    fleet = ts.Fleet(N, SIZES, density=0.5, output="identity", seed=4)
    fleet.layers[1].values[fleet.blocks(1)[5] : fleet.blocks(1)[6]] = 1e38
    trainer, before = ts.FleetTrainer(fleet, evolution=ts.SET(0.3, every_updates=1)), fleet[5]
    with pytest.raises(DivergenceError):
        trainer.step(*batch("identity", 16, 0))
    assert np.array_equal(fleet[5].layers[1].connectivity.by_input.index, before.layers[1].connectivity.by_input.index)


def test_layers_that_have_been_replaced_are_refused() -> None:
    fleet = ts.Fleet(N, SIZES, density=0.5, seed=4)
    trainer, (X, y) = ts.FleetTrainer(fleet, optimizer=ts.Adam()), batch("softmax", 6, 0)
    kept = fleet.layers[0].values
    fleet.layers[0].values = kept.copy()
    fleet.layers[0].values.setflags(write=False)
    with pytest.raises(InputError, match="weights that can be written to"):
        trainer.step(X, y)
    fleet.layers[0].values = kept
    fleet[3] = ts.SparseMLP(SIZES, density=0.9, seed=1)
    with pytest.raises(
        InputError, match=r"optimizer_state\[0\] does not fit the .* connections that the layer has now"
    ):
        trainer.step(X, y)
    assert trainer.step_count == 0


def test_a_trainer_goes_on_where_another_was() -> None:
    options = {"optimizer": ts.Adam(0.01), "evolution": ts.RigL(0.3, every_updates=3, until=30)}
    first = ts.FleetTrainer(ts.Fleet(N, SIZES, density=0.5, seed=4), **options)
    batches = [batch("softmax", 6, seed) for seed in range(9)]
    for X, y in batches[:5]:
        first.step(X, y)
    state = [
        ts.optim.OptimizerState(*([np.array(a) for a in each] for each in (s.weight, s.bias)))
        for s in first.optimizer_state
    ]
    second = ts.FleetTrainer(first.fleet.copy(), optimizer_state=state, **options)
    second.step_count = first.step_count
    assert first.evolver
    assert second.evolver
    second.evolver.load_state_dict(first.evolver.state_dict())
    for X, y in batches[5:]:
        assert np.array_equal(first.step(X, y), second.step(X, y))


def test_a_trainer_of_one_network_refuses_a_fleet() -> None:
    with pytest.raises(InputError, match="net must be a SparseMLP, not Fleet; a fleet is trained by FleetTrainer"):
        ts.Trainer(ts.Fleet(N, SIZES, density=0.5))  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_losses_by_gradient_are_those_of_each_agent(output: str, threads: int) -> None:
    """On enough agents for the pool's threads."""
    n, agents, outputs = 50, 300, 5
    random = np.random.default_rng(3)
    fleet = ts.Fleet(agents, (4, outputs), density=0.5, output=output, seed=0, threads=threads)
    loss = FleetTrainer(fleet).loss
    y = random.integers(0, outputs, (agents, n)) if output == "softmax" else random.random((agents, n, outputs))
    targets = loss.targets(y, fleet)
    z = random.standard_normal((agents, outputs, 64)).astype(np.float32)
    alone, own = z.copy(), ts.Trainer(fleet[0]).loss
    losses = loss.gradients(z, targets, threads)
    share = np.where(np.arange(64) < n, 1 / n, 0).astype(np.float32)
    for agent in range(agents):
        given = targets[agent]
        if output != "softmax":
            given = np.zeros((outputs, 64), np.float32)
            given[:, :n] = targets[agent].T
        assert own.gradient(alone[agent], given, share, 1) == losses[agent]
    np.testing.assert_array_equal(z, alone)
