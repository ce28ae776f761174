"""Which worker gets which batch."""

from __future__ import annotations

import pytest

from trulysparse.parallel.server.scheduler import BatchScheduler
from trulysparse.parallel.shards import BatchId


@pytest.mark.parametrize("speeds", [(1, 1), (1, 5), (3, 1, 1), (1, 0, 2)])
def test_fast_workers_help_slow_ones(speeds):
    """All passes over all shards are made, in order, and no shard is two passes behind another."""
    scheduler = BatchScheduler([4, 5, 3], 0, 3, synchronous=False)
    for worker in range(len(speeds)):
        scheduler.join(worker)
    done = {shard: [] for shard in range(3)}
    while True:
        given = False
        for worker, speed in enumerate(speeds):
            for _ in range(speed):
                batch_id = scheduler.next_batch(worker, 0)
                if batch_id is not None:
                    given = True
                    done[batch_id.shard].append((batch_id.epoch, batch_id.batch))
                    scheduler.accept(worker, batch_id)
                    scheduler.applied(batch_id)
                    passes = [len(done[shard]) // n for shard, n in enumerate((4, 5, 3))]
                    assert max(passes) - min(passes) <= 2
        if not given:
            break
    for shard, n in enumerate((4, 5, 3)):
        assert done[shard] == [(epoch, batch) for epoch in range(3) for batch in range(n)]


def test_applied_positions_leave_out_gradients_in_flight():
    scheduler = BatchScheduler([2, 2], 0, 1, synchronous=False)
    scheduler.join(0)
    scheduler.join(1)
    a, b = scheduler.next_batch(0, 0), scheduler.next_batch(1, 0)
    scheduler.accept(0, a)
    scheduler.accept(1, b)
    scheduler.applied(a)
    assert scheduler.positions == [1, 1]
    assert scheduler.applied_positions() == [1, 0]


def test_shard_in_flight_is_not_given_out():
    """A shard's next batch waits for the one before to be applied: those applied are always the first ones."""
    scheduler = BatchScheduler([3], 0, 1, synchronous=False)
    scheduler.join(0)
    scheduler.join(1)
    first = scheduler.next_batch(0, 0)
    assert scheduler.next_batch(1, 0) is None
    scheduler.accept(0, first)
    assert scheduler.next_batch(1, 0) is None
    assert scheduler.applied_positions() == [0]
    scheduler.applied(first)
    assert scheduler.applied_positions() == [1]
    assert scheduler.next_batch(1, 0) == BatchId(0, 0, 1)
