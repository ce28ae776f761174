"""What may be called in the course of a training: subclass Callback, override what you need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from trulysparse.errors import DivergenceError
from trulysparse.io.callback_state import Kept
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData


class Callback:
    """Hooks of Trainer.fit and TrainingLoop.run; none does anything unless overridden.

    `trainer` is the Trainer (on a Ray cluster, for callbacks with on_server, a TrainingLoop). A callback that sets
    trainer.stop = True ends training after the current epoch; one that changes layers calls trainer.resize().

    Attributes:
        on_server: of the class; whether, with workers on a cluster, on_epoch_end runs beside the network in training
            (as it changes it) and not in this process.
        comes_last: of the class; whether its hooks are called after those of other callbacks, wherever it stands.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> class StopAt(ts.Callback):
        ...     def on_epoch_end(self, trainer, record):
        ...         trainer.stop = record["epoch"] == 2
        >>> X = np.random.default_rng(0).standard_normal((32, 4))
        >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=3, threads=1), batch_size=16)
        >>> len(trainer.fit(X, (X[:, 0] > 0).astype(int), epochs=9, callbacks=[StopAt()]))
        2
    """

    on_server: ClassVar[bool] = False
    comes_last: ClassVar[bool] = False

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Called at the start of fit, before anything else happens.

        Args:
            trainer: what trains.
            data: the samples and what to do with them.

        Raises:
            InputError: where this callback cannot do its work with this trainer and these samples.
        """

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Called before the first epoch.

        Args:
            trainer: what trains.
            epochs: how many epochs there will be.
            steps: updates per epoch.
        """

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        """Called after each update.

        Args:
            trainer: what trains.
            loss: the mean loss of the batch before the update.
        """

    def on_worker_step(self, trainer: RunningTrainer, worker: int, loss: float) -> None:
        """Called in parallel training in place of on_step_end, when a worker has finished a batch.

        Args:
            trainer: what trains.
            worker: the worker's number, from 0.
            loss: the mean loss of its batch.
        """

    def on_progress(self, trainer: RunningTrainer, what: str, done: float, total: float) -> None:
        """Called in the course of long work between updates.

        Args:
            trainer: what trains.
            what: 'evolving' or 'checkpoint'.
            done: how much of it is over, in units of its own.
            total: how much there is.
        """

    def on_evolution(self, trainer: RunningTrainer, grown: int) -> None:
        """Called after the topology has evolved.

        Args:
            trainer: what trains.
            grown: how many connections were added.
        """

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Called after an epoch, its validation and its record, before topology evolution.

        Args:
            trainer: what trains.
            record: the epoch's figures by name; see History.
        """

    def on_epoch_over(self, trainer: RunningTrainer) -> None:
        """Called after on_epoch_end of all callbacks, when trainer.position is at the beginning of the next epoch; in
        parallel training after the topology evolution, from where it can be gone on with. (On a Ray cluster it is
        called only where a Checkpointer is among the callbacks.)

        Args:
            trainer: what trains.
        """

    def on_fit_end(self, trainer: RunningTrainer) -> None:
        """Called after the last epoch or an error, if on_fit_start has returned.

        Args:
            trainer: what trains.
        """

    def state(self) -> dict[str, Any]:
        """What this callback remembers of the training, for checkpoints. Only classes that override it have state; fit
        must then be given the same ones, in the same order, to resume.

        Returns:
            By name: arrays, which are replaced and not written into as training goes on, and values that JSON can hold.
        """
        return {}

    def load_state(self, trainer: RunningTrainer, state: dict[str, Any]) -> None:
        """Takes back what `state` gave. Called after on_fit_start, where training is resumed from a checkpoint.

        Args:
            trainer: what trains.
            state: that.
        """


def keeping(callbacks: Sequence[Callback]) -> list[Callback]:
    """The callbacks that have state."""
    return [callback for callback in callbacks if type(callback).state is not Callback.state]


def kinds_of(callbacks: Sequence[Callback]) -> list[str]:
    """The classes of the callbacks that have state."""
    return [type(callback).__qualname__ for callback in keeping(callbacks)]


def states_of(callbacks: Sequence[Callback]) -> Kept:
    """What the callbacks that have state remember."""
    return Kept(kinds_of(callbacks), [callback.state() for callback in keeping(callbacks)])


@contextmanager
def running_callbacks(callbacks: Sequence[Callback], trainer: Any, epochs: int, steps: int) -> Iterator[None]:
    """Calls on_fit_start of each callback and, at the end and whatever happens, on_fit_end of those that have started,
    in the same order. Those with a state are given that of trainer.position, where it comes from a checkpoint. Of a
    training that diverges, trainer.diverged is set before on_fit_end."""
    running: list[Callback] = []
    kept = trainer.position.kept
    states: dict[int, dict[str, Any]] = {}
    if kept is not None and not kept.unknown:
        kept.check(kinds_of(callbacks))
        states = {id(each): state for each, state in zip(keeping(callbacks), kept.states, strict=True)}
    try:
        for callback in callbacks:
            callback.on_fit_start(trainer, epochs, steps)
            running.append(callback)
            if id(callback) in states:
                callback.load_state(trainer, states.pop(id(callback)))
        trainer.position.kept = None
        yield
    except DivergenceError:
        trainer.diverged = True
        raise
    finally:
        with ExitStack() as ends:
            for callback in reversed(running):
                ends.callback(callback.on_fit_end, trainer)
