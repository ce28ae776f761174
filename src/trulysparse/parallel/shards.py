"""Shards: which samples a worker trains on, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.random import generator
from trulysparse.data.matrix import shuffled


@dataclass(frozen=True)
class BatchId:
    """Names one batch: number `batch` of pass number `epoch` over shard number `shard`, all from 0."""

    shard: int
    epoch: int
    batch: int


class Shard:
    """The samples of one worker. Each pass has a random order that depends on the seed, the shard and the pass only, so
    that any worker can continue where another stopped. ordered: puts samples in a random order; see Matrix.order."""

    def __init__(
        self,
        number: int,
        rows: NDArray[np.int64],
        batch_size: int,
        seed: int,
        shuffle: bool,
        ordered: Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.int64]] = shuffled,
    ) -> None:
        self.number = number
        self.rows = rows
        self.n_batches = -(-len(rows) // batch_size)
        self._batch_size = batch_size
        self._seed = seed
        self._shuffle = shuffle
        self._ordered = ordered
        self._pass = -1
        self._order = rows

    def batch(self, batch_id: BatchId) -> NDArray[np.int64]:
        """The row numbers of a batch's samples."""
        if self._shuffle and batch_id.epoch != self._pass:
            random = generator(self._seed, "shard", self.number, batch_id.epoch)
            self._order = self._ordered(self.rows, random)
            self._pass = batch_id.epoch
        return self._order[batch_id.batch * self._batch_size : (batch_id.batch + 1) * self._batch_size]


def shard_rows(n_samples: int, number: int, count: int, batch_size: int) -> NDArray[np.int64]:
    """The row numbers of shard `number` of `count`: every count-th block of batch_size neighbouring rows, so that
    classes of sorted data are spread evenly and files are read in whole blocks. Shards differ by one block at most."""
    block = max(1, min(batch_size, n_samples // count))
    starts = np.arange(number * block, n_samples, count * block)
    rows = (starts[:, None] + np.arange(block)).ravel()
    return rows[rows < n_samples]
