"""The parameter server of phase 1: gives out batches, applies gradients, evolves the topology. It may be called from
many threads and does not depend on where workers run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trulysparse._core.arrays import Floats
from trulysparse._kernels import SharedLock
from trulysparse.parallel.config import ParallelConfig, Span
from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.server.locks import SharedLayer, reading, writing
from trulysparse.parallel.server.scheduler import BatchScheduler
from trulysparse.parallel.server.statistics import EpochStatistics
from trulysparse.parallel.server.topology_history import TopologyHistory
from trulysparse.parallel.server.updates import LayerUpdater, PendingUpdate
from trulysparse.parallel.shards import BatchId
from trulysparse.parallel.worker import ModelSnapshot
from trulysparse.training.history import Record
from trulysparse.training.loop import TrainingLoop


@dataclass(frozen=True)
class _EpochBoundary:
    """What follows an update: the end of an epoch, with its record, an evolution, or both."""

    record: Record | None
    evolves: bool


class Server:
    """Holds the network and its optimizer state, in a TrainingLoop.

    batches: batches of each shard in one pass. span: the epochs of this phase, of `epochs` in all. end_epoch: called
    with each epoch's record while no gradient is applied, before the topology evolves. on_evolution: called with the
    number of new connections after each evolution. save: called with `state()` after that, at the end of each epoch.
    first_version: the number of the first topology. Attributes: n_updates, updates of this phase so far; model, what
    workers get.
    """

    def __init__(
        self,
        trainer: TrainingLoop,
        config: ParallelConfig,
        batches: Sequence[int],
        span: Span,
        epochs: int,
        end_epoch: Callable[[Record], None],
        on_evolution: Callable[[int], None],
        save: Callable[[dict[str, Any]], None] | None = None,
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
        self._on_evolution = on_evolution
        self._save = save
        self._updater = LayerUpdater(trainer, config, len(batches), epochs, self.steps)
        self._state = threading.Condition()
        self._topology = SharedLock()
        self._fetched: dict[int, Gradient] = {}  # what each worker's next gradient is computed on; see snapshot
        self._seen: dict[int, int] = {}  # version of the topology that each worker has
        self._incarnations: dict[int, int] = {}
        self._replaced: set[tuple[int, int]] = set()  # (worker, incarnation) of processes that were restarted
        self._pending: dict[int, PendingUpdate] = {}
        self._closing = False
        self._n_boundaries = 0  # begun and not over
        self._gathered: dict[int, Gradient] = {}
        self._accepted: list[Gradient] = []  # not applied yet; their topologies are needed even if their workers leave
        self._history = TopologyHistory(first_version)
        self._statistics = EpochStatistics()
        trainer.on_resize = self._history.neurons_removed
        self._publish()

    # ---- what workers call ----

    def join(self, worker: int) -> None:
        """Adds a worker; if it is new, shards are assigned again."""
        with self._state:
            self._scheduler.join(worker)
            self._state.notify_all()

    def leave(self, worker: int) -> None:
        """Removes a worker; others take over its shards."""
        with self._state:
            self._scheduler.leave(worker)
            self._seen.pop(worker, None)
            self._fetched.pop(worker, None)
            self._state.notify_all()

    def pull(self, worker: int, incarnation: int = 0, *, wait: bool = True) -> tuple[BatchId, ModelSnapshot] | None:
        """The next batch and the model to compute its gradient on, or None where the phase is over. Waits until there
        is a batch: in synchronous training for the other gradients of an update, and at the end for the other workers'
        last batches, which are given out again if a worker fails. wait: False: return None instead of waiting.
        incarnation: a number that a worker draws when its process starts; a new number means that the process was
        restarted, and calls that the previous process left behind return None."""
        with self._state:
            if (worker, incarnation) in self._replaced:
                return None
            self._scheduler.release(worker)
            earlier = self._incarnations.setdefault(worker, incarnation)
            if earlier != incarnation:
                self._replaced.add((worker, earlier))
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
        """Takes a gradient and applies it, at once or (in synchronous training) together with those of the other
        shards. Returns False where it was not expected (for instance a batch that has been done before) and is ignored.
        finish: wait for layers that are being read; if False, `settle` updates them, and the gradient's arrays must not
        change before."""
        batch_id, scheduler = gradient.batch_id, self._scheduler
        with self._state:
            if (
                self.stopped
                or gradient.version not in self._history
                or not scheduler.knows(worker)
                or scheduler.next_in_shard(batch_id.shard) != batch_id
            ):
                return False
            scheduler.accept(worker, batch_id)
            self._accepted.append(gradient)
            ready = [gradient]
            if self.config.synchronous:
                self._gathered[batch_id.shard] = gradient
                if len(self._gathered) < scheduler.gradients_needed(self.n_updates):
                    return True
                ready = [self._gathered[shard] for shard in sorted(self._gathered)]
        try:
            pending = self._apply(worker, ready)
        finally:
            with self._state:
                self._accepted = [held for held in self._accepted if held not in ready]
        try:
            due = self._count(ready)
        except BaseException:
            self._finish(pending)
            raise
        if finish or self.config.synchronous or due:
            self._finish(pending)
        else:
            self._pending[worker] = pending
        if due:
            self._evolve(due)
        return True

    def settle(self, worker: int) -> None:
        """Finishes the update that the worker's last push began. The topology does not evolve before."""
        if (pending := self._pending.pop(worker, None)) is not None:
            self._finish(pending)

    def stop(self) -> None:
        """Ends the phase: each worker's next call of `pull` returns None."""
        with self._state:
            self.stopped = True
            self._state.notify_all()

    # ---- saving and restoring ----

    def state(self) -> dict[str, Any]:
        """What is needed, beside the trainer's state, to continue from here: the end of an epoch or a little later, as
        updates of the next epoch may have been made before this call."""
        with self._state:
            return {
                "n_updates": self.n_updates,
                "positions": self._scheduler.applied_positions(),
                "statistics": self._statistics.state(),
                **self._updater.state(),
            }

    def resume(self, state: dict[str, Any]) -> None:
        """Continues from a state, before the first worker calls."""
        self.n_updates = state["n_updates"]
        self._updater.resume(state)
        self._scheduler.positions = list(state["positions"])
        self._statistics = EpochStatistics(state["statistics"])

    def snapshot(self, worker: int, batch_id: BatchId, model: ModelSnapshot) -> list[tuple[Floats, Floats]]:
        """Copies of each layer's weights and biases, none in the middle of an update. With delay compensation they are
        kept as what the gradient of this worker's batch is computed on."""
        copies = []
        for layer, lock in zip(model.layers, self._updater.locks, strict=True):
            with reading(lock):
                copies.append((layer.values.copy(), layer.bias.copy()))
        if self.config.delay_compensation:
            weights, biases = [weight for weight, _ in copies], [bias for _, bias in copies]
            self._fetched[worker] = Gradient(batch_id, model.version, model.n_updates, [*weights], biases, 0.0, 0)
        return copies

    # ---- updates ----

    def _finished(self) -> bool:
        return self.stopped or (self.n_updates >= self.total and not self._n_boundaries)

    def _apply(self, worker: int, gradients: Sequence[Gradient]) -> PendingUpdate:
        """Updates all layers that nobody reads at the moment; returns the others for `_finish`."""
        self._topology.acquire_shared()
        try:
            with self._state:
                rules = self._updater.next_rules(self._first + self.n_updates / self.steps)
                factors = self._updater.factors(gradients, self.n_updates)
            histories = [self._history.since(gradient.version) for gradient in gradients]
            fetched = self._fetched.pop(worker, None)
            names = [(each.batch_id, each.version) for each in (fetched, gradients[0]) if each is not None]
            if len(set(names)) > 1:
                fetched = None  # the worker has been restarted, and given another batch since
            pending, dropped = self._updater.apply(gradients, factors, rules, histories, fetched)
            with self._state:
                self._statistics.dropped += dropped
            return pending
        except BaseException:
            self._topology.release_shared()
            raise

    def _finish(self, pending: PendingUpdate) -> None:
        try:
            self._updater.finish(pending)
        finally:
            self._topology.release_shared()

    def _count(self, gradients: Sequence[Gradient]) -> _EpochBoundary | None:
        """Counts one update; returns what has to follow it."""
        trainer, updater = self.trainer, self._updater
        with self._state:
            for gradient in gradients:
                self._statistics.add(gradient, self.n_updates)
                updater.staleness.add(self.n_updates - gradient.n_updates)
                self._scheduler.applied(gradient.batch_id)
            self._gathered.clear()
            self.n_updates += 1
            done = self._first * self.steps + self.n_updates
            trainer.step_count += 1
            trainer.epoch = done / self.steps
            trainer.training_progress = done / (self.steps * self.epochs)
            record = None
            if self.n_updates % self.steps == 0:
                record = self._statistics.record(done // self.steps, updater.learning_rate, trainer.net.n_connections)
                self._statistics = EpochStatistics()
            # After the last update of the phase the topology does not evolve here: each worker's own does, in phase 2.
            evolves = trainer.evolution_due(done, self.steps, self.epochs) and self.n_updates < self.total
            due = _EpochBoundary(record, evolves) if evolves or record is not None else None
            self._closing = self.config.synchronous and due is not None
            self._n_boundaries += due is not None
            self._state.notify_all()
            return due

    def _evolve(self, due: _EpochBoundary) -> None:
        """Ends an epoch, evolves the topology, or both, while no gradient is applied."""
        trainer = self.trainer
        try:
            with writing(self._topology):
                if due.record is not None:
                    self._end_epoch(due.record)
                if due.evolves and not trainer.stop:
                    self._on_evolution(trainer.evolve_now())
                self._publish()
                if due.record is not None and self._save is not None:
                    self._save(self.state())
        except BaseException:
            self.stopped = True
            raise
        finally:
            with self._state:
                self._closing = False
                self._n_boundaries -= 1
                self.stopped = self.stopped or trainer.stop
                self._state.notify_all()

    # ---- topology ----

    def _publish(self) -> None:
        """Makes the layers as they are now the model that workers get, with a new version if arrays were replaced."""
        layers, _ = self.trainer.net.layers, self.trainer.optimizer_state  # the state of layers that a callback changed
        if len(self._history) and all(
            shown.values is layer.values and shown.bias is layer.bias and shown.connectivity is layer.connectivity
            for shown, layer in zip(self.model.layers, layers, strict=True)
        ):
            return
        shared = [SharedLayer(layer, lock) for layer, lock in zip(layers, self._updater.locks, strict=True)]
        with self._state:
            needed = [*self._seen.values(), *(gradient.version for gradient in self._accepted)]
            version = self._history.add([layer.connectivity for layer in layers], needed)
            self.model: ModelSnapshot = ModelSnapshot(version, self.n_updates, list(shared))
