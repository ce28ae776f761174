"""Shards: every sample once, in an order that can be repeated."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.parallel.shards import BatchId, Shard, shard_rows


@pytest.mark.parametrize(("n", "count", "batch"), [(1000, 3, 64), (10, 4, 128), (129, 2, 64), (7, 7, 2)])
def test_shards_hold_every_sample_once(n, count, batch):
    parts = [shard_rows(n, number, count, batch) for number in range(count)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= min(batch, n // count)
    shard = Shard(0, parts[0], batch, seed=1, shuffle=True)
    passes = [np.concatenate([shard.batch(BatchId(0, e, b)) for b in range(shard.n_batches)]) for e in (0, 1, 0)]
    for order in passes:
        np.testing.assert_array_equal(np.sort(order), parts[0])
    np.testing.assert_array_equal(passes[0], passes[2])  # whoever asks, and when
