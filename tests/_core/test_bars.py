"""Bars for long work."""

from __future__ import annotations

import io
import sys

import pytest

import trulysparse as ts
from trulysparse._core.bars import bars, quantity
from trulysparse._core.progress import silent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bars_show_what_rate_and_time_left(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with bars() as progress:
        assert progress is not silent
        ts.SparseMLP((100, 5000, 5000, 2), epsilon=2, storage="compact", progress=progress)
        progress("saving", 1e6, 4e6)
        progress("saving", 3e6, 4e6)
    shown = sys.stderr.getvalue()
    assert "building" in shown
    assert "saving" in shown
    assert "75%" in shown
    assert "/s" in shown


def test_no_bars_where_nobody_looks(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with bars() as progress:
        assert progress is silent


@pytest.mark.parametrize(
    "n, text", [(0, "0"), (999, "999"), (1234, "1.23 k"), (5.6e6, "5.6 M"), (7.89e12, "7.89e+03 G")]
)
def test_quantities(n, text):
    assert quantity(n) == text


def test_training_tells_of_evolution_and_checkpoints(tmp_path, rng):
    told = []

    class Listen(ts.Callback):
        def on_progress(self, trainer, what, done, total):
            told.append((what, done, total))

    from trulysparse.training.callbacks.checkpointer import Checkpointer

    net = ts.SparseMLP((10, 30, 20, 2), epsilon=3)
    trainer = ts.Trainer(net, evolution=ts.SET(), batch_size=16)
    trainer.fit(
        rng.normal(size=(32, 10)),
        rng.integers(0, 2, 32),
        epochs=2,
        callbacks=[Listen(), Checkpointer(tmp_path, every=3)],
    )
    assert {what for what, _, _ in told} == {"evolving", "checkpoint"}
    for what in ("evolving", "checkpoint"):
        last = [entry for entry in told if entry[0] == what][-1]
        assert last[1] == last[2] > 0
