"""The live display of a training, as a callback."""

from __future__ import annotations

import io
import sys
import time
from types import SimpleNamespace

import pytest

import trulysparse as ts
from trulysparse.io.position import Position


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch, columns=120):
    """In the test itself: pytest's capturing sets the stream anew before it."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    return sys.stderr


def stand_in(**position):
    net = SimpleNamespace(n_connections=1234567, n_neurons=3010)
    return SimpleNamespace(position=Position(**position), net=net)


def test_progress_bar_is_silent_when_not_a_terminal(rng, capfd):
    X, y = rng.standard_normal((50, 20)), rng.integers(0, 4, 50)
    ts.Trainer(ts.SparseMLP((20, 10, 4)), callbacks=[ts.ProgressBar()]).fit(X, y, epochs=2)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("columns", [60, 120])
def test_progress_bar_on_a_terminal_shows_every_figure(rng, monkeypatch, columns):
    stream = terminal(monkeypatch, columns)
    X, y = rng.standard_normal((50, 20)), rng.integers(0, 4, 50)
    trainer = ts.Trainer(ts.SparseMLP((20, 10, 4)), batch_size=10, callbacks=[ts.ProgressBar()])
    trainer.fit(X, y, epochs=3, validation_data=(X, y))
    shown = stream.getvalue()
    figures = ["epoch 3/3", "15/15", "loss ", "val_accuracy ", " samples/s", " connections", "14 neurons", " memory"]
    for text in (*figures, "left"):
        assert text in shown


def test_the_running_loss_is_the_mean_of_the_epoch_so_far(monkeypatch):
    terminal(monkeypatch)
    bar, trainer = ts.ProgressBar(), stand_in()
    bar.on_fit_start(trainer, epochs=2, steps=3)
    for loss in (3, 1, 2):
        bar.on_step_end(trainer, loss)
    assert bar._shown.loss == 2
    bar.on_epoch_end(trainer, {"epoch": 1, "loss": 2.5, "val_loss": 0.5, "val_r2": 0.25})
    assert (bar._shown.loss, bar._shown.score, bar._shown.epoch) == (2.5, "val_r2 0.2500", 2)
    bar.on_step_end(trainer, 1)
    assert bar._shown.loss == 1
    bar.on_epoch_end(trainer, {"epoch": 2, "loss": 1.0, "val_loss": 0.5})
    assert bar._shown.score == "val_loss 0.5000"
    bar.on_fit_end(trainer)


def test_progress_bar_has_a_line_for_each_worker_and_for_other_work(monkeypatch):
    stream = terminal(monkeypatch)
    bar, trainer = ts.ProgressBar(), stand_in()
    bar.on_fit_start(trainer, epochs=2, steps=5)
    for worker in (0, 3, 0):
        bar.on_worker_step(trainer, worker, 0.25)
    bar.on_progress(trainer, "evolving", 1, 1)
    bar.on_progress(trainer, "checkpoint", 1, 4)
    bar.on_fit_end(trainer)
    shown = stream.getvalue()
    for text in ("worker 0  2 batches", "worker 3  1 batches", "3/10", "loss 0.2500", "checkpoint", "25%"):
        assert text in shown
    assert "worker 1" not in shown
    assert "evolving" not in shown.rpartition("worker 3")[2]


def test_progress_bar_of_a_resumed_training_begins_where_it_stopped(monkeypatch):
    stream = terminal(monkeypatch)
    bar, trainer = ts.ProgressBar(), stand_in(epoch=2, done=3)
    bar.on_fit_start(trainer, epochs=4, steps=5)
    bar.on_fit_end(trainer)
    assert "epoch 2/4" in stream.getvalue()
    assert "8/20" in stream.getvalue()


def test_an_update_costs_little(monkeypatch):
    terminal(monkeypatch)
    bar, trainer, n = ts.ProgressBar(), stand_in(), 20_000
    bar.on_fit_start(trainer, epochs=1, steps=n)
    began = time.thread_time()  # of this thread alone, and without what other processes take
    for _ in range(n):
        bar.on_step_end(trainer, 0.5)
    seconds = time.thread_time() - began
    bar.on_fit_end(trainer)
    assert seconds / n < 20e-6


def test_the_time_left_follows_from_updates_since_the_start(monkeypatch):
    terminal(monkeypatch)
    now = [100.0]
    monkeypatch.setattr("trulysparse.training.callbacks.progress_bar.time.perf_counter", lambda: now[0])
    bar, trainer = ts.ProgressBar(), stand_in(epoch=2)
    bar.check(trainer, SimpleNamespace(rows=range(95)))
    bar.on_fit_start(trainer, epochs=4, steps=10)
    for _ in range(5):
        now[0] += 0.5
        bar.on_step_end(trainer, 1.0)
    shown = bar._shown
    assert shown.seconds_left == pytest.approx(25 * 0.5)
    assert shown.samples_per_second == pytest.approx(95 / 10 / 0.5)
    assert (shown.connections, shown.neurons) == (1234567, 3010)
    bar.on_fit_end(trainer)


def test_what_is_printed_to_a_pipe_does_not_land_on_the_terminal(rng, monkeypatch, capsys):
    out = sys.stdout
    stream = terminal(monkeypatch)

    class Say(ts.Callback):
        def on_epoch_end(self, trainer, record):
            print("told at epoch", record["epoch"])

    X, y = rng.standard_normal((50, 20)), rng.integers(0, 4, 50)
    ts.Trainer(ts.SparseMLP((20, 10, 4)), callbacks=[ts.ProgressBar(), Say()]).fit(X, y, epochs=2)
    assert sys.stdout is out
    assert capsys.readouterr().out == "told at epoch 1\ntold at epoch 2\n"
    assert "told" not in stream.getvalue()


def test_the_display_ends_with_an_error(rng, monkeypatch):
    terminal(monkeypatch)
    bar = ts.ProgressBar()

    class Fail(ts.Callback):
        def on_step_end(self, trainer, loss):
            raise RuntimeError("enough")

    X, y = rng.standard_normal((50, 20)), rng.integers(0, 4, 50)
    with pytest.raises(RuntimeError, match="enough"):
        ts.Trainer(ts.SparseMLP((20, 10, 4)), callbacks=[bar, Fail()]).fit(X, y, epochs=2)
    assert bar._live is None
