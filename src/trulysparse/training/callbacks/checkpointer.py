"""Checkpoints in the course of training, from which a run that was killed goes on with the same bits."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trulysparse._core import checks
from trulysparse._core.arrays import not_finite
from trulysparse.errors import DivergenceError, InputError
from trulysparse.io import checkpoints, model_writer
from trulysparse.io.checkpoint_folder import PENDING, STATE
from trulysparse.nn.layers.mapped import MappedLayer
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData


class Checkpointer(Callback):
    """Writes the state of a training to `folder` as it goes, so that Trainer.fit(resume=folder) can go on from there.

    Layers in memory are written to one file. It replaces the one before as soon as the loss of the next update (or
    epoch) has shown that training has not diverged; until then it has another name. Layers that live in files
    (SparseMLP(folder=...)) need no copy: their state is committed after each update and each layer's evolution, and
    their folder must be `layers` in this one.

    Args:
        folder: where the state is written; made if it is not there.
        every: updates between checkpoints, at least 1; for layers in files, updates between those that also outlive a
            power cut.
        max_loss: a checkpoint whose next loss is larger is dropped; infinity: only one whose next loss is not a number.

    Raises:
        InputError: where an argument is out of range; from fit, where training is parallel or `folder` is a file.
        DivergenceError: from fit, where weights or optimizer state are not finite; the checkpoint before stays.

    Example:
        A training that is broken off and goes on gives the same bits as one that is not.

        >>> import tempfile
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 8)), rng.integers(0, 3, 64)
        >>> def make_trainer():
        ...     net = ts.SparseMLP((8, 16, 3), epsilon=3, seed=1, threads=1)
        ...     return ts.Trainer(net, evolution=ts.SET(), batch_size=16, seed=2)
        >>> class BreakOff(ts.Callback):
        ...     def on_step_end(self, trainer, loss):
        ...         if trainer.step_count == 7:
        ...             raise KeyboardInterrupt
        >>> unbroken, broken, resumed = make_trainer(), make_trainer(), make_trainer()
        >>> history = unbroken.fit(X, y, epochs=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     try:
        ...         broken.fit(X, y, epochs=4, callbacks=[ts.Checkpointer(folder, every=2), BreakOff()])
        ...     except KeyboardInterrupt:
        ...         resumed_history = resumed.fit(X, y, epochs=4, resume=folder)
        >>> resumed_history["loss"] == history["loss"]
        True
        >>> np.array_equal(resumed.net.layers[1].values, unbroken.net.layers[1].values)
        True
    """

    def __init__(self, folder: str | PathLike[str], *, every: int, max_loss: float = np.inf) -> None:
        if not isinstance(folder, str | PathLike):
            raise InputError(f"folder must be the path of a folder, not {folder!r}")
        self.folder = Path(folder)
        self.every = checks.integer("every", every, low=1)
        self.max_loss = max_loss if max_loss == np.inf else checks.real("max_loss", max_loss)
        self._has_pending = False

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Refuses workers, whose state this process does not have, and a file in place of the folder."""
        if trainer.parallel is not None:
            raise InputError("Checkpointer cannot keep the state of parallel training: leave out one of the two")
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"folder must be a folder to keep checkpoints in, not the file '{self.folder}'")

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Makes the folder, and commits layers in files, so that a run can go on from its start."""
        self._has_pending = False
        self.folder.mkdir(parents=True, exist_ok=True)
        self._commit(trainer)

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        """Writes or commits when it is due."""
        self._resolve_pending(loss)
        if trainer.net.storage_config.folder is not None or trainer.step_count % self.every == 0:
            self.write(trainer)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Takes the epoch's loss in place of the next update's."""
        self._resolve_pending(float(record["val_loss"] if "val_loss" in record else record["loss"]))

    def write(self, trainer: RunningTrainer) -> None:
        """Writes or commits now, whatever `every` says.

        Args:
            trainer: what trains.

        Raises:
            DivergenceError: where the state is not finite; the checkpoint before stays.
        """
        _require_finite(trainer)
        if not self._commit(trainer):
            extra = {"position": trainer.position.to_json()}
            checkpoints.write(self.folder / PENDING, trainer, extra, trainer.report_progress)
            self._has_pending = True

    def _resolve_pending(self, loss: float) -> None:
        """Puts the checkpoint of before in force, or drops it. loss: of its parameters."""
        if self._has_pending and loss <= self.max_loss:
            (self.folder / PENDING).replace(self.folder / STATE)
        elif self._has_pending:
            (self.folder / PENDING).unlink()
        self._has_pending = False

    def on_evolution(self, trainer: RunningTrainer, grown: int) -> None:
        """Commits layers in files."""
        self._commit(trainer)

    def on_progress(self, trainer: RunningTrainer, what: str, done: float, total: float) -> None:
        """Commits layers in files as each has evolved, so that old and new connections of one layer only are on disk
        at a time."""
        if what == "evolving":
            self._commit(trainer)

    def _commit(self, trainer: RunningTrainer) -> bool:
        net = trainer.net
        folder = net.storage_config.folder
        if folder is None:
            return False
        layers: list[MappedLayer] = net.layers
        pairs = list(zip(layers, trainer.optimizer_state, strict=True))
        state = {
            "network": model_writer.settings(net),
            **checkpoints.counters(trainer),
            "position": trainer.position.to_json(),
            "layers": [layer.manifest(optimizer_state) for layer, optimizer_state in pairs],
        }
        arrays = [
            a for layer, optimizer_state in pairs for kind in layer.arrays(optimizer_state).values() for a in kind
        ]
        folder.commit(state, arrays, sync=self.every > 1 and trainer.step_count % self.every == 0)
        return True


def _require_finite(trainer: RunningTrainer) -> None:
    for layer, optimizer_state in zip(trainer.net.layers, trainer.optimizer_state, strict=True):
        for values in (layer.values, layer.bias, *optimizer_state.weight, *optimizer_state.bias):
            if not_finite(values):
                raise DivergenceError(
                    f"the parameters are not finite after step {trainer.step_count - 1}: training has diverged; "
                    "lower the learning rate or scale the features"
                )
        layer.release()
