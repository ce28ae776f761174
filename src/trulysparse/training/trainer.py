"""The training loop: data -> forward -> loss -> backward with update -> (now and then) evolution."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from trulysparse import _checks, losses, memory
from trulysparse._arrays import Floats
from trulysparse._random import generator, stream_key
from trulysparse.data import Matrix, check_finite
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution
from trulysparse.evolution.evolution import Round, require_tiled
from trulysparse.layers import Signal, Slots
from trulysparse.losses import Loss
from trulysparse.network import SparseMLP, sample_weights
from trulysparse.optimizers import SGD, Optimizer
from trulysparse.training.callbacks import Callback, started
from trulysparse.training.history import History, Record
from trulysparse.training.job import Batch, Job, Parallel
from trulysparse.training.metrics import check_lengths, evaluate
from trulysparse.training.passes import Passes, accumulated, require_finite, total_weight
from trulysparse.training.position import Position
from trulysparse.training.state import LayerWatch, check_layers, check_slots


class Trainer:
    """Trains one network.

    optimizer: SGD or Adam. loss: None for the one of the network's output activation. evolution: how the topology
    changes, or None (it stays). batch_size: samples an update. dropout: share of hidden activations dropped, in [0,
    1). seed: of shuffling, dropout and evolution; the same bits whatever `threads` (None: the network's). parallel: how
    fit spreads over workers, WASAP or WASSP, or None: this process trains alone, with `threads` threads. slots:
    optimizer state of an earlier trainer to go on with, or None: zero. micro_batch_size:
    take so many samples of a batch at a time and add their gradients up, an array along the connections, before the
    update; None: all at once. recompute: keep each recompute-th layer's activations only, and compute those between
    again on the way back (a third more time; 1: keep all).

    Attributes: step_count, updates so far; epoch, epochs so far (what schedules see; set it in loops of your
    own); epochs, of the call of fit in progress, or None; position, where in it; progress, the share of it that is
    over; stop, set by callbacks to end fit."""

    def __init__(
        self,
        net: SparseMLP,
        *,
        optimizer: Optimizer | None = None,
        loss: Loss | str | None = None,
        evolution: Evolution | None = None,
        batch_size: int = 128,
        dropout: float = 0.0,
        seed: int = 0,
        threads: int | None = None,
        callbacks: Sequence[Callback] = (),
        parallel: Parallel | None = None,
        slots: list[Slots] | None = None,
        micro_batch_size: int | None = None,
        recompute: int = 1,
    ) -> None:
        self.net = net
        self.optimizer: Optimizer = SGD() if optimizer is None else optimizer
        self.loss = losses.make(loss, net.output)
        self.evolution = evolution
        self.batch_size = _checks.integer("batch_size", batch_size, low=1)
        self.micro_batch_size = self.batch_size
        if micro_batch_size is not None:
            self.micro_batch_size = _checks.integer("micro_batch_size", micro_batch_size, low=1, high=self.batch_size)
        self.recompute = _checks.integer("recompute", recompute, low=1)
        self.dropout = _checks.real("dropout", dropout, low=0, high=1, high_open=True)
        self.seed = _checks.integer("seed", seed, low=0)
        self.threads = net.threads if threads is None else _checks.thread_count(threads)
        self.callbacks = tuple(callbacks)
        if evolution is not None and net.layout.compact:
            require_tiled(evolution)
        if evolution is not None and evolution.needs_gradient and self.micro_batch_size < self.batch_size:
            raise InputError(
                f"micro_batch_size must be None where evolution={type(evolution).__name__} looks at the gradients of a "
                "whole batch; choose a smaller batch_size"
            )
        if parallel is not None and net.layout.compact:
            raise InputError("parallel training needs a network with storage='indexed'; see net.indexed()")
        self.parallel = parallel
        memory.require(
            memory.training_bytes(
                net.layer_sizes,
                net.n_connections,
                self.micro_batch_size,
                self.optimizer.slots,
                net.layout,
                state=self.optimizer.state,
                every=self.recompute,
            ),
            f"training at batch_size={self.batch_size}",
            "choose a smaller batch_size or micro_batch_size, or recompute activations (recompute=3)",
        )
        self.step_count = 0
        self.epoch = 0.0
        self.stop = False
        self.on_resize: Callable[[Sequence[NDArray[np.bool_]]], None] | None = None
        self.epochs: int | None = None
        self.progress = 0.0
        self.position = Position()
        self._listening: Sequence[Callback] = ()
        self.memory: dict[str, Any] = {}  # of evolution, by layer
        self._passes = Passes(net, self.loss, self.threads, self.recompute)
        self._watch = LayerWatch()
        self._slots: list[Slots] = []
        self.state_given = slots is not None
        if slots is None:
            self.reset_state()
        else:
            self.take_slots(slots)

    @property
    def slots(self) -> list[Slots]:
        """Optimizer state of each layer. Of layers that were changed without it (replaced, pruned) it is zero."""
        self._notice()
        return self._slots

    def _notice(self) -> None:
        """Brings state and memory in line with layers that others have changed."""
        net, watch = self.net, self._watch
        if watch.unchanged(net, self.optimizer):
            return
        check_layers(net)
        stale = set(watch.stale(net, self._slots, self.optimizer))
        self._slots = [
            layer.new_slots(self.optimizer) if number in stale else self._slots[number]
            for number, layer in enumerate(net.layers)
        ]
        if stale or self._passes.sizes != net.layer_sizes:
            self.resize()
        watch.note(net, self._slots, self.optimizer)

    def resize(self, stays: Sequence[NDArray[np.bool_]] = ()) -> None:
        """Takes note that the network's layers have another number of neurons (its optimizer state, in `slots`, has
        been brought along): memory for activations is made anew, what evolution remembers of single connections is
        forgotten. stays: marks of the hidden neurons that are still there, for `on_resize`, where someone has set
        it."""
        self._passes.resize()
        for kept in self.memory.values():
            if isinstance(kept, dict):
                for name in [name for name, value in kept.items() if isinstance(value, np.ndarray)]:
                    del kept[name]
        if self.on_resize is not None:
            self.on_resize(stays)

    def reset_state(self) -> None:
        """Sets the optimizer's state to zero."""
        self.resize()
        self._slots = [layer.new_slots(self.optimizer) for layer in self.net.layers]
        self._watch.note(self.net, self._slots, self.optimizer)

    def take_slots(self, slots: list[Slots]) -> None:
        """Goes on with optimizer state from elsewhere, for the network's layers as they are now."""
        check_slots(self.net, slots, self.optimizer)
        self.resize()
        self._slots = list(slots)
        self._watch.note(self.net, self._slots, self.optimizer)

    # ---- one update ----

    def step(self, X_batch: Any, y_batch: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """One update on the given samples; returns their (weighted) mean loss before it.

        X_batch: (n, n_inputs). y_batch: labels (n,) or targets (n, n_outputs). sample_weight: (n,) or None.
        """
        matrix, targets, weight = self._checked(X_batch, y_batch, sample_weight)
        return self._step((matrix, np.arange(matrix.n_samples), targets, weight))

    def gradients(
        self, X_batch: Any, y_batch: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, list[tuple[sp.csr_array, Floats]]]:
        """The loss and, layer by layer, its gradient: a csr_array (n_out, n_in) over the connections and an
        array (n_out,) over the biases. Parameters stay as they are; without dropout."""
        matrix, targets, weight = self._checked(X_batch, y_batch, sample_weight)
        self._notice()
        batch = matrix, np.arange(matrix.n_samples), targets, weight
        value, found = accumulated(self._passes, batch, self.micro_batch_size, 0.0, 0)
        pairs = zip(self.net.layers, found, strict=True)
        return value, [(layer.to_csr(layer.in_order(weights)), bias) for layer, (weights, bias) in pairs]

    def check_batch(self, X_batch: Any, y_batch: ArrayLike) -> None:
        """InputError where `step` and `gradients` could not take these samples."""
        self._checked(X_batch, y_batch, None)

    def _checked(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, names: tuple[str, str] = ("X", "y")
    ) -> tuple[Matrix, NDArray[Any], NDArray[np.float64] | None]:
        matrix = self.net.matrix(X, names[0])
        targets = self.loss.check_targets(y, self.net.layer_sizes[-1], self.net.dtype)
        check_lengths(matrix.n_samples, len(targets), *names)
        return matrix, targets, sample_weights(sample_weight, matrix.n_samples)

    def _step(self, batch: Batch) -> float:
        """One update."""
        self._notice()
        rule = self.optimizer.rule(self.step_count, self.epoch, self.epochs)
        key = stream_key(self.seed, "step", self.step_count)
        if len(batch[1]) <= self.micro_batch_size:
            signals, value = self._forward(batch)
            self._passes.update(signals, self._slots, rule, key)
        else:
            value, found = accumulated(
                self._passes, batch, self.micro_batch_size, self.dropout, self._dropout_key(), step=self.step_count
            )
            self._passes.apply(found, self._slots, rule, key)
        self.step_count += 1
        return value

    def _dropout_key(self) -> int:
        return stream_key(self.seed, "dropout", self.step_count) if self.dropout else 0

    def _forward(self, batch: Batch) -> tuple[list[Signal], float]:
        """The forward pass of an update; DivergenceError where its loss is not finite."""
        signals, value = self._passes.forward(batch, 1.0 - self.dropout, self._dropout_key())
        require_finite(value, self.step_count)
        return signals, value

    # ---- evolution ----

    def evolve(self, X_batch: Any = None, y_batch: ArrayLike | None = None) -> int:
        """Evolves the topology now (in loops of your own); returns how many connections came. Methods that look at
        gradients (RigL and its like) need a batch, and take its gradient in place of an update."""
        if self.evolution is None:
            raise InputError("evolution must be given to the Trainer (for example ts.SET()) to evolve")
        if not self.evolution.needs_gradient:
            return self._evolve()
        if X_batch is None or y_batch is None:
            raise InputError(f"{type(self.evolution).__name__} looks at gradients: evolve needs X_batch and y_batch")
        matrix, targets, _ = self._checked(X_batch, y_batch, None)
        return self._growth_step((matrix, np.arange(matrix.n_samples), targets, None))[1]

    def _evolve_if_due(self, done: int, steps: int, epochs: int, batch: Batch) -> tuple[int | None, float | None]:
        """(connections that came, or None where nothing was due; the batch's loss where it served for gradients)."""
        if self.evolution is None or not self.evolution.due(done, steps, steps * epochs):
            return None, None
        if not self.evolution.needs_gradient:
            return self._evolve(), None
        value, grown = self._growth_step(batch)
        return grown, value

    def _start_evolution(self) -> Round:
        assert self.evolution is not None
        self._notice()
        key = stream_key(self.seed, "evolution", self.step_count)
        return self.evolution.start(
            self.net, self._slots, key=key, threads=self.threads, progress=self.progress, memory=self.memory
        )

    def _evolve(self) -> int:
        current = self._start_evolution()
        total = sum(view.layer.n_connections for view in current.views.values())
        done = grown = 0
        for number, view in current.views.items():
            done += view.layer.n_connections
            if number >= self.position.evolved_layers:  # those before have evolved before a break
                grown += current.layer(number)
                self.position.evolved_layers = number + 1
                self.tell("evolving", done, total)
        self.position.evolved_layers = 0
        self._watch.note(self.net, self._slots, self.optimizer)
        return grown

    def tell(self, what: str, done: float, total: float) -> None:
        """Tells the callbacks of fit how far long work is; see trulysparse.progress."""
        for callback in self._listening:
            callback.on_progress(self, what, done, total)

    def _growth_step(self, batch: Batch) -> tuple[float, int]:
        """An evolution with gradients in the place of an update: (loss, connections that came)."""
        current = self._start_evolution()
        signals, value = self._forward(batch)
        grown = 0
        for number in self._passes.downwards(signals):
            layer, x, dy = self.net.layers[number], signals[number], signals[number + 1].values
            evolves = number in current.views
            if evolves:
                current.look(number, x.values, dy)
            if number:  # with the connections that made the signals
                layer.input_gradient(dy, x, x.values, self.threads)
            if evolves:
                grown += current.carry_out(number)
        self._watch.note(self.net, self._slots, self.optimizer)
        self.step_count += 1
        return value, grown

    # ---- many updates ----

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        epochs: int,
        validation_data: tuple[Any, ArrayLike] | None = None,
        sample_weight: ArrayLike | None = None,
        callbacks: Sequence[Callback] = (),
        shuffle: bool = True,
        start: Position | None = None,
    ) -> History:
        """Trains for `epochs` passes over the samples, each in a fresh order, the last partial batch included.

        X: (n_samples, n_inputs), NumPy of any numeric type, SciPy sparse, memory map or DataFrame, converted
        batch by batch. y: labels or targets, see the loss. validation_data: (X, y), scored after each epoch.
        callbacks: in addition to the trainer's own. Each call is a training of its own: learning rates and evolution
        schedules begin anew, and what evolution remembers is forgotten; weights, optimizer state and step_count go on.
        start: where an earlier call was broken off (its trainer.position,
        kept in a checkpoint), to go on with the same bits. Raises InputError for unusable data, DivergenceError where
        the loss stops being finite.
        """
        _checks.integer("epochs", epochs, low=1)
        matrix, targets, weight = self._checked(X, y, sample_weight)
        if not matrix.streamed:
            check_finite(matrix)
        validation = None
        if validation_data is not None:
            validation = self._checked(*validation_data, None, names=("validation X", "validation y"))[:2]
        job = Job(
            matrix,
            targets,
            weight,
            np.arange(matrix.n_samples),
            epochs,
            shuffle,
            validation,
            (*self.callbacks, *callbacks),
        )
        if start is not None and self.parallel is not None:
            raise InputError("start is for training that is not parallel")
        for callback in job.callbacks:
            callback.check(self, job)
        self._notice()
        self.stop, self.epochs, self._listening = False, epochs, job.callbacks
        self.position = start or Position(epoch_start=self.step_count)
        if start is None:
            self.epoch, self.memory = 0.0, {}
        try:
            return self._fit(job) if self.parallel is None else self.parallel.fit(self, job)
        finally:
            self.epochs, self.progress, self._listening = None, 0.0, ()

    def _fit(self, job: Job) -> History:
        history = History(list(self.position.records))
        with started(job.callbacks, self, job.epochs, self.steps(job)):
            while self.position.epoch <= job.epochs:
                number = self.position.epoch
                self.end_epoch(job, history, self.run_epoch(job, number))
                self.position = Position(number + 1, self.step_count, records=list(history.records))
                if self.stop:
                    break
        return history

    def end_epoch(self, job: Job, history: History, record: Record) -> None:
        """Validates, adds the record to the history and tells the callbacks."""
        if job.validation is not None:
            scores = evaluate(self.net, *job.validation, loss=self.loss)
            record.update({f"val_{name}": value for name, value in scores.items()})
        history.records.append(record)
        for callback in job.callbacks:
            callback.on_epoch_end(self, record)

    def steps(self, job: Job) -> int:
        """Updates an epoch."""
        return -(-len(job.rows) // self.batch_size)

    def run_epoch(self, job: Job, number: int) -> Record:
        """Epoch `number` (from 1) of job.epochs: every sample once, in a fresh order; from self.position on, where that
        is in this epoch."""
        at = self.position
        if at.epoch != number:
            at = self.position = Position(number, self.step_count)
        began = time.perf_counter() - at.seconds
        steps, size = self.steps(job), self.batch_size
        order = job.order(generator(self.seed, "shuffle", at.epoch_start))
        with job.matrix.reader(order[at.done * size :]) as reader:
            while at.done < steps:
                batch = job.batch(order[at.done * size : (at.done + 1) * size], reader)
                self.epoch = number - 1 + at.done / steps
                done = (number - 1) * steps + at.done
                self.progress = done / (steps * job.epochs)
                grown = value = None
                if not at.evolved:
                    grown, value = self._evolve_if_due(done, steps, job.epochs, batch)
                if grown is not None:
                    at.evolved = value is None
                    for callback in job.callbacks:
                        callback.on_evolution(self, grown)
                if value is None:
                    value = self._step(batch)
                at.total += value * total_weight(batch)
                at.done, at.evolved, at.seconds = at.done + 1, False, time.perf_counter() - began
                for callback in job.callbacks:
                    callback.on_step_end(self, value)
        self.epoch = float(number)
        rate = self.optimizer.rule(self.step_count, number - 1, self.epochs).learning_rate
        return {
            "epoch": number,
            "loss": at.total / max(job.total_weight(job.rows), 1e-300),
            "learning_rate": rate,
            "connections": self.net.n_connections,
            "seconds": time.perf_counter() - began,
        }
