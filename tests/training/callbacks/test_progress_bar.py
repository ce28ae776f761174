"""The progress bar of a training."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import trulysparse as ts
from trulysparse.io.position import Position


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch):
    """In the test itself: pytest's capturing sets the stream anew before it."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return sys.stderr


def test_progress_bar_is_silent_when_not_a_terminal(rng, capfd):
    X, y = rng.standard_normal((50, 20)), rng.integers(0, 4, 50)
    ts.Trainer(ts.SparseMLP((20, 10, 4)), callbacks=[ts.ProgressBar()]).fit(X, y, epochs=2)
    assert capfd.readouterr() == ("", "")


def test_progress_bar_on_a_terminal_shows_epochs_updates_and_loss(rng, monkeypatch):
    stream = terminal(monkeypatch)
    X, y = rng.standard_normal((50, 20)), rng.integers(0, 4, 50)
    ts.Trainer(ts.SparseMLP((20, 10, 4)), batch_size=10, callbacks=[ts.ProgressBar()]).fit(X, y, epochs=3)
    shown = stream.getvalue()
    assert "epoch 3/3" in shown
    assert "15/15" in shown
    assert "loss" in shown


def test_progress_bar_has_a_line_for_each_worker_and_for_other_work(monkeypatch):
    stream = terminal(monkeypatch)
    bar, trainer = ts.ProgressBar(), SimpleNamespace(position=Position())
    bar.on_fit_start(trainer, epochs=2, steps=5)
    for worker in (0, 3, 0):
        bar.on_worker_step(trainer, worker, 0.25)
    bar.on_progress(trainer, "saving", 1, 4)
    bar.on_fit_end(trainer)
    shown = stream.getvalue()
    for text in ("worker 0", "worker 3", "3/10", "loss 0.2500", "saving"):
        assert text in shown
    assert "worker 1" not in shown


def test_progress_bar_of_a_resumed_training_begins_where_it_stopped(monkeypatch):
    stream = terminal(monkeypatch)
    bar, trainer = ts.ProgressBar(), SimpleNamespace(position=Position(epoch=2, done=3))
    bar.on_fit_start(trainer, epochs=4, steps=5)
    bar.on_fit_end(trainer)
    assert "epoch 2/4" in stream.getvalue()
    assert "8/20" in stream.getvalue()
