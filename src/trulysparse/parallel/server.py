"""The parameter server of phase 1: hands out batches, applies gradients, evolves the topology. Safe to call from many
threads; it does not know where workers run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._arrays import Floats
from trulysparse._kernels import SharedLock
from trulysparse.learning_rates import ScaledRate, make
from trulysparse.optimizers import SGD
from trulysparse.parallel.gradient import Gradient, Marks, Topology, retain
from trulysparse.parallel.plan import WASAP, WASSP, Span
from trulysparse.parallel.shards import Ticket
from trulysparse.parallel.shared import SharedLayer, reading, writing
from trulysparse.parallel.worker import Model
from trulysparse.training import Trainer
from trulysparse.training.history import Record


@dataclass
class _Left:
    """Layers that an update has not reached yet: (weights, biases, factor) of each gradient."""

    rule: _kernels.UpdateRule
    parts: dict[int, list[tuple[Floats, Floats, float]]] = field(default_factory=dict)


class Server:
    """Holds the network and its optimizer state, in a Trainer.

    batches: of each shard, a pass. span: the epochs of this phase, of `epochs` in all. end_epoch: called with each
    epoch's record while no gradient is applied, before the topology evolves. keep: called after that with `state()`.
    clock: updates of this phase so far.
    """

    def __init__(
        self,
        trainer: Trainer,
        plan: WASAP,
        batches: Sequence[int],
        span: Span,
        epochs: int,
        end_epoch: Callable[[Record], None],
        keep: Callable[[dict[str, Any]], None] | None = None,
        first_version: int = 0,
    ) -> None:
        self.trainer = trainer
        self.plan = plan
        self.batches = list(batches)
        self.steps = max(batches) if plan.synchronous else sum(batches)
        self.total = (span[1] - span[0]) * self.steps
        self.epochs = epochs
        self.clock = 0
        self.positions = [0] * len(batches)  # batches of each shard that have been taken
        self.stopped = False
        self._first = span[0]
        self._most_stale: int
        self._end_epoch = end_epoch
        self._keep = keep
        self._first_version = first_version
        self._optimizer = trainer.optimizer
        if isinstance(plan, WASSP):
            rate = ScaledRate(make(trainer.optimizer.learning_rate), len(batches), plan.warmup_epochs)
            self._optimizer = replace(trainer.optimizer, learning_rate=rate)
        self._rate = 0.0
        self._state = threading.Condition()
        self._topology = SharedLock()
        self._locks = [SharedLock() for _ in trainer.net.layers]
        self._served: dict[int, list[int]] = {}  # shards by worker
        self._busy: dict[int, Ticket] = {}
        self._seen: dict[int, int] = {}  # version of the topology by worker
        self._sessions: dict[int, int] = {}
        self._left: dict[int, _Left] = {}
        self._applying = 0
        self._closing = False
        self._gathered: dict[int, Gradient] = {}
        self._history: list[Topology] = []
        self._begin_tally()
        trainer.on_resize = self._note_removed
        self._publish()

    # ---- what workers call ----

    def join(self, worker: int) -> None:
        """A worker is there; where it is new, shards are dealt out anew."""
        with self._state:
            if worker not in self._served:
                self._served[worker] = []
                self._deal()

    def leave(self, worker: int) -> None:
        """A worker is gone; others take over its shards."""
        with self._state:
            self._served.pop(worker, None)
            self._busy.pop(worker, None)
            self._seen.pop(worker, None)
            self._deal()

    def pull(self, worker: int, session: int = 0) -> tuple[Ticket, Model] | None:
        """The next batch and the model to compute its gradient on, or None: the phase is over for this worker. Waits
        where workers go in step. session: another one than before says that the worker has been started anew; what its
        former self still waits for is off."""
        with self._state:
            self._busy.pop(worker, None)
            if self._sessions.setdefault(worker, session) != session:
                self._sessions[worker] = session
                self._state.notify_all()
            while not self._finished() and self._sessions[worker] == session:
                ticket = self._next_of(worker)
                if ticket is not None:
                    self._busy[worker] = ticket
                    model = self.model
                    self._seen[worker] = model.version
                    return ticket, Model(model.version, self.clock, model.layers)
                self.settle(worker)
                self._state.wait()
            self._state.notify_all()
            return None

    def push(self, worker: int, gradient: Gradient, *, finish: bool = True) -> bool:
        """Takes a gradient, and applies it at once or, where workers go in step, with the others'. False: it was not
        expected (a batch that has been done before) and is ignored. finish: wait for layers that someone is reading;
        else they are left to `settle`, until which the gradient's arrays must stay as they are."""
        ticket = gradient.ticket
        with self._state:
            known = self._history[0].version <= gradient.version <= self._history[-1].version
            if self.stopped or not known or worker not in self._served or self._ticket(ticket.shard) != ticket:
                return False
            self.positions[ticket.shard] += 1
            self._busy.pop(worker, None)
            ready = [gradient]
            if self.plan.synchronous:
                self._gathered[ticket.shard] = gradient
                if len(self._gathered) < sum(1 for n in self.batches if n > self.clock % self.steps):
                    return True
                ready = [self._gathered[shard] for shard in sorted(self._gathered)]
            self._applying += 1
        left = self._apply(ready)
        if finish or self.plan.synchronous:
            self._finish(left)
        else:
            self._left[worker] = left
        self._account(worker, ready)
        return True

    def settle(self, worker: int) -> None:
        """Finishes what the worker's last push has left."""
        left = self._left.pop(worker, None)
        if left is not None:
            self._finish(left)

    def stop(self) -> None:
        """Ends the phase as soon as workers ask again."""
        with self._state:
            self.stopped = True
            self._state.notify_all()

    # ---- coming back ----

    def state(self) -> dict[str, Any]:
        """What, beside the trainer's state, is needed to go on from the end of an epoch."""
        return {"clock": self.clock, "positions": self.positions, "rate": self._rate}

    def resume(self, state: dict[str, Any]) -> None:
        """Goes on from there, before the first worker asks."""
        self.clock, self.positions, self._rate = state["clock"], list(state["positions"]), state["rate"]

    def snapshot(self, model: Model) -> list[tuple[Floats, Floats]]:
        """Copies of each layer's weights and biases, none in the middle of an update."""
        found = []
        for layer, lock in zip(model.layers, self._locks, strict=True):
            with reading(lock):
                found.append((layer.values.copy(), layer.bias.copy()))
        return found

    # ---- handing out batches ----

    def _deal(self) -> None:
        workers = sorted(self._served)
        for worker in workers:
            self._served[worker] = []
        for shard in range(len(self.batches)):
            if workers:
                self._served[workers[shard % len(workers)]].append(shard)
        self._state.notify_all()

    def _ticket(self, shard: int) -> Ticket:
        epoch, batch = divmod(self.positions[shard], self.batches[shard])
        return Ticket(shard, self._first + epoch, batch)

    def _next_of(self, worker: int) -> Ticket | None:
        taken = {ticket.shard for ticket in self._busy.values()}
        if not self.plan.synchronous:
            free = [shard for shard in self._served.get(worker, []) if shard not in taken]
            if not free:
                return None
            return self._ticket(min(free, key=lambda shard: self.positions[shard] / self.batches[shard]))
        if self._closing:
            return None
        epoch, step = divmod(self.clock, self.steps)
        for shard in self._served.get(worker, []):
            wanted = epoch * self.batches[shard] + step
            if shard not in taken and step < self.batches[shard] and self.positions[shard] == wanted:
                return self._ticket(shard)
        return None

    def _finished(self) -> bool:
        if self.stopped or self.clock >= self.total:
            return True
        return not self.plan.synchronous and self.clock + len(self._busy) + self._applying >= self.total

    # ---- updates ----

    def _rule(self) -> _kernels.UpdateRule:
        """The rule of the next update; momentum follows the learning rate (Goyal et al. 2017, section 3)."""
        trainer = self.trainer
        epoch = self._first + self.clock / self.steps
        rule = self._optimizer.rule(self._first * self.steps + self.clock, epoch, self.epochs)
        if self.plan.momentum_correction and isinstance(trainer.optimizer, SGD) and self._rate > 0:
            rule.momentum *= rule.learning_rate / self._rate
        self._rate = rule.learning_rate
        return rule

    def _apply(self, gradients: Sequence[Gradient]) -> _Left:
        """Updates all layers that nobody reads at the moment; returns the others for `_finish`. Until then nothing
        evolves."""
        trainer = self.trainer
        samples = sum(gradient.n_samples for gradient in gradients)
        self._topology.acquire_shared()
        try:
            with self._state:
                rule = self._rule()
                factors = [gradient.n_samples / samples for gradient in gradients]
                if self.plan.staleness_aware:
                    factors = [f / max(1, self.clock - g.clock) for f, g in zip(factors, gradients, strict=True)]
            left, dropped = _Left(rule), 0
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
                self._dropped += dropped
            return left
        except BaseException:
            self._topology.release_shared()
            raise

    def _finish(self, left: _Left) -> None:
        try:
            for number, parts in left.parts.items():
                self._locks[number].acquire()
                self._update(number, parts, left.rule)
        finally:
            self._topology.release_shared()

    def _update(self, number: int, parts: list[tuple[Floats, Floats, float]], rule: _kernels.UpdateRule) -> None:
        """Updates a layer whose lock is held, and gives the lock back."""
        try:
            self.trainer.net.layers[number].update(parts, self.trainer.slots[number], rule, 1)
        finally:
            self._locks[number].release()

    def _since(self, version: int) -> list[Topology]:
        return self._history[version - self._history[0].version :]

    def _account(self, worker: int, gradients: Sequence[Gradient]) -> None:
        """Counts one update, and does what is due after it."""
        trainer, record = self.trainer, None
        with self._state:
            self._applying -= 1
            for gradient in gradients:
                staleness = self.clock - gradient.clock
                self._staleness += staleness
                self._most_stale = max(staleness, self._most_stale)
                self._loss += gradient.loss * gradient.n_samples
                self._samples += gradient.n_samples
                self._bytes += gradient.nbytes
                self._gradients += 1
            self.clock += 1
            done = self._first * self.steps + self.clock
            trainer.step_count += 1
            trainer.epoch = done / self.steps
            trainer.progress = done / (self.steps * self.epochs)
            if self.clock % self.steps == 0:
                record = self._record(done // self.steps)
            last = self.clock == self.total
            due = trainer.evolution is not None and trainer.evolution.due(done, self.steps, self.steps * self.epochs)
            self._gathered.clear()
            self._closing = record is not None or (due and not last)
        if record is not None or (due and not last):
            self.settle(worker)
            with writing(self._topology):
                if record is not None:
                    self._end_epoch(record)
                if due and not last and not trainer.stop:
                    trainer.evolve()
                self._publish()
                if record is not None and self._keep is not None:
                    self._keep(self.state())
        with self._state:
            self._closing = False
            self.stopped = self.stopped or trainer.stop
            self._state.notify_all()

    # ---- topology ----

    def _publish(self) -> None:
        """Shows workers the layers as they are now, under a new version where arrays have been replaced."""
        layers = self.trainer.net.layers
        if self._history and all(
            shown.values is layer.values and shown.bias is layer.bias and shown.connectivity is layer.connectivity
            for shown, layer in zip(self.model.layers, layers, strict=True)
        ):
            return
        shared = [SharedLayer(layer, lock) for layer, lock in zip(layers, self._locks, strict=True)]
        with self._state:
            version = self._history[-1].version + 1 if self._history else self._first_version
            self.model: Model = Model(version, self.clock, list(shared))
            self._history.append(Topology(version, [layer.connectivity for layer in layers]))
            oldest = min(self._seen.values(), default=version)
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

    # ---- figures ----

    def _begin_tally(self) -> None:
        self._began = time.perf_counter()
        self._loss = 0.0
        self._samples = self._gradients = self._staleness = self._dropped = self._bytes = 0
        self._most_stale = 0

    def _record(self, epoch: int) -> Record:
        """The record of the epoch that has just ended."""
        seconds = time.perf_counter() - self._began
        record: Record = {
            "epoch": epoch,
            "phase": 1,
            "loss": self._loss / self._samples,
            "learning_rate": self._rate,
            "connections": self.trainer.net.n_connections,
            "seconds": seconds,
            "samples": self._samples,
            "samples_per_second": self._samples / seconds,
            "staleness": self._staleness / self._gradients,
            "staleness_max": self._most_stale,
            "dropped": self._dropped,
            "gradient_mb": self._bytes / 1e6,
        }
        self._begin_tally()
        return record
