"""Checkpoints in the course of training, from which a run that was killed goes on with the same bits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.io import checkpoints
from trulysparse.io.checkpoint_folder import PENDING, state_file, states
from trulysparse.training.callbacks.base import Callback, states_of
from trulysparse.training.callbacks.layer_files import LayerFiles
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.finite import require_finite
from trulysparse.training.history import Record

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData

# Seconds between checkpoints that are flushed to the disk (some milliseconds each): others outlive the process only.
FLUSH_INTERVAL = 1.0


class Checkpointer(Callback):
    """Writes the state of a training to `folder` at the end of each epoch, so that Trainer.fit(resume=folder) can go on
    from there: network, optimizer, evolution, and the callbacks that have a state.

    Layers in memory are written to a file state-N.safetensors each time, N being the number of updates; the last `keep`
    stay. One whose next loss shows that training has diverged goes, and `resume` takes the newest that is not damaged.
    Layers that live in files (SparseMLP(folder=...)) need no copy: their state is committed after each update and each
    layer's evolution, and their folder must be `layers` in this one.

    A checkpoint outlives the process as soon as it is written, and a power cut where it is at least one second younger
    than the last one that does.

    Args:
        folder: where the state is written; made if it is not there.
        every: updates between checkpoints in the course of an epoch, at least 1; None: none. In parallel training there
            are none.
        max_loss: a checkpoint whose next loss is larger goes; infinity: only one whose next loss is not a number.
        keep: how many checkpoints stay, at least 1; layers in files have one.

    Raises:
        InputError: where an argument is out of range; from fit, where `folder` is a file.
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
        ...         broken.fit(X, y, epochs=4, callbacks=[ts.Checkpointer(folder), BreakOff()])
        ...     except KeyboardInterrupt:
        ...         resumed_history = resumed.fit(X, y, epochs=4, resume=folder)
        >>> resumed_history["loss"] == history["loss"]
        True
        >>> np.array_equal(resumed.net.layers[1].values, unbroken.net.layers[1].values)
        True
    """

    comes_last: ClassVar[bool] = True

    def __init__(
        self, folder: str | PathLike[str], *, every: int | None = None, max_loss: float = np.inf, keep: int = 2
    ) -> None:
        if not isinstance(folder, str | PathLike):
            raise InputError(f"folder must be the path of a folder, not {folder!r}")
        self.folder = Path(folder)
        self.every = None if every is None else checks.integer("every", every, low=1)
        self.max_loss = max_loss if max_loss == np.inf else checks.real("max_loss", max_loss)
        self.keep = checks.integer("keep", keep, low=1)
        self._callbacks: Sequence[Callback] = ()
        self._forget()

    @property
    def keeps_epochs(self) -> bool:
        """Whether the end of each epoch is kept."""
        return True

    def _forget(self) -> None:
        self._states: list[Path] = []  # of this training, the oldest first
        self._flushed: Path | None = None  # the newest that outlives a power cut
        self._flushed_at = -np.inf
        self._doubtful: Path | None = None  # the newest, as long as no loss of its parameters is known
        self._layer_files: LayerFiles | None = None

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Refuses a file in place of the folder."""
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"folder must be a folder to keep checkpoints in, not the file '{self.folder}'")
        self._callbacks = data.callbacks

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Makes the folder, and commits layers in files, so that a run can go on from its start."""
        self._forget()
        self._steps = steps
        self.folder.mkdir(parents=True, exist_ok=True)
        if (kept := trainer.position.kept) is not None and kept.path is not None:
            found = states(self.folder)
            if kept.path in found:
                self._states = found[: found.index(kept.path) + 1]
                self._doubtful = kept.path
        if trainer.net.storage_config.folder is not None:
            self._layer_files = LayerFiles(self.folder)
            self._layer_files.commit(trainer, states_of(self._callbacks))

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        """Writes or commits when it is due."""
        self.judge(loss)
        if self._layer_files is not None:
            require_finite(trainer)
            due = self.every is not None and self.every > 1 and trainer.step_count % self.every == 0
            self._layer_files.commit(trainer, states_of(self._callbacks), sync=due)
        elif self.every is not None and trainer.step_count % self.every == 0 and trainer.position.done < self._steps:
            self.write(trainer)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Takes the epoch's loss in place of the next update's."""
        self.judge(float(record["val_loss"] if "val_loss" in record else record["loss"]))

    def on_epoch_over(self, trainer: RunningTrainer) -> None:
        """Writes or commits."""
        self.write(trainer)

    def write(self, trainer: RunningTrainer, *, flush: bool = False) -> None:
        """Writes or commits now, whatever `every` says.

        Args:
            trainer: what trains.
            flush: whether it has to outlive a power cut, however young the last one that does.

        Raises:
            DivergenceError: where the state is not finite; the checkpoint before stays.
        """
        require_finite(trainer)
        kept, now = states_of(self._callbacks), time.monotonic()
        flush = flush or now - self._flushed_at >= FLUSH_INTERVAL
        if self._layer_files is not None:
            self._layer_files.commit(trainer, kept, sync=flush)
        else:
            path = state_file(self.folder, trainer.step_count)
            entries, arrays = kept.to_json()
            arrays |= {f"parallel.{name}": array for name, array in trainer.position.arrays().items()}
            extra = {"position": trainer.position.to_json(), "callbacks": entries}
            checkpoints.write(path, trainer, extra, trainer.report_progress, arrays=arrays, sync=flush)
            self._states = [*(each for each in self._states if each != path), path]
            self._doubtful = path
            self._flushed = path if flush else self._flushed
            self._drop_old()
        self._flushed_at = now if flush else self._flushed_at

    def _drop_old(self) -> None:
        """Removes states beyond the last `keep`, and those of another training. One that is doubtful does not count."""
        sound = [path for path in self._states if path != self._doubtful]
        stay = {*sound[-self.keep :], self._doubtful, self._flushed}
        self._states = [path for path in self._states if path in stay]
        for path in (*states(self.folder), *self.folder.glob(PENDING)):
            if path not in stay:
                path.unlink(missing_ok=True)

    def judge(self, loss: float) -> None:
        """Takes the newest checkpoint for good, or drops it.

        Args:
            loss: of its parameters.
        """
        if self._doubtful is None:
            return
        path, self._doubtful = self._doubtful, None
        if not loss <= self.max_loss:
            self._drop(path)
        elif len(self._states) > self.keep:
            self._drop_old()

    def _drop(self, path: Path) -> None:
        self._states.remove(path)
        self._flushed = None if path == self._flushed else self._flushed
        path.unlink(missing_ok=True)

    def on_fit_end(self, trainer: RunningTrainer) -> None:
        """Of a training that has diverged, drops the checkpoint from which the next update did, if it has another."""
        if trainer.diverged and self._doubtful is not None and len(self._states) > 1:
            self._drop(self._doubtful)
        self._doubtful = None

    def on_evolution(self, trainer: RunningTrainer, grown: int) -> None:
        """Commits layers in files."""
        if self._layer_files is not None:
            self._layer_files.commit(trainer, states_of(self._callbacks))

    def on_progress(self, trainer: RunningTrainer, what: str, done: float, total: float) -> None:
        """Commits layers in files as each has evolved, so that old and new connections of one layer only are on disk
        at a time."""
        if what == "evolving":
            self.on_evolution(trainer, 0)
