"""A Rich progress bar for training, silent where the output is not a terminal. Rich is loaded when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ProgressBar(Callback):
    """Shows epochs, the running loss and the time left on the standard error stream, where that is a terminal; in
    parallel training one line for each worker too.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=2, threads=1), callbacks=[ts.ProgressBar()])
        >>> history = trainer.fit(np.eye(4), [0, 1, 0, 1], epochs=2)
        >>> len(history)
        2
    """

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Starts the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from trulysparse._core.bars import RateColumn

        console = Console(stderr=True)
        self._epoch = 0
        self._epochs = epochs
        self._last = ""
        self._bar: Progress | None = None
        if not console.is_terminal:
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TextColumn("loss {task.fields[loss]:.4f} {task.fields[last]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        at = trainer.position
        over = (at.epoch - 1) * steps + at.done
        self._epoch = at.epoch - 1
        self._task = self._bar.add_task(
            f"epoch {at.epoch}/{epochs}", total=epochs * steps, completed=over, loss=float("nan"), last=""
        )
        self._workers: dict[int, TaskID] = {}
        self._work: dict[str, TaskID] = {}
        self._bar.start()

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        """Advances the bar."""
        if self._bar is not None:
            epoch = min(self._epoch + 1, self._epochs)
            self._bar.update(
                self._task, advance=1, loss=loss, description=f"epoch {epoch}/{self._epochs}", last=self._last
            )

    def on_worker_step(self, trainer: RunningTrainer, worker: int, loss: float) -> None:
        """Advances the bar and the worker's line, which has no end: fast workers do more."""
        self.on_step_end(trainer, loss)
        if self._bar is not None:
            if worker not in self._workers:
                self._workers[worker] = self._bar.add_task(f"  worker {worker}", total=None, loss=loss, last="")
            self._bar.update(self._workers[worker], advance=1, loss=loss)

    def on_progress(self, trainer: RunningTrainer, what: str, done: float, total: float) -> None:
        """Shows a line for work between updates, while it lasts."""
        if self._bar is None:
            return
        if what not in self._work:
            self._work[what] = self._bar.add_task(f"  {what}", total=total, loss=float("nan"), last="")
        self._bar.update(self._work[what], completed=done, total=total)
        if done >= total:
            self._bar.remove_task(self._work.pop(what))

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Notes the validation score."""
        self._epoch = int(record["epoch"])
        self._last = " ".join(f"{name} {record[name]:.4f}" for name in ("val_accuracy", "val_r2") if name in record)

    def on_fit_end(self, trainer: RunningTrainer) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
