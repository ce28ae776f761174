"""WASAP and WASSP on threads: what each phase computes, what is counted, how it ends."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._core import memory
from trulysparse.evolution import NAMES, make_evolution
from trulysparse.parallel import Half, TopK
from trulysparse.parallel.shards import BatchId, Shard, shard_rows


def problem(n=400, features=20, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    centres = 3 * rng.standard_normal((classes, features))
    return (centres[y] + rng.standard_normal((n, features))) / 3, y  # about unit variance, which bears stale gradients


def trainer_for(parallel=None, *, evolution=None, hidden=(60, 50), seed=0, dtype="float64", **options):
    net = ts.SparseMLP((20, *hidden, 3), epsilon=6, seed=seed, dtype=dtype)
    options.setdefault("optimizer", ts.SGD(0.02, 0.9))
    return ts.Trainer(net, evolution=evolution, batch_size=32, seed=seed, parallel=parallel, **options)


def same(a, b):
    for x, y in zip(a.layers, b.layers, strict=True):
        np.testing.assert_array_equal(x.connectivity.by_input.index, y.connectivity.by_input.index)
        np.testing.assert_allclose(x.values, y.values, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(x.bias, y.bias, rtol=1e-9, atol=1e-12)


def shards_of(n, count):
    return [Shard(k, shard_rows(n, k, count, 32), 32, 0, True) for k in range(count)]


def test_one_asynchronous_worker_is_plain_sgd():
    X, y = problem()
    together = trainer_for(ts.WASAP(1, phase2_epochs=0))
    together.fit(X, y, epochs=3)
    alone = trainer_for()
    shard = shards_of(len(X), 1)[0]
    for epoch in range(3):
        for batch in range(shard.n_batches):
            rows = shard.batch(BatchId(0, epoch, batch))
            alone.step(X[rows], y[rows])
    same(together.net, alone.net)
    assert together.step_count == alone.step_count


@pytest.mark.parametrize("workers", [1, 3])
def test_synchronous_workers_are_one_large_batch(workers):
    """The mean gradient of a batch of each shard is that of all of them; the learning rate warms up to three times."""
    X, y = problem(410)
    together = trainer_for(ts.WASSP(workers, shards=3, phase2_epochs=0, warmup_epochs=2, momentum_correction=False))
    history = together.fit(X, y, epochs=3)
    shards, alone = shards_of(len(X), 3), trainer_for()
    steps = max(shard.n_batches for shard in shards)
    assert len({shard.n_batches for shard in shards}) > 1  # the last step of an epoch lacks a shard
    for epoch in range(3):
        for step in range(steps):
            parts = [s.batch(BatchId(s.number, epoch, step)) for s in shards if step < s.n_batches]
            rows = np.concatenate(parts)
            share = min(1.0, (epoch + step / steps) / 2)
            alone.optimizer = ts.SGD(0.02 * (1 + 2 * share), 0.9)
            alone.step(X[rows], y[rows])
    same(together.net, alone.net)
    assert history["learning_rate"][-1] == pytest.approx(0.06)
    assert history["samples"] == [410] * 3


def test_momentum_follows_the_learning_rate():
    X, y = problem(64)
    plan = ts.WASAP(1, phase2_epochs=0)
    together = trainer_for(plan, optimizer=ts.SGD(ts.StepRate(0.1, every=1, factor=0.1), 0.9))
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
    same(together.net, alone.net)


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("plan", [ts.WASAP, ts.WASSP])
def test_accounts(plan, workers):
    """Every sample is used once an epoch, on the whole; an epoch ends by batches, of which the last of a shard is
    smaller, and may belong to the next."""
    X, y = problem()
    trainer = trainer_for(plan(workers), evolution=ts.SET(0.3), dropout=0.2)
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
    if plan is ts.WASSP or workers == 1:
        assert not any(staleness)


def test_synchronous_training_does_not_depend_on_speed_or_workers():
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


def test_gradients_of_an_older_topology_lose_what_is_gone():
    X, y = problem(2000)
    often = ts.Evolution(ts.evolution.prune.sign_magnitude, ts.evolution.grow.uniform, ts.Schedule(0.3, every_steps=5))
    slow = ts.SGD(0.001, 0.9)  # stale gradients allow no more
    history = trainer_for(ts.WASAP(4, phase2_epochs=0), evolution=often, optimizer=slow).fit(X, y, epochs=4)
    assert sum(history["dropped"]) > 0
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_staleness_aware_updates_bear_many_workers():
    X, y = problem(4000)
    options = {"optimizer": ts.SGD(0.02, 0.9), "hidden": (200, 200)}
    history = trainer_for(ts.WASAP(8, phase2_epochs=0, staleness_aware=True), **options).fit(X, y, epochs=3)
    assert history["loss"][-1] < 0.1
    one = trainer_for(ts.WASAP(1, phase2_epochs=0, staleness_aware=True))
    plain = trainer_for(ts.WASAP(1, phase2_epochs=0))
    for trainer in (one, plain):
        trainer.fit(X, y, epochs=1)
    same(one.net, plain.net)


def test_importance_pruning_while_workers_go_on():
    X, y = problem(2000)
    trainer = trainer_for(ts.WASAP(3), evolution=ts.SET(0.3), dtype="float32")
    sizes = trainer.net.layer_sizes
    history = trainer.fit(X, y, epochs=6, callbacks=[ts.ImportancePruning(30, start=1, every=1, stop=3)])
    assert all(a < b for a, b in zip(trainer.net.layer_sizes[1:-1], sizes[1:-1], strict=True))
    assert history.records[-1]["connections"] == trainer.net.n_connections
    assert ts.evaluate(trainer.net, X, y)["accuracy"] > 0.95


@pytest.mark.parametrize("compression", [Half(), TopK(0.1)])
def test_compressed_gradients_still_teach(compression):
    X, y = problem(1000)
    plain = trainer_for(ts.WASAP(2, phase2_epochs=0)).fit(X, y, epochs=1)
    trainer = trainer_for(ts.WASAP(2, phase2_epochs=0, compression=compression), evolution=ts.SET(0.2))
    history = trainer.fit(X, y, epochs=6, callbacks=[ts.ImportancePruning(10, start=2, every=10)])
    assert ts.evaluate(trainer.net, X, y)["accuracy"] > 0.95
    assert history["gradient_mb"][0] < 0.4 * plain["gradient_mb"][0]


def test_phases():
    assert ts.WASAP().phases(10) == [((0, 7), (7, 10))]
    assert ts.WASAP(phase1_epochs=4).phases(10) == [((0, 4), (4, 10))]
    assert ts.WASAP(phase2_epochs=10).phases(10) == [((0, 0), (0, 10))]
    assert ts.WASAP(rounds=2).phases(20) == [((0, 7), (7, 10)), ((10, 17), (17, 20))]
    assert ts.WASAP().phases(1) == [((0, 1), (1, 1))]
    with pytest.raises(ts.InputError, match="must add up to epochs"):
        ts.WASAP(phase1_epochs=4, phase2_epochs=4).phases(10)
    with pytest.raises(ts.InputError, match="between 0 and epochs"):
        ts.WASAP(phase1_epochs=11).phases(10)
    with pytest.raises(ts.InputError, match="rounds must be at most"):
        ts.WASAP(rounds=4).phases(10)


def test_phase_two_only():
    X, y = problem()
    trainer = trainer_for(ts.WASAP(3, phase1_epochs=0), evolution=ts.RigL(every=5))
    history = trainer.fit(X, y, epochs=8)
    assert history["phase"] == [2]
    assert ts.evaluate(trainer.net, X, y)["accuracy"] > 0.9


class _Stop(ts.Callback):
    def on_epoch_end(self, trainer, record):
        trainer.stop = record["epoch"] == 2


def test_callbacks_end_training():
    X, y = problem()
    history = trainer_for(ts.WASAP(2)).fit(X, y, epochs=20, callbacks=[_Stop()])
    assert history["epoch"] == [1, 2]


def test_the_best_epoch_comes_back():
    X, y = problem()
    trainer = trainer_for(ts.WASAP(2), optimizer=ts.SGD(0.02, 0.9))
    stopping = ts.EarlyStopping("val_loss", patience=3)
    history = trainer.fit(X, y, epochs=10, validation_data=(X, y), callbacks=[stopping])
    found = ts.evaluate(trainer.net, X, y)["loss"]
    assert found == pytest.approx(min(history["val_loss"]), rel=1e-6)


class _Fail(ts.Callback):
    def on_epoch_end(self, trainer, record):
        raise RuntimeError("a callback's own error")


@pytest.mark.parametrize("plan", [ts.WASAP(3), ts.WASSP(3)])
def test_errors_end_all_workers(plan):
    X, y = problem()
    with pytest.raises(RuntimeError, match="a callback's own error"):
        trainer_for(plan).fit(X, y, epochs=3, callbacks=[_Fail()])
    with pytest.raises(ts.DivergenceError):
        trainer_for(plan, optimizer=ts.SGD(1e12, 0.9)).fit(X, y, epochs=50)
    bad = X.copy()
    bad[7, 3] = np.nan
    with pytest.raises(ts.InputError, match=r"X\[7, 3\] is nan"):
        trainer_for(plan).fit(bad, y, epochs=1)


class _Grown(ts.Callback):
    def on_fit_start(self, trainer, epochs, steps):
        self.grown = []

    def on_evolution(self, trainer, grown):
        self.grown.append(grown)


def test_evolution_is_told():
    X, y = problem()
    grown = _Grown()
    trainer_for(ts.WASAP(2), evolution=ts.SET(0.3)).fit(X, y, epochs=10, callbacks=[grown])
    assert len(grown.grown) == 6  # after each epoch of phase 1 but the last, which each worker's own evolution follows
    assert min(grown.grown) > 0


def test_too_large_for_memory(monkeypatch):
    X, y = problem()
    trainer = trainer_for(ts.WASAP(100))
    monkeypatch.setattr(memory, "free_bytes", lambda: memory.MARGIN + 10**6)
    with pytest.raises(ts.NotEnoughMemoryError, match=r"100 workers at batch_size=32 needs about .* fewer workers"):
        trainer.fit(X, y, epochs=1)


def test_bad_set_ups():
    X, y = problem(4)
    with pytest.raises(ts.InputError, match="workers must be at most the 4 samples"):
        trainer_for(ts.WASAP(5)).fit(X, y, epochs=1)
    with pytest.raises(ts.InputError, match="evolution=RigL looks at the training data"):
        trainer_for(ts.WASAP(2), evolution=ts.RigL()).fit(X, y, epochs=2)
    for options in (
        {"workers": 0},
        {"rounds": 0},
        {"backend": "mpi"},
        {"workers": 3, "shards": 2},
        {"worker_timeout": 0},
    ):
        with pytest.raises(ts.InputError, match=next(reversed(options))):
            ts.WASAP(**options)
    with pytest.raises(ts.InputError, match="address is for workers on a Ray cluster"):
        ts.WASAP(address="here:6379")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("none", "static")])
def test_evolution_writes_into_no_array_that_others_read(name):
    X, y = problem(100)
    trainer = trainer_for(evolution=make_evolution(name), dtype="float32")
    for _ in range(3):
        trainer.step(X, y)
    trainer.training_progress = 0.1
    for _ in range(3):
        layers = trainer.net.layers
        held = [(x.values, x.bias, x.connectivity.by_input.index) for x in layers]
        copies = [tuple(array.copy() for array in arrays) for arrays in held]
        trainer.evolve(X, y)
        ts.prune_neurons(trainer.net, 5, optimizer_state=trainer.optimizer_state)
        trainer.resize()
        for arrays, before in zip(held, copies, strict=True):
            for array, copy in zip(arrays, before, strict=True):
                np.testing.assert_array_equal(array, copy)
