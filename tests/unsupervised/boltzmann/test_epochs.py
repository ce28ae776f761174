from __future__ import annotations

import numpy as np
import pytest

import boltzmann_reference as reference
import trulysparse as ts
from trulysparse.data import as_matrix
from trulysparse.errors import DivergenceError, InputError
from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence, DivergenceSettings
from trulysparse.unsupervised.boltzmann.epochs import make_evolver, run_epoch


def learner_of(machine, rate=0.1, **settings):
    return ContrastiveDivergence(machine, DivergenceSettings(rate, **settings), batch_size=10, seed=0, threads=1)


def train(learner, X, epochs):
    with np.errstate(all="ignore"):
        return [run_epoch(learner, X, 10) for _ in range(epochs)]


def test_every_sample_is_taken_once_in_another_order_each_epoch(rng):
    X, seen = rng.random((34, 20)), []
    learner = learner_of(reference.small_machine(20, 10))
    update = learner.update
    learner.update = lambda reader, rows: (seen.append(rows.copy()), update(reader, rows))
    told = []
    for _ in range(2):
        run_epoch(learner, as_matrix(X), 10, None, told.append)
    assert [len(rows) for rows in seen] == [10, 10, 10, 4] * 2
    first, second = np.concatenate(seen[:4]), np.concatenate(seen[4:])
    assert sorted(first) == sorted(second) == list(range(34))
    assert first.tolist() != second.tolist()
    assert told == []


@pytest.mark.parametrize(
    "method", [ts.SET(0.3), ts.SET(0.3, fresh="init"), ts.DeepR(), ts.RigL(0.3, every_updates=7), ts.CHTs(), ts.SNFS()]
)
def test_evolution_keeps_the_number_of_connections(rng, method):
    X = as_matrix((rng.random((60, 30)) > 0.5).astype(np.float32))
    machine = reference.small_machine(30, 20, scale=0.05, density=0.2, dtype="float32")
    learner = learner_of(machine, momentum=0.5)
    evolver = make_evolver(method, learner, 60, epochs=6, batch_size=10)
    before, counts = machine.layer.weight, []
    for _ in range(6):
        run_epoch(learner, X, 10, evolver)
        counts.append(machine.layer.n_connections)
    if not isinstance(method, ts.SNFS):
        assert set(counts) == {120}
    after = machine.layer.weight
    after.data[:], before.data[:] = 1, 1
    assert (after != before).nnz > 20
    assert learner.state.weight[0].shape == machine.layer.values.shape


def test_nothing_evolves_after_the_last_epoch(rng):
    X = as_matrix((rng.random((60, 30)) > 0.5).astype(np.float32))
    machine = reference.small_machine(30, 20, density=0.2, dtype="float32")
    learner = learner_of(machine)
    evolver = make_evolver(ts.SET(0.3), learner, 60, epochs=2, batch_size=10)
    topologies = [machine.layer.connectivity]
    for _ in range(2):
        run_epoch(learner, X, 10, evolver)
        topologies.append(machine.layer.connectivity)
    assert topologies[0] is topologies[1]  # before the first update of the second epoch
    assert topologies[1] is not topologies[2]
    assert not evolver.due()


def test_error_falls_as_patterns_are_learned():
    X = as_matrix(np.tile([1.0, 0.0], (40, 8)))
    learner = learner_of(reference.small_machine(16, 8, scale=0.05))
    errors = [run_epoch(learner, X, 10) for _ in range(30)]
    assert errors[0] == pytest.approx(0.25, abs=0.05)
    assert errors[-1] < 0.05


def test_divergence_is_told(rng):
    X = as_matrix(rng.normal(0, 1, (40, 16)).astype(np.float32))
    learner = learner_of(reference.small_machine(16, 8, visible="gaussian", dtype="float32"), rate=1e4)
    with pytest.raises(DivergenceError, match="smaller learning_rate than 10000"):
        train(learner, X, 50)


def test_methods_that_cannot_are_refused():
    with pytest.raises(InputError, match="method must be"):
        make_evolver("set", learner_of(reference.small_machine()), 10, 1, 10)
