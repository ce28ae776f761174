"""A live display of a training, silent where the output is not a terminal. Rich is loaded when it starts."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from trulysparse._core.memory import resident_bytes
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record

if TYPE_CHECKING:
    from rich.live import Live

    from trulysparse.training.callbacks.live_display import Line, LiveDisplay
    from trulysparse.training.fit_data import FitData

_LOOK_EVERY = 0.25  # seconds: figures that take time to find are found no more often
_WINDOW = 40  # looks that the rate of samples is a mean of: some ten seconds


class ProgressBar(Callback):
    """Shows a training on the standard error stream as it goes, where that is a terminal.

    It shows epoch and updates, the epoch's mean loss so far, the last validation score, samples per second,
    connections, neurons, this process's memory and the time left; in parallel training one line for each worker too;
    evolution and checkpoints while they last. Drawing is a thread's of its own.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=2, threads=1), callbacks=[ts.ProgressBar()])
        >>> history = trainer.fit(np.eye(4), [0, 1, 0, 1], epochs=2)
        >>> len(history)
        2
    """

    _n_samples: int | None = None
    _shown: LiveDisplay | None = None
    _live: Live | None = None

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Notes how many samples an epoch has."""
        self._n_samples = len(data.rows)

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Starts the display."""
        from rich.console import Console

        console = Console(stderr=True)
        self._shown = self._live = None
        if not console.is_terminal:
            return
        from trulysparse.training.callbacks.live_display import LiveDisplay

        at = trainer.position
        self._steps = steps
        self._total, self._count = 0.0, 0
        self._shown = LiveDisplay(epochs, epochs * steps, at.epoch, (at.epoch - 1) * steps + at.done)
        self._began = time.perf_counter(), self._shown.done
        self._looks = deque([self._began], maxlen=_WINDOW)
        self._look(trainer, self._began[0])
        self._live = self._shown.live(console)
        self._live.start()

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        """Counts the update."""
        shown = self._shown
        if shown is None:
            return
        shown.done += 1
        self._total += loss
        self._count += 1
        shown.loss = self._total / self._count
        now = time.perf_counter()
        if now - self._looks[-1][0] >= _LOOK_EVERY:
            self._look(trainer, now)

    def on_worker_step(self, trainer: RunningTrainer, worker: int, loss: float) -> None:
        """Counts the update, and in the worker's line, which has no end: fast workers do more."""
        self.on_step_end(trainer, loss)
        if self._shown is not None:
            line = self._shown.workers.get(worker) or self._add_worker(worker)
            line.done += 1
            line.loss = loss

    def on_progress(self, trainer: RunningTrainer, what: str, done: float, total: float) -> None:
        """Shows a line for work between updates, while it lasts."""
        if self._shown is None:
            return
        if done >= total:
            self._shown.work.pop(what, None)
            return
        from trulysparse.training.callbacks.live_display import Line

        self._shown.work[what] = Line(what, done, total)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Notes the validation score."""
        shown = self._shown
        if shown is None:
            return
        shown.epoch = int(record["epoch"]) + 1
        shown.done = int(record["epoch"]) * self._steps  # workers may have made more batches than they needed
        shown.loss = float(record["loss"])
        self._total, self._count = 0.0, 0
        scores = [name for name in record if name.startswith("val_") and isinstance(record[name], float)]
        scores.sort(key=lambda name: name == "val_loss")  # the loss where there is nothing else
        shown.score = f"{scores[0]} {record[scores[0]]:.4f}" if scores else ""
        self._look(trainer, time.perf_counter())

    def on_fit_end(self, trainer: RunningTrainer) -> None:
        """Removes the display."""
        if self._live is not None:
            self._live.stop()
        self._shown = self._live = None

    def _add_worker(self, worker: int) -> Line:
        from trulysparse.training.callbacks.live_display import Line

        assert self._shown is not None
        self._shown.workers[worker] = line = Line(f"worker {worker}")
        return line

    def _look(self, trainer: RunningTrainer, now: float) -> None:
        """Finds the figures that are not counted."""
        shown = self._shown
        assert shown is not None
        shown.connections, shown.neurons = trainer.net.n_connections, trainer.net.n_neurons
        shown.memory = resident_bytes()
        self._looks.append((now, shown.done))
        then, before = self._looks[0]
        if self._n_samples is not None and now > then and shown.done > before:
            shown.samples_per_second = (shown.done - before) / (now - then) * self._n_samples / self._steps
        began, first = self._began
        if shown.done > first:  # of all that an epoch takes: validation and evolution too
            shown.seconds_left = (now - began) / (shown.done - first) * (shown.total - shown.done)
