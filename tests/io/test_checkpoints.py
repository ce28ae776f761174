"""Checkpoints: the same bits after a break, and files that are none."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.evolution import NAMES, make_evolution
from trulysparse.io import checkpoints

BOTH_ADAMS = [ts.Adam(fresh_state="zero"), ts.Adam(fresh_state="typical")]


def trainer_for(evolution, optimizer=None, sizes=(12, 30, 20, 3), dtype="float32"):
    net = ts.SparseMLP(sizes, epsilon=4, seed=1, dtype=dtype)
    return ts.Trainer(net, optimizer=optimizer or ts.SGD(0.05, 0.9), evolution=evolution, dropout=0.1, seed=2)


def steps(trainer, first, last):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 12)), rng.integers(0, 3, 60)
    for step in range(first, last):
        trainer.training_progress = step / 40
        trainer.step(X, y)
        if step % 3 == 0:
            trainer.evolve(X, y)
        if step == 7:
            ts.prune_neurons(trainer.net, 20, optimizer_state=trainer.optimizer_state)
            trainer.resize()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("none", "static")])
@pytest.mark.parametrize("optimizer", [ts.SGD(0.05, 0), ts.SGD(0.05, 0.9), *BOTH_ADAMS])
def test_going_on_gives_the_same_bits(tmp_path, name, optimizer):
    unbroken = trainer_for(make_evolution(name), optimizer)
    steps(unbroken, 0, 20)
    first = trainer_for(make_evolution(name), optimizer)
    steps(first, 0, 11)
    checkpoints.write(tmp_path / "c", first, {"any": [1, "thing"]})
    second = trainer_for(make_evolution(name), optimizer)
    assert checkpoints.read(tmp_path / "c", second) == {"any": [1, "thing"]}
    assert second.step_count == first.step_count
    steps(second, 11, 20)
    assert second.net.layer_sizes == unbroken.net.layer_sizes
    for a, b, s, t in zip(
        second.net.layers, unbroken.net.layers, second.optimizer_state, unbroken.optimizer_state, strict=True
    ):
        np.testing.assert_array_equal(a.connectivity.by_input.index, b.connectivity.by_input.index)
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.bias, b.bias)
        for x, y in zip(s.weight + s.bias, t.weight + t.bias, strict=True):
            np.testing.assert_array_equal(x, y)


def test_an_epsilon_per_layer_survives(tmp_path):
    trainers = [ts.Trainer(ts.SparseMLP((12, 9, 3), epsilon=(2, 8), seed=seed)) for seed in (1, 1)]
    checkpoints.write(tmp_path / "c", trainers[0])
    checkpoints.read(tmp_path / "c", trainers[1])
    assert trainers[1].net.epsilon == (2.0, 8.0)


def test_files_that_are_no_checkpoint(tmp_path):
    trainer = trainer_for(ts.SET())
    path = tmp_path / "c"
    checkpoints.write(path, trainer)
    whole = path.read_bytes()
    for size in (0, 4, 200, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ts.InputError, match="truncated or not a checkpoint"):
            checkpoints.read(path, trainer)
    with pytest.raises(ts.InputError, match="does not exist"):
        checkpoints.read(tmp_path / "none", trainer)
    ts.save(trainer.net, path)
    with pytest.raises(ts.InputError, match="but not a checkpoint"):
        checkpoints.read(path, trainer)
    path.write_bytes(whole)
    with pytest.raises(ts.InputError, match="holds 1 values of optimizer state per parameter, not 2"):
        checkpoints.read(path, trainer_for(ts.SET(), ts.Adam()))
    for other in (trainer_for(ts.SET(), sizes=(12, 30, 3)), trainer_for(ts.SET(), dtype="float64")):
        before = [layer.values.copy() for layer in other.net.layers]
        with pytest.raises(ts.InputError, match="holds a network 12-30-20-3 of float32, not one like"):
            checkpoints.read(path, other)
        for layer, values in zip(other.net.layers, before, strict=True):
            np.testing.assert_array_equal(layer.values, values)


@pytest.mark.parametrize("reset_at", [0, 4])
def test_updates_since_the_state_was_zero_are_kept(tmp_path, reset_at):
    def begun():
        trainer = trainer_for(ts.SET(), ts.Adam())
        steps(trainer, 0, reset_at)
        trainer.reset_state()
        return trainer

    unbroken, first, second = begun(), begun(), trainer_for(ts.SET(), ts.Adam())
    steps(unbroken, 4, 7)
    steps(first, 4, 5)
    checkpoints.write(tmp_path / "c", first)
    checkpoints.read(tmp_path / "c", second)
    assert (second.step_count, second.state_updates) == (reset_at + 1, 1)
    steps(second, 5, 7)
    for a, b in zip(second.net.layers, unbroken.net.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)


def test_checkpoint_of_before_counts_all_updates(tmp_path):
    trainer = trainer_for(ts.SET(), ts.Adam())
    trainer.step_count = 5
    state = checkpoints.counters(trainer)
    del state["state_updates"]
    other = trainer_for(ts.SET(), ts.Adam())
    checkpoints.check_counters(state)
    checkpoints.restore_counters(other, state)
    assert (other.step_count, other.state_updates) == (5, 5)


@pytest.mark.parametrize(
    ("counters", "message"),
    [
        ({"step_count": -1}, "step_count must be at least 0"),
        ({"step_count": 2.5}, "step_count must be an integer"),
        ({"state_updates": 6}, "state_updates must be between 0 and 5"),
        ({"state_updates": None}, "state_updates must be an integer"),
        ({"epoch": "1"}, "epoch must be a number"),
    ],
)
def test_counters_out_of_range_are_refused(counters, message):
    with pytest.raises(ts.InputError, match=message):
        checkpoints.check_counters({"step_count": 5, "state_updates": 3, "epoch": 1.0} | counters)
