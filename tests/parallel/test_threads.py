"""Workers as threads: errors, memory, arrays that are shared."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from parallel_helpers import (
    problem,
    trainer_for,
)
from trulysparse._core import memory
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
