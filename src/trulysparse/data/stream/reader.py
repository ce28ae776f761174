"""Reads the samples of a stream for one thread: a buffer of blocks and, where the order is known, a thread that reads
ahead."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.data.matrix import as_in_memory, unusable
from trulysparse.data.scaling import Scaling


class Stream(Protocol):
    """The samples that a reader reads, as it needs them."""

    name: str
    blocks: Any
    sample_numbers: NDArray[np.int64]
    n_features: int

    @property
    def n_buffered_blocks(self) -> int:
        """How many blocks the buffer holds."""

    @property
    def n_pooled_blocks(self) -> int:
        """How many blocks have their samples shuffled together."""

    def blocks_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The block of each of the samples `rows`."""

    def origin(self, sample: int) -> tuple[str, int]:
        """(name of the set, row in its file)."""

    def feature_name(self, feature: int) -> str:
        """What messages call a feature."""


class StreamReader:
    """See Reader. Its state is its own: any number of readers may read one stream at a time, each in one thread.

    order: the samples that will be loaded, in that order; their blocks are read ahead, as many as the stream's buffer
    holds, and dropped once all their samples are loaded. Other samples may be loaded too, more slowly. None: the last
    blocks read stay in memory, as many as are shuffled together."""

    def __init__(self, stream: Stream, order: NDArray[np.int64] | None) -> None:
        self._stream = stream
        self._read_order = None if order is None else _BlockOrder(stream.blocks_of(order))
        self._buffer: OrderedDict[int, Any] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._error: BaseException | None = None
        self._wanted = -1  # number in the reading order of the block that `load` waits for
        self._read = 0  # blocks of the reading order that have been read

    def __enter__(self) -> StreamReader:
        if self._read_order is not None:
            self._thread = threading.Thread(target=self._read_ahead, args=(self._read_order,), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._buffer.clear()

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """See Reader."""
        samples, row_of = self._gather(rows)
        matrix = as_in_memory(samples, self._stream.name)
        bad = matrix.fill(row_of, out, scaling, threads)
        if bad >= 0:
            sample, feature = divmod(bad, self._stream.n_features)
            value = matrix.value(int(row_of[sample]), feature)
            raise unusable(self._stream, int(rows[sample]), feature, value, out.dtype)

    def chunk(self, start: int, stop: int) -> Any:
        """See Reader."""
        samples, row_of = self._gather(np.arange(start, stop))
        return samples if (np.diff(row_of) == 1).all() else samples[row_of]

    def _gather(self, rows: NDArray[np.int64]) -> tuple[Any, NDArray[np.int64]]:
        """The samples `rows` as a NumPy array or a CSR array, those of a block together, and the row there of each."""
        numbers = self._stream.sample_numbers[rows]
        blocks, first, block_of = np.unique(self._stream.blocks_of(rows), return_index=True, return_inverse=True)
        as_met = np.argsort(first)  # as they are read ahead
        by_block = np.argsort(np.argsort(as_met)[block_of], kind="stable")
        ends = np.cumsum(np.bincount(block_of)[as_met]).tolist()
        parts: list[Any] = []
        joined: NDArray[Any] | None = None
        for block, start, end in zip(blocks[as_met].tolist(), [0, *ends], ends, strict=False):
            samples = self._block(block)
            within = numbers[by_block[start:end]] - int(self._stream.blocks.bounds[block])
            if sp.issparse(samples):
                parts.append(samples[within])
                continue
            if joined is None:
                joined = np.empty((len(rows), samples.shape[1]), samples.dtype)
            if joined.dtype == samples.dtype:
                np.take(samples, within, axis=0, out=joined[start:end], mode="clip")  # "raise" would copy once more
            else:  # two sets that were joined
                joined = joined.astype(np.result_type(joined, samples))
                joined[start:end] = samples[within]
        if self._read_order is not None:
            with self._changed:
                for block in self._read_order.passed(len(rows)):
                    self._buffer.pop(block, None)
                self._changed.notify_all()
        row_of = np.empty(len(rows), np.int64)
        row_of[by_block] = np.arange(len(rows))
        return sp.csr_array(sp.vstack(parts, format="csr")) if joined is None else joined, row_of

    def _block(self, block: int) -> Any:
        """A block's samples: from the buffer where it holds them or soon will, else read now."""
        number = None if self._read_order is None else self._read_order.number.get(block)
        with self._changed:
            if number is not None:
                self._wanted = number
                self._changed.notify_all()
                # A block that has been read and dropped is not read ahead again.
                while block not in self._buffer and self._read <= number and self._error is None:
                    self._changed.wait()
                if self._error is not None:
                    raise self._error
            if block in self._buffer:
                self._buffer.move_to_end(block)
                return self._buffer[block]
        samples = self._stream.blocks.read(block)
        if self._read_order is None:
            while len(self._buffer) >= self._stream.n_pooled_blocks:
                self._buffer.popitem(last=False)
            self._buffer[block] = samples
        return samples

    def _read_ahead(self, order: _BlockOrder) -> None:
        n_buffered = self._stream.n_buffered_blocks
        try:
            for number, block in enumerate(order.blocks):
                with self._changed:
                    while len(self._buffer) >= n_buffered and not self._closed and self._wanted < number:
                        self._changed.wait()
                    if self._closed:
                        return
                samples = self._stream.blocks.read(block)
                with self._changed:
                    if order.last[block] >= order.done:
                        self._buffer[block] = samples
                    self._read = number + 1
                    self._changed.notify_all()
        except BaseException as error:  # handed to the thread that waits for the block
            with self._changed:
                self._error = error
                self._changed.notify_all()


class _BlockOrder:
    """The blocks that an order needs: in which order, and the last sample of each."""

    def __init__(self, block_of: NDArray[np.int64]) -> None:
        blocks, first = np.unique(block_of, return_index=True)
        self.blocks: list[int] = blocks[np.argsort(first)].tolist()
        self.number = {block: number for number, block in enumerate(self.blocks)}
        _, from_end = np.unique(block_of[::-1], return_index=True)
        self.last = dict(zip(blocks.tolist(), (len(block_of) - 1 - from_end).tolist(), strict=True))
        self._ends = sorted(self.last, key=self.last.__getitem__, reverse=True)
        self.done = 0

    def passed(self, samples: int) -> list[int]:
        """Counts `samples` as loaded; returns the blocks that are needed no longer."""
        self.done += samples
        finished = []
        while self._ends and self.last[self._ends[-1]] < self.done:
            finished.append(self._ends.pop())
        return finished
