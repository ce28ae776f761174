"""The epochs of a Trainer, and of one of several, as a model's progress."""

from __future__ import annotations

from trulysparse._core.progress import Progress
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record


class EpochProgress(Callback):
    """Tells how many epochs are over, after each update that is another hundredth of all, and after the last.

    Args:
        progress: what is told.
        what: the name of the work.
    """

    def __init__(self, progress: Progress, what: str = "training") -> None:
        self._progress, self._what = progress, what

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Notes how many updates there will be."""
        self._epochs, self._steps, self._done = epochs, steps, 0
        self._every = max(1, epochs * steps // 100)
        self._progress(self._what, 0, epochs)

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        """Counts the update."""
        self._done += 1
        if self._done % self._every == 0 and self._done < self._epochs * self._steps:
            self._progress(self._what, self._done / self._steps, self._epochs)

    def on_progress(self, trainer: RunningTrainer, what: str, done: float, total: float) -> None:
        """Passes on what goes on between updates."""
        self._progress(what, done, total)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Tells the end of the last epoch."""
        if self._done == self._epochs * self._steps or trainer.stop:
            self._progress(self._what, self._epochs, self._epochs)


def part_of(progress: Progress, number: int, parts: int) -> Progress:
    """Progress of one of several trainings as that of all.

    Args:
        progress: what is told.
        number: of the training, from 0 on.
        parts: how many there are.

    Returns:
        A function for this training.

    Example:
        >>> from trulysparse.unsupervised._epochs import part_of
        >>> part_of(print, 1, 5)("training", 3, 10)
        training 13 50
    """

    def report(what: str, done: float, total: float) -> None:
        progress(what, number * total + done, parts * total)

    return report
