"""Ends training when a score no longer improves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.nn.skip import sizes_of
from trulysparse.training.callbacks import snapshots
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record
from trulysparse.training.metrics import score_name

if TYPE_CHECKING:
    from trulysparse._core.arrays import Stored
    from trulysparse.training.fit_data import FitData


class EarlyStopping(Callback):
    """Stops training when `monitor` has not improved by `min_delta` for `patience` epochs.

    Args:
        monitor: a name in the records of History.
        patience: epochs without improvement after which training ends, at least 1.
        min_delta: what counts as an improvement, at least 0.
        mode: 'min' or 'max', what is better; 'auto': max for accuracy and r2, else min.
        restore_best: whether the connections and weights of the best epoch are put back at the end. The optimizer's
            state is zero then.

    Attributes:
        best_epoch: the best epoch so far, from 1; 0 before the first.

    Raises:
        InputError: where an argument is out of range; from fit, where `monitor` is not in the records.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> X = np.random.default_rng(0).standard_normal((64, 4))
        >>> y = (X[:, 0] > 0).astype(int)
        >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=3, threads=1), optimizer=ts.SGD(0.1), batch_size=16)
        >>> stopping = ts.EarlyStopping("val_loss", patience=2, min_delta=0.05)
        >>> history = trainer.fit(X, y, epochs=50, validation_data=(X, y), callbacks=[stopping])
        >>> len(history) == stopping.best_epoch + 2
        True
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
        """Refuses a score that the records will not have."""
        score = f"val_{score_name(trainer.net.output, data)}"
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

    def state(self) -> dict[str, Any]:
        """The best score, the epochs since, and the layers of the best epoch."""
        values = {"best": self._best, "waited": self._waited, "best_epoch": self.best_epoch}
        return values | (snapshots.to_state(self._snapshot) if self._snapshot is not None else {})

    def load_state(self, trainer: RunningTrainer, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self._best = float(state["best"])
        self._waited = checks.integer("waited", state["waited"], low=0)
        self.best_epoch = checks.integer("best_epoch", state["best_epoch"], low=0)
        self._snapshot = snapshots.from_state(state, trainer.net)

    def on_fit_end(self, trainer: RunningTrainer) -> None:
        """Puts the best parameters back."""
        if self._snapshot is not None:
            for layer, snapshot in zip(trainer.net.layers, self._snapshot, strict=True):
                layer.restore(snapshot)
            trainer.net.layer_sizes = sizes_of(trainer.net.chain)
            trainer.reset_state()
