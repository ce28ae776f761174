"""What fit promises to callbacks, and what callbacks refuse before anything happens."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.analysis import Exploration, TopologyRecorder
from trulysparse.training.callbacks.checkpointer import Checkpointer


class _Events(ts.Callback):
    """Notes what it is told, and raises at one of its hooks."""

    def __init__(self, name, events, fails=""):
        self._name, self._events, self._fails = name, events, fails

    def _note(self, hook):
        self._events.append(f"{self._name} {hook}")
        if hook == self._fails:
            raise RuntimeError(f"{self._name} fails")

    def check(self, trainer, data):
        self._note("check")

    def on_fit_start(self, trainer, epochs, steps):
        self._note("start")

    def on_fit_end(self, trainer):
        self._note("end")


@pytest.mark.parametrize("parallel", [None, ts.WASAP(2), ts.WASSP(2)])
@pytest.mark.parametrize("fails", ["check", "start", "end"])
def test_callbacks_that_have_started_are_ended_when_one_fails(rng, parallel, fails):
    events = []
    callbacks = [_Events("a", events), _Events("b", events, fails), _Events("c", events)]
    trainer = ts.Trainer(ts.SparseMLP((5, 10, 3)), batch_size=8, parallel=parallel)
    with pytest.raises(RuntimeError, match="b fails"):
        trainer.fit(rng.normal(size=(20, 5)), rng.integers(0, 3, 20), epochs=2, callbacks=callbacks)
    checks = ["a check", "b check", "c check"]
    assert (
        events
        == {
            "check": checks[:2],
            "start": [*checks, "a start", "b start", "a end"],
            "end": [*checks, "a start", "b start", "c start", "a end", "b end", "c end"],
        }[fails]
    )


def network(storage, tmp_path, output="softmax"):
    """A small network of a storage form."""
    if storage == "indexed":
        return ts.SparseMLP((5, 20, 10, 3), epsilon=4, seed=0, output=output)
    folder = tmp_path / "layers" if storage == "folder" else None
    kind = "bfloat16" if storage == "bfloat16" else "float32"
    return ts.SparseMLP(
        (5, 20, 10, 3), epsilon=4, storage="compact", weights=kind, signals=kind, folder=folder, seed=0, output=output
    )


X_OTHER = np.zeros((4, 7))
VALIDATED = {"validation_data": (np.zeros((4, 5)), np.zeros(4, int))}
REFUSALS = [
    ("compact", None, lambda _: ts.ImportancePruning(20, start=1), {}, "importance pruning needs .*storage='indexed'"),
    ("bfloat16", None, lambda _: ts.ImportancePruning(20, start=1), {}, "importance pruning needs"),
    ("folder", None, lambda _: ts.ImportancePruning(20, start=1), {}, "importance pruning needs"),
    ("indexed", None, lambda _: ts.ImportancePruning(score="activation", X=X_OTHER), {}, "7 features"),
    ("compact", None, lambda _: Exploration(), {}, "Exploration needs .*storage='indexed'"),
    ("compact", None, lambda _: TopologyRecorder(), {}, "TopologyRecorder needs .*storage='indexed'"),
    ("indexed", None, lambda _: TopologyRecorder(X=X_OTHER, y=[0, 1, 2, 0]), {}, "7 features"),
    ("indexed", None, lambda _: TopologyRecorder(X=np.zeros((2, 5)), y=[0, 9]), {}, "labels must lie between 0 and 2"),
    ("indexed", None, lambda _: ts.EarlyStopping(), {}, "monitors 'val_loss', for which fit needs validation_data"),
    ("indexed", None, lambda _: ts.EarlyStopping("val_r2"), VALIDATED, "the score is 'val_accuracy'"),
    ("indexed", None, lambda path: Checkpointer(path / "file", every=1), {}, "must be a folder"),
]


@pytest.mark.parametrize(("storage", "parallel", "make", "options", "message"), REFUSALS)
def test_callbacks_refuse_before_the_first_update(rng, tmp_path, storage, parallel, make, options, message):
    (tmp_path / "file").touch()
    net = network(storage, tmp_path)
    trainer = ts.Trainer(net, batch_size=8, parallel=parallel)
    before = [np.array(layer.values) for layer in net.layers]
    events = []
    with pytest.raises(ts.InputError, match=message):
        trainer.fit(
            rng.normal(size=(20, 5)),
            rng.integers(0, 3, 20),
            epochs=2,
            callbacks=[_Events("a", events), make(tmp_path)],
            **options,
        )
    assert events == ["a check"]
    assert trainer.step_count == 0
    for layer, values in zip(net.layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)


def test_recorder_refuses_samples_without_targets():
    with pytest.raises(ts.InputError, match="X and y must be given together"):
        TopologyRecorder(X=np.zeros((2, 5)))


def test_callbacks_see_everything(rng):
    events = []

    class Log(ts.Callback):
        def on_fit_start(self, trainer, epochs, steps):
            events.append(("start", epochs, steps))

        def on_step_end(self, trainer, loss):
            events.append("step")

        def on_epoch_end(self, trainer, record):
            events.append(("epoch", record["epoch"]))
            trainer.stop = record["epoch"] == 2

        def on_fit_end(self, trainer):
            events.append("end")

    X, y = rng.normal(size=(10, 20)), rng.integers(0, 4, 10)
    ts.Trainer(ts.SparseMLP((20, 10, 4)), batch_size=5).fit(X, y, epochs=5, callbacks=[Log()])
    assert events == [("start", 5, 2), "step", "step", ("epoch", 1), "step", "step", ("epoch", 2), "end"]
