"""The parameter server of phase 1: hands out batches, applies gradients, evolves the topology. Safe to call from many
threads; it does not know where workers run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse._kernels import SharedLock
from trulysparse.optim import SGD
from trulysparse.optim.schedules import make_schedule, scaled
from trulysparse.parallel.config import ParallelConfig, Span, SynchronousConfig
from trulysparse.parallel.gradient import Gradient, Marks, Topology, retain
from trulysparse.parallel.server.locks import SharedLayer, reading, writing
from trulysparse.parallel.server.scheduler import BatchScheduler
from trulysparse.parallel.server.statistics import EpochStatistics
from trulysparse.parallel.shards import BatchId
from trulysparse.parallel.worker import ModelSnapshot
from trulysparse.training.history import Record
from trulysparse.training.loop import TrainingLoop


@dataclass
class _PendingUpdate:
    """Layers that an update has not reached yet: (weights, biases, factor) of each gradient."""

    rule: _kernels.UpdateRule
    parts: dict[int, list[tuple[Floats, Floats, float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class _EpochBoundary:
    """What an update makes due: the end of an epoch, with its record, an evolution, or both."""

    record: Record | None
    evolves: bool


class Server:
    """Holds the network and its optimizer state, in a TrainingLoop.

    batches: of each shard, a pass. span: the epochs of this phase, of `epochs` in all. end_epoch: called with each
    epoch's record while no gradient is applied, before the topology evolves. evolved: called with the number of new
    connections when it has. keep: called after that, at an epoch's end, with `state()`. first_version: of the topology.
    n_updates: updates of this phase so far.
    """

    def __init__(
        self,
        trainer: TrainingLoop,
        config: ParallelConfig,
        batches: Sequence[int],
        span: Span,
        epochs: int,
        end_epoch: Callable[[Record], None],
        evolved: Callable[[int], None],
        keep: Callable[[dict[str, Any]], None] | None = None,
        first_version: int = 0,
    ) -> None:
        self.trainer = trainer
        self.config = config
        self._scheduler = BatchScheduler(batches, span[0], span[1] - span[0], config.synchronous)
        self.steps = self._scheduler.steps
        self.total = (span[1] - span[0]) * self.steps
        self.epochs = epochs
        self.n_updates = 0
        self.stopped = False
        self._first = span[0]
        self._end_epoch = end_epoch
        self._evolved = evolved
        self._keep = keep
        self._first_version = first_version
        self._optimizer = trainer.optimizer
        if isinstance(config, SynchronousConfig):
            rate = scaled(make_schedule(trainer.optimizer.learning_rate), len(batches), config.warmup_epochs)
            self._optimizer = replace(trainer.optimizer, learning_rate=rate)
        self._rate = 0.0
        self._state = threading.Condition()
        self._topology = SharedLock()
        self._locks = [SharedLock() for _ in trainer.net.layers]
        self._seen: dict[int, int] = {}  # version of the topology by worker
        self._incarnations: dict[int, int] = {}
        self._pending: dict[int, _PendingUpdate] = {}
        self._closing = False
        self._gathered: dict[int, Gradient] = {}
        self._accepted: list[Gradient] = []  # and not applied yet: whoever leaves, their topologies are still needed
        self._history: list[Topology] = []
        self._statistics = EpochStatistics()
        trainer.on_resize = self._note_removed
        self._publish()

    # ---- what workers call ----

    def join(self, worker: int) -> None:
        """A worker is there; where it is new, shards are dealt out anew."""
        with self._state:
            self._scheduler.join(worker)
            self._state.notify_all()

    def leave(self, worker: int) -> None:
        """A worker is gone; others take over its shards."""
        with self._state:
            self._scheduler.leave(worker)
            self._seen.pop(worker, None)
            self._state.notify_all()

    def pull(self, worker: int, incarnation: int = 0, *, wait: bool = True) -> tuple[BatchId, ModelSnapshot] | None:
        """The next batch and the model to compute its gradient on, or None: the phase is over. Waits where workers go
        in step, and at the end for those who are not done: one might die, and leave its batch to do. incarnation: another
        one than before says that the worker has been started anew; what its former self still waits for is off."""
        with self._state:
            self._scheduler.rest(worker)
            if self._incarnations.setdefault(worker, incarnation) != incarnation:
                self._incarnations[worker] = incarnation
                self._state.notify_all()
            while not self._finished() and self._incarnations[worker] == incarnation:
                batch_id = None if self._closing else self._scheduler.next_batch(worker, self.n_updates)
                if batch_id is not None:
                    model = self.model
                    self._seen[worker] = model.version
                    return batch_id, ModelSnapshot(model.version, self.n_updates, model.layers)
                self.settle(worker)
                if not wait:
                    return None
                self._state.wait()
            self._state.notify_all()
            return None

    def push(self, worker: int, gradient: Gradient, *, finish: bool = True) -> bool:
        """Takes a gradient, and applies it at once or, where workers go in step, with the others'. False: it was not
        expected (a batch that has been done before) and is ignored. finish: wait for layers that someone is reading;
        else they are left to `settle`, until which the gradient's arrays must stay as they are."""
        batch_id, scheduler = gradient.batch_id, self._scheduler
        with self._state:
            known = self._history[0].version <= gradient.version <= self._history[-1].version
            if (
                self.stopped
                or not known
                or not scheduler.knows(worker)
                or scheduler.next_in_shard(batch_id.shard) != batch_id
            ):
                return False
            scheduler.accept(worker, batch_id)
            self._accepted.append(gradient)
            ready = [gradient]
            if self.config.synchronous:
                self._gathered[batch_id.shard] = gradient
                if len(self._gathered) < scheduler.wanted(self.n_updates):
                    return True
                ready = [self._gathered[shard] for shard in sorted(self._gathered)]
        try:
            self._pending[worker] = self._apply(ready)
        finally:
            with self._state:
                self._accepted = [held for held in self._accepted if held not in ready]
        due = self._count(ready)
        if finish or self.config.synchronous or due:
            self.settle(worker)
        if due:
            self._evolve(due)
        return True

    def settle(self, worker: int) -> None:
        """Finishes what the worker's last push has left. Until then nothing evolves."""
        left = self._pending.pop(worker, None)
        if left is None:
            return
        try:
            for number, parts in left.parts.items():
                self._locks[number].acquire()
                self._update(number, parts, left.rule)
        finally:
            self._topology.release_shared()

    def stop(self) -> None:
        """Ends the phase as soon as workers ask again."""
        with self._state:
            self.stopped = True
            self._state.notify_all()

    # ---- coming back ----

    def state(self) -> dict[str, Any]:
        """What, beside the trainer's state, is needed to go on from the end of an epoch, or from a little later: by the
        time it is kept, updates of the next one may have been counted."""
        return {
            "n_updates": self.n_updates,
            "positions": self._scheduler.counted(),
            "rate": self._rate,
            "tally": self._statistics.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Goes on from there, before the first worker asks."""
        self.n_updates, self._rate = state["n_updates"], state["rate"]
        self._scheduler.positions = list(state["positions"])
        self._statistics = EpochStatistics(state["tally"])

    def snapshot(self, model: ModelSnapshot) -> list[tuple[Floats, Floats]]:
        """Copies of each layer's weights and biases, none in the middle of an update."""
        found = []
        for layer, lock in zip(model.layers, self._locks, strict=True):
            with reading(lock):
                found.append((layer.values.copy(), layer.bias.copy()))
        return found

    # ---- updates ----

    def _finished(self) -> bool:
        return self.stopped or self.n_updates >= self.total

    def _rule(self) -> _kernels.UpdateRule:
        """The rule of the next update; momentum follows the learning rate (Goyal et al. 2017, section 3)."""
        trainer = self.trainer
        epoch = self._first + self.n_updates / self.steps
        rule = self._optimizer.rule(trainer.state_updates, epoch, self.epochs)
        if self.config.momentum_correction and isinstance(trainer.optimizer, SGD) and self._rate > 0:
            rule.momentum *= rule.learning_rate / self._rate
        self._rate = rule.learning_rate
        return rule

    def _apply(self, gradients: Sequence[Gradient]) -> _PendingUpdate:
        """Updates all layers that nobody reads at the moment; returns the others for `settle`."""
        trainer = self.trainer
        samples = sum(gradient.n_samples for gradient in gradients)
        self._topology.acquire_shared()
        try:
            with self._state:
                rule = self._rule()
                factors = [gradient.n_samples / samples for gradient in gradients]
                if self.config.staleness_aware:
                    factors = [
                        f / max(1, self.n_updates - g.n_updates) for f, g in zip(factors, gradients, strict=True)
                    ]
            left, dropped = _PendingUpdate(rule), 0
            for number in reversed(range(len(trainer.net.layers))):
                parts = []
                for gradient, factor in zip(gradients, factors, strict=True):
                    weight, bias, gone = retain(gradient, number, self._since(gradient.version), 1)
                    parts.append((weight, bias, factor))
                    dropped += gone
                if self._locks[number].try_acquire():
                    self._update(number, parts, rule)
                else:
                    left.parts[number] = parts
            with self._state:
                self._statistics.dropped += dropped
            return left
        except BaseException:
            self._topology.release_shared()
            raise

    def _update(self, number: int, parts: list[tuple[Floats, Floats, float]], rule: _kernels.UpdateRule) -> None:
        """Updates a layer whose lock is held, and gives the lock back."""
        try:
            self.trainer.net.layers[number].update(parts, self.trainer.optimizer_state[number], rule, 1)
        finally:
            self._locks[number].release()

    def _since(self, version: int) -> list[Topology]:
        return self._history[version - self._history[0].version :]

    def _count(self, gradients: Sequence[Gradient]) -> _EpochBoundary | None:
        """Counts one update; what is due after it."""
        trainer = self.trainer
        with self._state:
            for gradient in gradients:
                self._statistics.add(gradient, self.n_updates)
                self._scheduler.count(gradient.batch_id)
            self._gathered.clear()
            self.n_updates += 1
            done = self._first * self.steps + self.n_updates
            trainer.step_count += 1
            trainer.epoch = done / self.steps
            trainer.training_progress = done / (self.steps * self.epochs)
            record = None
            if self.n_updates % self.steps == 0:
                record = self._statistics.record(done // self.steps, self._rate, trainer.net.n_connections)
                self._statistics = EpochStatistics()
            evolution = trainer.evolution
            # After the last update of the phase, each worker evolves for itself.
            evolves = evolution is not None and evolution.due(done, self.steps, self.steps * self.epochs)
            evolves = evolves and self.n_updates < self.total
            due = _EpochBoundary(record, evolves) if evolves or record is not None else None
            self._closing = self.config.synchronous and due is not None
            if due is None:
                self._state.notify_all()
            return due

    def _evolve(self, due: _EpochBoundary) -> None:
        """Ends an epoch, evolves the topology, or both, while no gradient is applied."""
        trainer = self.trainer
        with writing(self._topology):
            if due.record is not None:
                self._end_epoch(due.record)
            if due.evolves and not trainer.stop:
                self._evolved(trainer.evolve_now())
            self._publish()
            if due.record is not None and self._keep is not None:
                self._keep(self.state())
        with self._state:
            self._closing = False
            self.stopped = self.stopped or trainer.stop
            self._state.notify_all()

    # ---- topology ----

    def _publish(self) -> None:
        """Shows workers the layers as they are now, under a new version where arrays have been replaced."""
        layers, _ = self.trainer.net.layers, self.trainer.optimizer_state  # the state of layers that a callback changed
        if self._history and all(
            shown.values is layer.values and shown.bias is layer.bias and shown.connectivity is layer.connectivity
            for shown, layer in zip(self.model.layers, layers, strict=True)
        ):
            return
        shared = [SharedLayer(layer, lock) for layer, lock in zip(layers, self._locks, strict=True)]
        with self._state:
            version = self._history[-1].version + 1 if self._history else self._first_version
            self.model: ModelSnapshot = ModelSnapshot(version, self.n_updates, list(shared))
            self._history.append(Topology(version, [layer.connectivity for layer in layers]))
            oldest = min([version, *self._seen.values(), *(gradient.version for gradient in self._accepted)])
            while self._history[0].version < oldest:
                del self._history[0]

    def _note_removed(self, stays: Sequence[Marks]) -> None:
        """Hidden neurons have gone since the last version."""
        if not stays:
            return
        before = self._history[-1].stays
        if before is not None:
            combined = []
            for first, second in zip(before, stays, strict=True):
                marks = first.copy()
                marks[first] = second
                combined.append(marks)
            stays = combined
        self._history[-1].stays = [np.asarray(marks, np.bool_) for marks in stays]
