"""Workers as threads: errors, memory, arrays that are shared."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from parallel_helpers import (
    problem,
    trainer_for,
)
from sample_files import Counted
from trulysparse._core import memory
from trulysparse.data import fit_target_scaling
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.target_scaling import standardised
from trulysparse.evolution import NAMES, make_evolution


class _Fail(ts.Callback):
    def on_epoch_end(self, trainer, record):
        raise RuntimeError("a callback's own error")


@pytest.mark.parametrize("config", [ts.WASAP(3), ts.WASSP(3)])
def test_error_in_one_thread_ends_all_workers(config):
    X, y = problem()
    with pytest.raises(RuntimeError, match="a callback's own error"):
        trainer_for(config).fit(X, y, epochs=3, callbacks=[_Fail()])
    with pytest.raises(ts.DivergenceError):
        trainer_for(config, optimizer=ts.SGD(1e12, 0.9)).fit(X, y, epochs=50)
    bad = X.copy()
    bad[7, 3] = np.nan
    with pytest.raises(ts.InputError, match=r"X\[7, 3\] is nan"):
        trainer_for(config).fit(bad, y, epochs=1)


def test_too_many_workers_for_memory_are_refused(monkeypatch):
    X, y = problem()
    trainer = trainer_for(ts.WASAP(100))
    monkeypatch.setattr(memory, "free_bytes", lambda: memory.MARGIN + 10**6)
    with pytest.raises(ts.NotEnoughMemoryError, match=r"100 workers at batch_size=32 needs about .* fewer workers"):
        trainer.fit(X, y, epochs=1)


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


@pytest.mark.parametrize("form", ["csr", "stream", "input", "streamed input"])
def test_workers_read_values_wherever_they_lie(rng, form):
    """Each with a reader and memory of its own; both phases."""
    X = np.where(rng.random((200, 6)) < 0.5, rng.random((200, 6)), 0)
    given = {
        "csr": lambda: (X, sp.csr_array(X)),
        "stream": lambda: (X, StreamMatrix(Counted(X, 16))),
        "input": lambda: (X, X),
        "streamed input": lambda: (stream := StreamMatrix(Counted(X, 16)), stream),
    }[form]()
    found = []
    for samples, y in ((X, X.copy()), given):
        net = ts.SparseMLP((6, 20, 6), output="identity", seed=0, dtype="float64")
        trainer = ts.Trainer(net, batch_size=16, seed=0, parallel=ts.WASSP(3, phase1_epochs=2))
        history = trainer.fit(samples, y, epochs=3, shuffle=False, validation_data=(samples, y))
        found.append((history["loss"], history["val_loss"], net.predict(X)))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("plan", [None, ts.WASSP(2), ts.WASAP(1)])
def test_targets_in_another_unit_train_the_same_network(rng, plan):
    """Standardised by the network, by each worker once, or by hand: the same bits."""
    X, y = rng.standard_normal((80, 4)), rng.standard_normal((80, 2)) * 2.0**20
    scaling = fit_target_scaling(y)
    nets = [ts.SparseMLP((4, 8, 2), epsilon=3, output="identity", seed=0, threads=1) for _ in range(2)]
    nets[0].target_scaling = scaling
    records = []
    for net, targets in zip(nets, (y, standardised(y, scaling)), strict=True):
        trainer = ts.Trainer(net, batch_size=16, seed=0, parallel=plan)
        records.append(trainer.fit(X, targets, epochs=4, validation_data=(X, targets)).records[-1])
    for first, second in zip(*(net.layers for net in nets), strict=True):
        np.testing.assert_array_equal(first.values, second.values)
    assert records[0]["loss"] == records[1]["loss"]
    assert records[0]["val_loss"] == records[1]["val_loss"]
    unit = np.mean(np.abs(nets[0].predict(X) - y))
    assert records[0]["val_mae"] == pytest.approx(unit, rel=1e-5)
    assert records[1]["val_mae"] < 5
