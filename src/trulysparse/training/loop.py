"""The epochs of a training: batches in a fresh order, evolution when it is due, validation, callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.random import generator
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution
from trulysparse.nn.layers.indexed import OptimizerState
from trulysparse.nn.losses import Loss
from trulysparse.nn.network import SparseMLP
from trulysparse.optim.sgd import Optimizer
from trulysparse.training.callbacks.base import Callback, started
from trulysparse.training.fit_data import Batch, FitData
from trulysparse.training.history import History, Record
from trulysparse.training.metrics import evaluate
from trulysparse.training.options import TrainingOptions
from trulysparse.training.position import Position
from trulysparse.training.step import TrainingStep
from trulysparse.training.topology import TopologyEvolution


def _of(where: str, name: str) -> Any:
    """An attribute that is another object's."""
    return property(
        lambda self: getattr(getattr(self, where), name), lambda self, value: setattr(getattr(self, where), name, value)
    )


class TrainingLoop:
    """Trains the network of a TrainingStep in epochs.

    evolution: how the topology changes, or None (it stays). batch_size: samples per update.

    Attributes: step_count, updates so far; epoch, epochs so far (what schedules see); epochs, of the call of fit in
    progress, or None; position, where in it; progress, the share of it that is over; stop, set by callbacks to end fit;
    on_resize, called with marks of the hidden neurons that are still there when neurons were removed."""

    optimizer: Optimizer = _of("training_step", "optimizer")
    step_count: int = _of("training_step", "count")
    seed: int = _of("training_step", "seed")
    net: SparseMLP = _of("_passes", "net")
    loss: Loss = _of("_passes", "loss")
    threads: int = _of("_passes", "threads")
    dropout: float = _of("_passes", "dropout")
    recompute: int = _of("_passes", "recompute")
    micro_batch_size: int | None = _of("_passes", "micro_batch_size")

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
        self.progress = 0.0
        self.stop = False
        self.position = Position()
        self.on_resize: Callable[[Sequence[NDArray[np.bool_]]], None] | None = None
        self._listening: Sequence[Callback] = ()
        training_step.on_change = self._forget_connections

    # ---- options ----

    @property
    def options(self) -> TrainingOptions:
        """What this training depends on, for workers that share it."""
        return TrainingOptions(**{each.name: getattr(self, each.name) for each in fields(TrainingOptions)})

    @staticmethod
    def with_options(net: SparseMLP, options: TrainingOptions, *, threads: int | None = None) -> TrainingLoop:
        """A loop that trains `net` with the options of another."""
        step = TrainingStep(net, options.optimizer, seed=options.seed, threads=threads, **options.for_passes())
        return TrainingLoop(step, evolution=options.evolution, batch_size=options.batch_size)

    # ---- optimizer state and evolution's memory ----

    @property
    def evolution(self) -> Evolution | None:
        """How the topology changes, or None (it stays)."""
        return None if self._topology is None else self._topology.method

    @evolution.setter
    def evolution(self, method: Evolution | None) -> None:
        state = self.evolution_state
        self._topology = None if method is None else TopologyEvolution(method, self.training_step)
        self.evolution_state = state

    @property
    def evolution_state(self) -> dict[str, Any]:
        """What evolution remembers, by layer."""
        return {} if self._topology is None else self._topology.evolution_state

    @evolution_state.setter
    def evolution_state(self, state: dict[str, Any]) -> None:
        if self._topology is not None:
            self._topology.evolution_state = state

    @property
    def optimizer_state(self) -> list[OptimizerState]:
        """Optimizer state of each layer. Of layers that were changed without it (replaced, pruned) it is zero."""
        return self.training_step.optimizer_state

    def resize(self, stays: Sequence[NDArray[np.bool_]] = ()) -> None:
        """Takes note of what a callback did to the network: layers may have another number of neurons. stays: marks of
        the hidden neurons that are still there, which workers need to know to go on with their batches."""
        self.training_step.notice()
        self._forget_connections()
        if self.on_resize is not None:
            self.on_resize(stays)

    def reset_state(self) -> None:
        """Sets the optimizer's state to zero."""
        self.training_step.reset_state()
        self._forget_connections()

    def set_optimizer_state(self, optimizer_state: Sequence[OptimizerState]) -> None:
        """Goes on with optimizer state from elsewhere, for the network's layers as they are now."""
        self.training_step.set_optimizer_state(optimizer_state)
        self._forget_connections()

    def _forget_connections(self) -> None:
        if self._topology is not None:
            self._topology.forget_connections()

    # ---- evolution ----

    def evolve_now(self, batch: Batch | None = None) -> int:
        """Evolves the topology; returns how many connections came. batch: for methods that look at gradients."""
        if self._topology is None:
            raise InputError("evolution must be given to the Trainer (for example ts.SET()) to evolve")
        if not self._topology.method.needs_gradient:
            return self._topology.evolve(self.progress, self.position, self.tell)
        if batch is None:
            name = type(self._topology.method).__name__
            raise InputError(f"{name} looks at gradients: evolve needs X_batch and y_batch")
        return self._topology.evolve_on(batch, self.progress)[0]

    def _evolve_if_due(self, done: int, steps: int, epochs: int, batch: Batch) -> tuple[int | None, float | None]:
        """(connections that came, or None where nothing was due; the batch's loss where it served for gradients)."""
        topology = self._topology
        if topology is None or not topology.method.due(done, steps, steps * epochs):
            return None, None
        if topology.method.needs_gradient:
            return topology.evolve_on(batch, self.progress)
        return topology.evolve(self.progress, self.position, self.tell), None

    # ---- callbacks ----

    def tell(self, what: str, done: float, total: float) -> None:
        """Tells the callbacks of fit how far long work is; see trulysparse._core.progress."""
        self.notify(self._listening, "on_progress", what, done, total)

    def notify(self, callbacks: Sequence[Callback], hook: str, *arguments: Any) -> None:
        """Calls a hook of each callback."""
        for callback in callbacks:
            getattr(callback, hook)(self, *arguments)

    # ---- epochs ----

    def run(self, data: FitData, start: Position | None = None) -> History:
        """Trains for data.epochs epochs. start: where an earlier run was broken off."""
        return self._session(data, start, lambda: self._run(data))

    def _session(self, data: FitData, start: Position | None, train: Callable[[], History]) -> History:
        """What every training begins and ends with."""
        self.notify(data.callbacks, "check", data)
        self.training_step.notice()
        self.stop, self.epochs, self._listening = False, data.epochs, data.callbacks
        self.position = start or Position(epoch_start=self.step_count)
        if start is None:
            self.epoch, self.evolution_state = 0.0, {}
        try:
            return train()
        finally:
            self.epochs, self.progress, self._listening = None, 0.0, ()

    def _run(self, data: FitData) -> History:
        history = History(list(self.position.records))
        with started(data.callbacks, self, data.epochs, self.steps(data)):
            while self.position.epoch <= data.epochs:
                number = self.position.epoch
                self.end_epoch(data, history, self.run_epoch(data, number))
                self.position = Position(number + 1, self.step_count, records=list(history.records))
                if self.stop:
                    break
        return history

    def end_epoch(self, data: FitData, history: History, record: Record) -> None:
        """Validates, adds the record to the history and tells the callbacks."""
        if data.validation is not None:
            scores = evaluate(self.net, *data.validation, loss=self.loss)
            record.update({f"val_{name}": value for name, value in scores.items()})
        history.records.append(record)
        self.notify(data.callbacks, "on_epoch_end", record)

    def steps(self, data: FitData) -> int:
        """Updates per epoch."""
        return -(-len(data.rows) // self.batch_size)

    def run_epoch(self, data: FitData, number: int) -> Record:
        """Epoch `number` (from 1) of data.epochs: every sample once, in a fresh order; from self.position on, where
        that is in this epoch."""
        at = self.position
        if at.epoch != number:
            at = self.position = Position(number, self.step_count)
        began = time.perf_counter() - at.seconds
        steps, size = self.steps(data), self.batch_size
        order = data.order(generator(self.seed, "shuffle", at.epoch_start))
        with data.matrix.reader(order[at.done * size :]) as reader:
            while at.done < steps:
                batch = data.batch(order[at.done * size : (at.done + 1) * size], reader)
                self.epoch = number - 1 + at.done / steps
                done = (number - 1) * steps + at.done
                self.progress = done / (steps * data.epochs)
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

    def train(self, loop: TrainingLoop, data: FitData) -> History:
        """Trains loop.net on the data."""
