"""WASAP and WASSP against plain training: what each computes, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from parallel_helpers import (
    assert_same_network,
    problem,
    shards_of,
    trainer_for,
)
from trulysparse.parallel.shards import BatchId


def test_wasap_with_one_worker_is_plain_sgd():
    X, y = problem()
    together = trainer_for(ts.WASAP(1, phase2_epochs=0))
    together.fit(X, y, epochs=3)
    alone = trainer_for()
    shard = shards_of(len(X), 1)[0]
    for epoch in range(3):
        for batch in range(shard.n_batches):
            rows = shard.batch(BatchId(0, epoch, batch))
            alone.step(X[rows], y[rows])
    assert_same_network(together.net, alone.net)
    assert together.step_count == alone.step_count


@pytest.mark.parametrize("workers", [1, 3])
def test_wassp_update_is_that_of_one_large_batch(workers):
    """The mean gradient of a batch of each shard is that of all of them; the learning rate warms up to three times."""
    X, y = problem(410)
    together = trainer_for(ts.WASSP(workers, shards=3, phase2_epochs=0, warmup_epochs=2, momentum_correction=False))
    history = together.fit(X, y, epochs=3)
    shards, alone = shards_of(len(X), 3), trainer_for()
    steps = max(shard.n_batches for shard in shards)
    assert len({shard.n_batches for shard in shards}) > 1  # the last update of an epoch has one gradient fewer
    for epoch in range(3):
        for step in range(steps):
            parts = [s.batch(BatchId(s.number, epoch, step)) for s in shards if step < s.n_batches]
            rows = np.concatenate(parts)
            share = min(1.0, (epoch + step / steps) / 2)
            alone.optimizer = ts.SGD(0.02 * (1 + 2 * share), 0.9)
            alone.step(X[rows], y[rows])
    assert_same_network(together.net, alone.net)
    assert history["learning_rate"][-1] == pytest.approx(0.06)
    assert history["samples"] == [410] * 3


def test_momentum_is_scaled_with_the_learning_rate():
    X, y = problem(64)
    config = ts.WASAP(1, phase2_epochs=0)
    together = trainer_for(config, optimizer=ts.SGD(ts.StepRate(0.1, every=1, factor=0.1), 0.9))
    together.fit(X, y, epochs=2)
    shard, alone = shards_of(64, 1)[0], trainer_for()
    for step in range(4):
        rows = shard.batch(BatchId(0, step // 2, step % 2))
        rate = 0.1 if step < 2 else 0.01
        alone.optimizer = ts.SGD(rate, 0.9)
        if step == 2:
            for optimizer_state in alone.optimizer_state:
                for array in (*optimizer_state.weight, *optimizer_state.bias):
                    np.multiply(array, 0.1, out=array)
        alone.step(X[rows], y[rows])
    assert_same_network(together.net, alone.net)


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("config", [ts.WASAP, ts.WASSP])
def test_records_count_every_sample_once_per_epoch(config, workers):
    """Epochs end after a number of batches; a shard's last batch, which is smaller, may fall into the next epoch."""
    X, y = problem()
    trainer = trainer_for(config(workers), evolution=ts.SET(0.3), dropout=0.2)
    before = [layer.n_connections for layer in trainer.net.layers]
    history = trainer.fit(X, y, epochs=10, validation_data=(X, y))
    assert history["epoch"] == [*range(1, 8), 10]
    first = history.records[:7]
    assert sum(record["samples"] for record in first) == 7 * len(X)
    assert all(abs(record["samples"] - len(X)) < 32 * workers for record in first)
    assert all(record["phase"] == 1 for record in first)
    assert history.records[-1]["phase"] == 2
    assert history.records[-1]["samples"] == 3 * len(X)
    assert [layer.n_connections for layer in trainer.net.layers] == before
    assert history["val_accuracy"][-1] > 0.9
    staleness = [record["staleness"] for record in first]
    if config is ts.WASSP or workers == 1:
        assert not any(staleness)


def test_wassp_gives_the_same_bits_for_any_number_of_workers():
    X, y = problem()
    nets = []
    for workers in (1, 2, 3, 3):
        trainer = trainer_for(ts.WASSP(workers, shards=3, rounds=2), evolution=ts.SET(0.3), dropout=0.2)
        trainer.fit(X, y, epochs=6)
        nets.append(trainer.net)
    for net in nets[1:]:
        for a, b in zip(net.layers, nets[0].layers, strict=True):
            np.testing.assert_array_equal(a.values, b.values)
            np.testing.assert_array_equal(a.connectivity.by_input.index, b.connectivity.by_input.index)


def test_training_by_gradients_divided_by_staleness_converges_with_eight_workers():
    X, y = problem(4000)
    options = {"optimizer": ts.SGD(0.02, 0.9), "hidden": (200, 200)}
    history = trainer_for(ts.WASAP(8, phase2_epochs=0, staleness="divide"), **options).fit(X, y, epochs=3)
    assert history["loss"][-1] < 0.1
    one = trainer_for(ts.WASAP(1, phase2_epochs=0, staleness="divide"))
    plain = trainer_for(ts.WASAP(1, phase2_epochs=0))
    for trainer in (one, plain):
        trainer.fit(X, y, epochs=1)
    assert_same_network(one.net, plain.net)


def test_evolution_that_falls_until_a_number_of_updates_counts_those_of_the_server():
    X, y = problem()
    fractions = []

    def watched(view):
        fractions.append(view.fraction)
        return ts.evolution.prune.magnitude(view)

    schedule = ts.Schedule(0.8, every_updates=3, decay="linear", until=8)
    method = ts.Evolution(watched, ts.evolution.grow.uniform, schedule)
    trainer = trainer_for(ts.WASSP(1, shards=1, phase2_epochs=0), evolution=method)
    trainer.fit(X, y, epochs=3)
    assert fractions[:: len(trainer.net.layers) - 1] == pytest.approx([0.8 * (1 - 3 / 8), 0.8 * (1 - 6 / 8)])


def test_second_fit_continues_adams_bias_correction():
    """Bias correction depends on the number of updates of the state, also in a second call of fit."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 6)), rng.integers(0, 3, 40)
    nets = []
    for parallel in (None, ts.WASAP(1, phase2_epochs=0)):
        net = ts.SparseMLP((6, 10, 3), epsilon=3, seed=0, dtype="float64")
        trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), batch_size=40, parallel=parallel)
        for _ in range(3):
            trainer.fit(X, y, epochs=4)
        nets.append(net)
    for a, b in zip(*(net.layers for net in nets), strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("zero_shard", [False, True])
def test_wassp_update_with_sample_weights_is_that_of_one_large_batch(zero_shard):
    """The gradients of two shards are averaged by the weights of their samples, which may all be zero in one shard."""
    X, y = problem(64)
    weight = np.random.default_rng(1).uniform(0.1, 5, 64)
    weight[:32] *= 0.0 if zero_shard else 0.1
    config = ts.WASSP(2, phase2_epochs=0, warmup_epochs=0)
    synchronous = trainer_for(config, optimizer=ts.SGD(0.1, 0))
    synchronous.fit(X, y, epochs=1, sample_weight=weight)
    parts = [shard.batch(BatchId(shard.number, 0, 0)) for shard in shards_of(64, 2)]
    assert abs(weight[parts[0]].sum() / weight.sum() - 0.5) > 0.2  # far from the shares of samples
    rows = np.concatenate(parts)
    sequential = trainer_for(optimizer=ts.SGD(0.2, 0))  # twice the learning rate, for two shards
    sequential.step(X[rows], y[rows], sample_weight=weight[rows])
    assert_same_network(synchronous.net, sequential.net)


@pytest.mark.parametrize("optimizer", [
    ts.SGD(0.05, 0.9), ts.SGD(ts.CosineRate(0.1, warmup=0.5), 0.9, nesterov=True), ts.Adam(0.01)])  # fmt: skip
def test_eight_workers_train_with_the_settings_of_one(optimizer):
    X, y = problem(4000)
    trainer = trainer_for(ts.WASAP(8), optimizer=optimizer, hidden=(200, 200), evolution=ts.SET(0.3))
    trainer.fit(X, y, epochs=4)
    assert ts.evaluate(trainer.net, X, y)["accuracy"] > 0.95


def test_one_worker_is_unaffected_by_what_is_done_about_staleness():
    X, y = problem()
    nets = []
    for staleness in ("momentum", "divide", "ignore"):
        trainer = trainer_for(ts.WASAP(1, phase2_epochs=0, staleness=staleness))
        trainer.fit(X, y, epochs=2)
        nets.append(trainer.net)
    assert_same_network(nets[0], nets[1])
    assert_same_network(nets[0], nets[2])
