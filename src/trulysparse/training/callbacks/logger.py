"""What loggers of experiment trackers share: which figures of a training go out, and at which step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData


class Logger(Callback, ABC):
    """Sends each epoch's record elsewhere, as one number per name; the epoch's number is the step.

    A resumed training goes on at the step where it was broken off, and a further call of fit with the same logger after
    the last step of the call before.
    """

    _n_samples: int | None = None
    _offset, _last_step = 0, 0

    @abstractmethod
    def open(self, parameters: Mapping[str, str], first_step: int, resumed: bool) -> None:
        """Called before the first epoch.

        Args:
            parameters: what is trained how.
            first_step: that of the first record to come, from 1.
            resumed: whether this goes on with a training that was broken off.
        """

    @abstractmethod
    def write(self, figures: Mapping[str, float], step: int) -> None:
        """Called with the figures of each epoch."""

    @abstractmethod
    def close(self) -> None:
        """Called at the end, after an error too."""

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Notes how many samples an epoch has."""
        self._n_samples = len(data.rows)

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Sends the parameters."""
        at = trainer.position
        resumed = at.epoch > 1 or at.done > 0
        self._offset = 0 if resumed else self._last_step
        self.open(self.parameters(trainer, epochs), self._offset + at.epoch, resumed)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Sends the epoch's figures."""
        figures = numbers(record)
        step = self._offset + int(figures.pop("epoch"))
        if self._n_samples is not None and record["seconds"] > 0:
            figures.setdefault("samples_per_second", self._n_samples / record["seconds"])
        figures["neurons"] = float(trainer.net.n_neurons)
        self.write(figures, step)
        self._last_step = step

    def on_fit_end(self, trainer: RunningTrainer) -> None:
        """Closes what is open."""
        self.close()

    def parameters(self, trainer: RunningTrainer, epochs: int) -> dict[str, str]:
        """What is trained how, by name."""
        net = trainer.net
        values = {
            "layers": net.sizes_text,
            "connections": net.n_connections,
            "density": f"{net.density:.6g}",
            "activation": net.activation,
            "dtype": net.dtype,
            "loss": trainer.loss.name,
            "optimizer": trainer.optimizer,
            "evolution": trainer.evolution,
            "parallel": trainer.parallel,
            "batch_size": trainer.batch_size,
            "epochs": epochs,
            "seed": trainer.seed,
            "samples": self._n_samples,
        }
        return {name: str(value) for name, value in values.items()}


def numbers(record: Record) -> dict[str, float]:
    """The record with one number per name: a list's values by their place in it, and no texts.

    Args:
        record: figures of an epoch; see History.

    Returns:
        The numbers by name.

    Example:
        >>> numbers({"epoch": 2, "loss": 0.5, "degree": [3, 4], "phase": "one"})
        {'epoch': 2.0, 'loss': 0.5, 'degree/1': 3.0, 'degree/2': 4.0}
    """
    found: dict[str, float] = {}
    for name, value in record.items():
        if isinstance(value, Real):
            found[name] = float(value)
        elif isinstance(value, list | tuple | np.ndarray):
            each = {f"{name}/{number}": one for number, one in enumerate(value, start=1)}
            found.update({key: float(one) for key, one in each.items() if isinstance(one, Real)})
    return found
