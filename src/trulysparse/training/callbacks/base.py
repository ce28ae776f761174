"""Things that happen around epochs: subclass Callback, override what you need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record

if TYPE_CHECKING:
    from trulysparse._core.arrays import Stored
    from trulysparse.training.fit_data import FitData


class Callback:
    """Hooks of Trainer.fit and TrainingLoop.run: `trainer` is who calls (beside the network on a cluster, a loop).
    Setting trainer.stop = True ends training after the current epoch. on_server: whether, with
    workers on a cluster, on_epoch_end belongs beside the network in training (as it changes it), not into this process.
    """

    on_server: ClassVar[bool] = False

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """At the start of fit, before anything else happens: raises InputError where this callback cannot do its work
        with this trainer and these samples."""

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Before the first epoch of `epochs`, each of `steps` steps."""

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        """After each update."""

    def on_worker_step(self, trainer: RunningTrainer, worker: int, loss: float) -> None:
        """In parallel training, in the place of on_step_end: a worker has finished a batch."""

    def on_progress(self, trainer: RunningTrainer, what: str, done: float, total: float) -> None:
        """In the course of long work between updates ('evolving', 'checkpoint'): `done` of `total` is over."""

    def on_evolution(self, trainer: RunningTrainer, grown: int) -> None:
        """After the topology has evolved; `grown` connections came."""

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """After an epoch, its validation and its record, before topology evolution."""

    def on_fit_end(self, trainer: RunningTrainer) -> None:
        """After the last epoch, or an error; called where on_fit_start has returned."""


@contextmanager
def started(callbacks: Sequence[Callback], trainer: Any, epochs: int, steps: int) -> Iterator[None]:
    """Starts the callbacks of fit and ends, in the same order and whatever happens, each of those that have started."""
    running: list[Callback] = []
    try:
        for callback in callbacks:
            callback.on_fit_start(trainer, epochs, steps)
            running.append(callback)
        yield
    finally:
        with ExitStack() as ends:
            for callback in reversed(running):
                ends.callback(callback.on_fit_end, trainer)


class EarlyStopping(Callback):
    """Stops when `monitor` has not improved by `min_delta` for `patience` epochs.

    monitor: a name in the records. mode: 'min', 'max' or 'auto' (max for accuracy and r2). restore_best: put
    the connectivity and weights of the best epoch back at the end.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = True,
    ) -> None:
        self.monitor = monitor
        self.patience = checks.integer("patience", patience, low=1)
        self.min_delta = checks.real("min_delta", min_delta, low=0)
        mode = checks.choice("mode", mode, ("auto", "min", "max"))
        rising = mode == "max" or (mode == "auto" and monitor.endswith(("accuracy", "r2")))
        self._sign = -1.0 if rising else 1.0
        self.restore_best = restore_best

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Refuses a score that will not be there, and to restore what would not fit into memory."""
        score = "val_r2" if trainer.net.output == "identity" else "val_accuracy"
        if self.monitor in ("val_loss", "val_accuracy", "val_r2"):
            if data.validation is None:
                raise InputError(f"EarlyStopping monitors {self.monitor!r}, for which fit needs validation_data")
            if self.monitor not in ("val_loss", score):
                raise InputError(
                    f"EarlyStopping monitors {self.monitor!r}, but with output={trainer.net.output!r} the score is "
                    f"{score!r}"
                )

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Forgets what it saw in an earlier fit."""
        self._best = np.inf
        self._waited = 0
        self._snapshot: list[tuple[Any, Stored, Stored]] | None = None
        self.best_epoch = 0

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Compares this epoch with the best one."""
        if self.monitor not in record:
            raise InputError(f"EarlyStopping monitors {self.monitor!r}, but the records have {', '.join(record)}")
        value = self._sign * record[self.monitor]
        if value < self._best - self.min_delta:
            self._best, self._waited, self.best_epoch = value, 0, int(record["epoch"])
            if self.restore_best:
                self._snapshot = [layer.snapshot() for layer in trainer.net.layers]
            return
        self._waited += 1
        trainer.stop = trainer.stop or self._waited >= self.patience

    def on_fit_end(self, trainer: RunningTrainer) -> None:
        """Puts the best parameters back."""
        if self._snapshot is not None:
            for layer, kept in zip(trainer.net.layers, self._snapshot, strict=True):
                layer.restore(kept)
            sizes = (trainer.net.layer_sizes[0], *(layer.n_out for layer in trainer.net.layers))
            trainer.net.layer_sizes = sizes
            trainer.reset_state()
