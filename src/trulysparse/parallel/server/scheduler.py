"""Who computes which batch next."""

from __future__ import annotations

from collections.abc import Sequence

from trulysparse.parallel.shards import BatchId


class BatchScheduler:
    """Deals shards out to workers and hands out their batches one by one. Not safe for threads: the server calls it
    under its lock.

    Each shard is passed over `passes` times, whoever does it: a worker whose own shards are through with a pass takes
    batches of shards that are behind, where nobody has one in hand, and else goes ahead by one pass at most.

    batches: of each shard, a pass. first: the number of the first pass. synchronous: whether all shards take their next
    batch together, so that one with fewer batches rests at the end of an epoch. positions: batches of each shard that
    have been accepted; in_flight: shards whose last one is not counted yet.
    """

    def __init__(self, batches: Sequence[int], first: int, passes: int, synchronous: bool) -> None:
        self.batches = list(batches)
        self._passes = passes
        self.steps = max(batches) if synchronous else sum(batches)
        self.positions = [0] * len(batches)
        self.in_flight: set[int] = set()
        self._first = first
        self._synchronous = synchronous
        self._served: dict[int, list[int]] = {}
        self._busy: dict[int, int] = {}

    def join(self, worker: int) -> None:
        """A worker is there; where it is new, shards are dealt out anew."""
        if worker not in self._served:
            self._served[worker] = []
            self._assign_shards()

    def leave(self, worker: int) -> None:
        """A worker is gone; others take over its shards."""
        self._served.pop(worker, None)
        self._busy.pop(worker, None)
        self._assign_shards()

    def knows(self, worker: int) -> bool:
        """Whether the worker is there."""
        return worker in self._served

    def _assign_shards(self) -> None:
        workers = sorted(self._served)
        self._served = {worker: [] for worker in workers}
        for shard in range(len(self.batches)):
            if workers:
                self._served[workers[shard % len(workers)]].append(shard)

    def rest(self, worker: int) -> None:
        """The worker has no batch in hand, whatever it was given."""
        self._busy.pop(worker, None)

    def next_batch(self, worker: int, n_updates: int) -> BatchId | None:
        """The next batch of one of the worker's shards, or None where it has to wait."""
        own = self._served.get(worker, [])
        found = self._in_turn(own, n_updates) if self._synchronous else self._least_done(own)
        if found is None:
            return None
        self._busy[worker] = found
        return self.next_in_shard(found)

    def _in_turn(self, own: list[int], n_updates: int) -> int | None:
        """The first of the shards whose batch of this step is still to do."""
        epoch, step = divmod(n_updates, self.steps)
        taken = self.in_flight.union(self._busy.values())
        for shard in own:
            wanted = epoch * self.batches[shard] + step
            if shard not in taken and step < self.batches[shard] and self.positions[shard] == wanted:
                return shard
        return None

    def _least_done(self, own: list[int]) -> int | None:
        done = [position // n for position, n in zip(self.positions, self.batches, strict=True)]
        lowest = min(done)
        taken = set(self._busy.values())
        free = [shard for shard in range(len(done)) if shard not in taken and done[shard] < self._passes]
        behind = [shard for shard in free if done[shard] == lowest]
        mine = set(own)
        for candidates in (
            [shard for shard in behind if shard in mine],
            behind,
            [shard for shard in free if shard in mine and done[shard] == lowest + 1],
        ):
            if candidates:
                return min(candidates, key=lambda shard: self.positions[shard] / self.batches[shard])
        return None

    def next_in_shard(self, shard: int) -> BatchId:
        """The batch of a shard that is to come."""
        epoch, batch = divmod(self.positions[shard], self.batches[shard])
        return BatchId(shard, self._first + epoch, batch)

    def accept(self, worker: int, batch_id: BatchId) -> None:
        """The worker has brought the gradient of a batch."""
        self.positions[batch_id.shard] += 1
        self.in_flight.add(batch_id.shard)
        self._busy.pop(worker, None)

    def count(self, batch_id: BatchId) -> None:
        """It has been applied."""
        self.in_flight.discard(batch_id.shard)

    def wanted(self, n_updates: int) -> int:
        """In step: gradients that make the next update."""
        return sum(1 for n in self.batches if n > n_updates % self.steps)

    @property
    def outstanding(self) -> int:
        """Batches that are being computed or applied."""
        return len(self._busy) + len(self.in_flight)

    def counted(self) -> list[int]:
        """Batches of each shard that have been applied."""
        return [position - (shard in self.in_flight) for shard, position in enumerate(self.positions)]
