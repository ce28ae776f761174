"""Which worker computes which batch next."""

from __future__ import annotations

from collections.abc import Sequence

from trulysparse.parallel.shards import BatchId


class BatchScheduler:
    """Assigns shards to workers and gives out their batches one by one. Not safe for threads: the server calls it under
    its lock.

    Each shard is passed over `passes` times. A worker whose own shards have finished a pass takes batches of shards
    that have not, unless another worker is at one; if there are none, its own shards go at most one pass ahead. No
    shard has two batches that are being computed or applied, so the batches that were applied are always the first
    ones.

    batches: batches of each shard in one pass. first: the number of the first pass. synchronous: whether all shards
    take their next batch together, so that one with fewer batches pauses at the end of an epoch. Attributes: steps,
    updates per epoch; positions, batches of each shard whose gradients were accepted; in_flight, the shards whose last
    accepted gradient has not been applied yet.
    """

    def __init__(self, batches: Sequence[int], first: int, passes: int, synchronous: bool) -> None:
        self.batches = list(batches)
        self._passes = passes
        self.steps = max(batches) if synchronous else sum(batches)
        self.positions = [0] * len(batches)
        self.in_flight: set[int] = set()
        self._first = first
        self._synchronous = synchronous
        self._assigned: dict[int, list[int]] = {}
        self._computing: dict[int, int] = {}

    def join(self, worker: int) -> None:
        """Adds a worker; if it is new, shards are assigned again."""
        if worker not in self._assigned:
            self._assigned[worker] = []
            self._assign_shards()

    def leave(self, worker: int) -> None:
        """Removes a worker; others take over its shards."""
        self._assigned.pop(worker, None)
        self._computing.pop(worker, None)
        self._assign_shards()

    def knows(self, worker: int) -> bool:
        """Whether the worker has joined and not left."""
        return worker in self._assigned

    def _assign_shards(self) -> None:
        workers = sorted(self._assigned)
        self._assigned = {worker: [] for worker in workers}
        for shard in range(len(self.batches)):
            if workers:
                self._assigned[workers[shard % len(workers)]].append(shard)

    def release(self, worker: int) -> None:
        """Notes that the worker is computing no batch; the one it was given may be given out again."""
        self._computing.pop(worker, None)

    def next_batch(self, worker: int, n_updates: int) -> BatchId | None:
        """The next batch for the worker, or None where it has to wait."""
        assigned = self._assigned.get(worker, [])
        shard = self._of_this_step(assigned, n_updates) if self._synchronous else self._least_advanced(assigned)
        if shard is None:
            return None
        self._computing[worker] = shard
        return self.next_in_shard(shard)

    def _taken(self) -> set[int]:
        """The shards with a batch that is being computed or applied."""
        return self.in_flight.union(self._computing.values())

    def _of_this_step(self, assigned: list[int], n_updates: int) -> int | None:
        """The first of the shards whose batch of this update is still to do."""
        epoch, step = divmod(n_updates, self.steps)
        taken = self._taken()
        for shard in assigned:
            position = epoch * self.batches[shard] + step
            if shard not in taken and step < self.batches[shard] and self.positions[shard] == position:
                return shard
        return None

    def _least_advanced(self, assigned: list[int]) -> int | None:
        """The shard to go on with: one of the worker's own that is behind, else any that is behind, else an own one."""
        passes = [position // n for position, n in zip(self.positions, self.batches, strict=True)]
        lowest = min(passes)
        taken = self._taken()
        free = [shard for shard in range(len(passes)) if shard not in taken and passes[shard] < self._passes]
        behind = [shard for shard in free if passes[shard] == lowest]
        own = set(assigned)
        for candidates in (
            [shard for shard in behind if shard in own],
            behind,
            [shard for shard in free if shard in own and passes[shard] == lowest + 1],
        ):
            if candidates:
                return min(candidates, key=lambda shard: self.positions[shard] / self.batches[shard])
        return None

    def next_in_shard(self, shard: int) -> BatchId:
        """The next batch of a shard."""
        epoch, batch = divmod(self.positions[shard], self.batches[shard])
        return BatchId(shard, self._first + epoch, batch)

    def accept(self, worker: int, batch_id: BatchId) -> None:
        """Notes that the worker has delivered the gradient of a batch."""
        self.positions[batch_id.shard] += 1
        self.in_flight.add(batch_id.shard)
        self._computing.pop(worker, None)

    def applied(self, batch_id: BatchId) -> None:
        """Notes that the gradient of a batch has been applied."""
        self.in_flight.discard(batch_id.shard)

    def gradients_needed(self, n_updates: int) -> int:
        """The number of gradients that make the next synchronous update."""
        return sum(1 for n in self.batches if n > n_updates % self.steps)

    def applied_positions(self) -> list[int]:
        """Batches of each shard whose gradients have been applied."""
        return [position - (shard in self.in_flight) for shard, position in enumerate(self.positions)]
