"""The epochs of a training: batches in a fresh order, evolution when it is due, validation, callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.random import generator
from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution
from trulysparse.io.position import Position
from trulysparse.nn.losses import Loss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import LayerRates, Optimizer, OptimizerState
from trulysparse.training.batch import Batch
from trulysparse.training.callbacks.base import Callback, running_callbacks
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import History, Record
from trulysparse.training.metrics import scores
from trulysparse.training.options import TrainingOptions
from trulysparse.training.step import TrainingStep
from trulysparse.training.topology import TopologyEvolution


def _delegated(owner: str, name: str) -> Any:
    """A property that reads and sets attribute `name` of self.<owner>, so that the value is held in one place."""
    return property(
        lambda self: getattr(getattr(self, owner), name), lambda self, value: setattr(getattr(self, owner), name, value)
    )


def _of_corruption(name: str) -> Any:
    """A property that reads field `name` of the corruption of samples, and checks what it is set to."""

    def set_to(self: TrainingLoop, value: Any) -> None:
        self._passes.corruption = replace(self._passes.corruption, **{name: value})

    return property(lambda self: getattr(self._passes.corruption, name), set_to)


class TrainingLoop:
    """Trains the network of a TrainingStep in epochs: a Trainer without its checks of arguments.

    Args:
        training_step: what updates the network.
        evolution: how the topology changes; None: it stays.
        batch_size: samples per update, at least 1.

    Attributes:
        training_step: as given; net, loss, optimizer, seed, step_count and their like are held by it.
        epoch, epochs, position, training_progress, stop: of the run in progress; see Trainer.
        on_resize: called with a keep mask for each hidden layer where a callback has removed neurons, or None.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.training.fit_data import FitData
        >>> from trulysparse.training.loop import TrainingLoop
        >>> from trulysparse.training.step import TrainingStep
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1)
        >>> loop = TrainingLoop(TrainingStep(net, ts.Adam(0.01)), evolution=ts.SET(), batch_size=16)
        >>> X = np.random.default_rng(0).standard_normal((64, 4))
        >>> history = loop.run(FitData.checked(net, loop.loss, X, (X[:, 0] > 0).astype(int), epochs=5))
        >>> len(history), loop.step_count, history["loss"][-1] < history["loss"][0]
        (5, 20, True)
    """

    optimizer: Optimizer = _delegated("training_step", "optimizer")
    layer_rates: LayerRates | None = _delegated("training_step", "layer_rates")
    step_count: int = _delegated("training_step", "count")
    state_updates: int = _delegated("training_step", "state_updates")
    seed: int = _delegated("training_step", "seed")
    net: SparseMLP = _delegated("_passes", "net")
    loss: Loss = _delegated("_passes", "loss")
    threads: int = _delegated("_passes", "threads")
    dropout: float = _delegated("_passes", "dropout")
    input_noise: float = _of_corruption("noise")
    input_dropout: float = _of_corruption("dropout")
    input_masking: float = _of_corruption("masking")
    input_swap: float = _of_corruption("swap")
    redraw_input_noise: bool = _of_corruption("redraw")
    augmentation: ImageAugmentation | None = _delegated("_passes", "augmentation")
    recompute: int = _delegated("_passes", "recompute")
    micro_batch_size: int | None = _delegated("_passes", "micro_batch_size")
    max_gradient_norm: float | None = _delegated("_passes", "max_gradient_norm")

    parallel: ParallelTraining | None = None

    def __init__(
        self, training_step: TrainingStep, *, evolution: Evolution | None = None, batch_size: int = 128
    ) -> None:
        self.training_step = training_step
        self._passes = training_step.passes
        self.batch_size = checks.integer("batch_size", batch_size, low=1)
        self._topology: TopologyEvolution | None = None
        self.evolution = evolution
        self.epoch = 0.0
        self.epochs: int | None = None
        self.training_progress = 0.0
        self.stop = False
        self.diverged = False
        self.position = Position()
        self.on_resize: Callable[[Sequence[NDArray[np.bool_]]], None] | None = None
        self._active_callbacks: Sequence[Callback] = ()
        training_step.on_change = self._forget_connections

    # ---- options ----

    @property
    def options(self) -> TrainingOptions:
        """What this training depends on, for workers that share it."""
        return TrainingOptions(**{each.name: getattr(self, each.name) for each in fields(TrainingOptions)})

    @staticmethod
    def with_options(net: SparseMLP, options: TrainingOptions, *, threads: int | None = None) -> TrainingLoop:
        """A loop that trains `net` with the options of another."""
        step = TrainingStep(
            net,
            options.optimizer,
            layer_rates=options.layer_rates,
            seed=options.seed,
            threads=threads,
            **options.for_passes(),
        )
        return TrainingLoop(step, evolution=options.evolution, batch_size=options.batch_size)

    # ---- optimizer state and evolution state ----

    @property
    def evolution(self) -> Evolution | None:
        """How the topology changes; None: it stays."""
        return None if self._topology is None else self._topology.method

    @evolution.setter
    def evolution(self, method: Evolution | None) -> None:
        state = self.evolution_state
        self._topology = None if method is None else TopologyEvolution(method, self.training_step)
        self.evolution_state = state

    @property
    def evolution_state(self) -> dict[str, Any]:
        """What evolution rules remember, by layer."""
        return {} if self._topology is None else self._topology.evolution_state

    @evolution_state.setter
    def evolution_state(self, state: dict[str, Any]) -> None:
        if self._topology is not None:
            self._topology.evolution_state = state

    @property
    def optimizer_state(self) -> list[OptimizerState]:
        """Optimizer state of each layer. Of layers that were changed without it (replaced, pruned) it is zero."""
        return self.training_step.optimizer_state

    def resize(self, keep_masks: Sequence[NDArray[np.bool_]] = ()) -> None:
        """Brings training in line with layers that a callback has changed; they may have another number of neurons.

        Args:
            keep_masks: for each hidden layer, which of its neurons were kept, (n_neurons,) bool; workers need them to
                go on with their batches.
        """
        self.training_step.refresh()
        self._forget_connections()
        if self.on_resize is not None:
            self.on_resize(keep_masks)

    def reset_state(self) -> None:
        """Sets the optimizer's state to zero; Adam's bias correction begins anew with it."""
        self.training_step.reset_state()
        self._forget_connections()

    def set_optimizer_state(self, optimizer_state: Sequence[OptimizerState]) -> None:
        """Goes on with optimizer state from elsewhere, for the network's layers as they are now.

        Args:
            optimizer_state: of each layer.

        Raises:
            InputError: where it belongs to another network or optimizer.
        """
        self.training_step.set_optimizer_state(optimizer_state)
        self._forget_connections()

    def _forget_connections(self) -> None:
        if self._topology is not None:
            self._topology.forget_connections()

    # ---- evolution ----

    def evolve_now(self, batch: Batch | None = None) -> int:
        """Evolves the topology.

        Args:
            batch: for methods that look at gradients, which take its gradient in place of an update.

        Returns:
            How many connections were added.

        Raises:
            InputError: where there is no evolution, or no batch that it needs.
        """
        if self._topology is None:
            raise InputError("evolution must be given to the Trainer (for example ts.SET()) to evolve")
        if not self._topology.method.needs_gradient:
            return self._topology.evolve(self.training_progress, self.position, self.report_progress)
        if batch is None:
            name = type(self._topology.method).__name__
            raise InputError(f"{name} looks at gradients: evolve needs X_batch and y_batch")
        return self._topology.evolve_on(batch, self.training_progress)[0]

    def evolution_due(self, done: int, steps: int, epochs: int) -> bool:
        """Whether to evolve after `done` updates of a training of `epochs` times `steps`."""
        return self._topology is not None and self._topology.due(done, steps, steps * epochs)

    def _evolve_if_due(self, done: int, steps: int, epochs: int, batch: Batch) -> tuple[int | None, float | None]:
        """(number of added connections, or None where no evolution was due; the batch's loss where its gradients were
        used)."""
        topology = self._topology
        if topology is None or not self.evolution_due(done, steps, epochs):
            return None, None
        if topology.method.needs_gradient:
            return topology.evolve_on(batch, self.training_progress)
        return topology.evolve(self.training_progress, self.position, self.report_progress), None

    # ---- callbacks ----

    def report_progress(self, what: str, done: float, total: float) -> None:
        """Calls on_progress of the callbacks of fit."""
        self.notify(self._active_callbacks, "on_progress", what, done, total)

    def notify(self, callbacks: Sequence[Callback], hook: str, *arguments: Any) -> None:
        """Calls a hook of each callback."""
        for callback in callbacks:
            getattr(callback, hook)(self, *arguments)

    # ---- epochs ----

    def run(self, data: FitData, start: Position | None = None) -> History:
        """Trains for data.epochs epochs.

        Args:
            data: the samples and what to do with them.
            start: where an earlier run was broken off; None: at the beginning.

        Returns:
            One record per epoch.

        Raises:
            DivergenceError: where the loss is not finite.
        """
        return self._run_fit(data, start, lambda: self._run(data))

    def _run_fit(self, data: FitData, start: Position | None, train: Callable[[], History]) -> History:
        """Calls `train` between what every training begins and ends with."""
        self.notify(data.callbacks, "check", data)
        self.training_step.refresh()
        self.training_step.require_writable()
        self.diverged, self.epochs, self._active_callbacks = False, data.epochs, data.callbacks
        self.position = start or Position(epoch_start=self.step_count)
        self.stop = self.position.stop
        if start is None:
            self.epoch, self.evolution_state = 0.0, {}
        try:
            return train()
        finally:
            self.epochs, self.training_progress, self._active_callbacks = None, 0.0, ()

    def _run(self, data: FitData) -> History:
        history = History(list(self.position.records))
        with running_callbacks(data.callbacks, self, data.epochs, self.steps(data)):
            while self.position.epoch <= data.epochs and not self.stop:
                number = self.position.epoch
                self.end_epoch(data, history, self.run_epoch(data, number))
                self.position = Position(number + 1, self.step_count, records=list(history.records), stop=self.stop)
                self.notify(data.callbacks, "on_epoch_over")
        return history

    def end_epoch(self, data: FitData, history: History, record: Record) -> None:
        """Validates, adds the record to the history and calls on_epoch_end."""
        if data.validation is not None:
            found = scores(self.net, self.loss, data.validation)
            record.update({f"val_{name}": value for name, value in found.items()})
        history.records.append(record)
        self.notify(data.callbacks, "on_epoch_end", record)

    def steps(self, data: FitData) -> int:
        """Updates per epoch."""
        return -(-len(data.rows) // self.batch_size)

    def run_epoch(self, data: FitData, number: int) -> Record:
        """One epoch: every sample once, in a fresh order.

        Args:
            data: the samples.
            number: of the epoch, from 1 to data.epochs. Where self.position is in it, it goes on from there.

        Returns:
            Its record.
        """
        at = self.position
        if at.epoch != number:
            at = self.position = Position(number, self.step_count)
        began = time.perf_counter() - at.seconds
        steps, size = self.steps(data), self.batch_size
        order = data.order(generator(self.seed, "shuffle", at.epoch_start))
        with data.reader(order[at.done * size :]) as reader:
            while at.done < steps:
                batch = data.batch(order[at.done * size : (at.done + 1) * size], reader)
                self.epoch = number - 1 + at.done / steps
                done = (number - 1) * steps + at.done
                self.training_progress = done / (steps * data.epochs)
                grown = value = None
                if not at.evolved:
                    grown, value = self._evolve_if_due(done, steps, data.epochs, batch)
                if grown is not None:
                    at.evolved = value is None
                    self.notify(data.callbacks, "on_evolution", grown)
                if value is None:
                    value = self.training_step.update(batch, self.epoch, self.epochs)
                at.total += value * batch.total_weight
                at.done, at.evolved, at.seconds = at.done + 1, False, time.perf_counter() - began
                self.notify(data.callbacks, "on_step_end", value)
        self.epoch = float(number)
        rate = self.optimizer.rule(self.step_count, number - 1, self.epochs).learning_rate
        return {
            "epoch": number,
            "loss": at.total / max(data.total_weight(data.rows), 1e-300),
            "learning_rate": rate,
            "connections": self.net.n_connections,
            "seconds": time.perf_counter() - began,
        }


class ParallelTraining(Protocol):
    """A way to spread a call of fit over workers; see trulysparse.parallel."""

    def check_start(self, position: Position) -> None:
        """InputError where it cannot go on from a checkpoint."""

    def train(self, loop: TrainingLoop, data: FitData) -> History:
        """Trains loop.net on the data, from loop.position on, and returns one record per epoch."""
