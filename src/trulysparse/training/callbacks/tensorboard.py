"""Figures of a training for TensorBoard. tensorboardX is loaded when a logger is made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trulysparse.errors import InputError, MissingExtraError
from trulysparse.training.callbacks.logger import Logger
from trulysparse.training.callbacks.running import RunningTrainer

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData


class TensorBoardLogger(Logger):
    """Writes the figures of each epoch to event files in `folder`, for `tensorboard --logdir folder`.

    They are those of the epoch's record (loss, val_*, learning_rate, connections, seconds), samples per second and
    neurons, at the epoch's number. What is trained how is a text, 'parameters'. A resumed training goes on in the same
    folder; what the one before wrote of epochs that come again is passed over.

    Args:
        folder: one for each training; made if it is not there.

    Raises:
        InputError: where `folder` is not the path of a folder.
        MissingExtraError: where tensorboardX (extra 'tensorboard') is not installed.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> X = np.random.default_rng(0).standard_normal((64, 4))
        >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=3, threads=1), batch_size=16)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     history = trainer.fit(X, X[:, 0] > 0, epochs=3, callbacks=[ts.TensorBoardLogger(folder)])
    """

    _writer: Any = None

    def __init__(self, folder: str | PathLike[str]) -> None:
        if not isinstance(folder, str | PathLike):
            raise InputError(f"folder must be the path of a folder, not {folder!r:.80}")
        _summary_writer()
        self.folder = Path(folder)

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Refuses a file in place of the folder."""
        super().check(trainer, data)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"folder must be a folder for TensorBoard's files, not the file '{self.folder}'")

    def open(self, parameters: Mapping[str, str], first_step: int, resumed: bool) -> None:
        """Begins an event file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        suffix = f".{first_step:06d}.{os.getpid()}"  # two files may begin in one second, which is all that names tell
        self._writer = _summary_writer()(
            str(self.folder), purge_step=first_step if resumed else None, filename_suffix=suffix
        )
        rows = [f"| {name} | {value.replace('|', '/')} |" for name, value in parameters.items()]
        self._writer.add_text("parameters", "\n".join(["| parameter | value |", "|---|---|", *rows]), first_step)

    def write(self, figures: Mapping[str, float], step: int) -> None:
        """Writes the figures through to the file, so that they outlive a process that is killed."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Closes the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _summary_writer() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise MissingExtraError("TensorBoardLogger", "tensorboardX", "tensorboard") from None
    return SummaryWriter
