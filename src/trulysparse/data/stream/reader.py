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
from trulysparse.data.matrix import as_held, unusable
from trulysparse.data.scaling import Scaling


class Stream(Protocol):
    """What a reader asks of the samples that it reads."""

    name: str
    blocks: Any
    numbers: NDArray[np.int64]
    n_features: int

    @property
    def room(self) -> int:
        """Blocks that the buffer holds."""

    @property
    def pool(self) -> int:
        """Blocks whose samples are shuffled together."""

    def blocks_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The block of each of the samples `rows`."""

    def origin(self, sample: int) -> tuple[str, int]:
        """(name of the set, row in its file)."""

    def feature_name(self, feature: int) -> str:
        """How to name a feature to the user."""


class StreamReader:
    """See Reader. Its state is its own: any number of readers may read one stream at a time, each in one thread.

    order: the samples that will be loaded, in that order; their blocks are read ahead, as many as the stream's buffer
    holds, and dropped when they are done with. Other samples may be loaded too, more slowly. None: the last blocks
    read are kept, as many as are shuffled together."""

    def __init__(self, stream: Stream, order: NDArray[np.int64] | None) -> None:
        self._stream = stream
        self._plan = None if order is None else _Plan(stream.blocks_of(order))
        self._buffer: OrderedDict[int, Any] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._over = False
        self._error: BaseException | None = None
        self._wanted = -1  # number in the plan of the block that `load` waits for
        self._read = 0  # blocks of the plan that have been read

    def __enter__(self) -> StreamReader:
        if self._plan is not None:
            self._thread = threading.Thread(target=self._read_ahead, args=(self._plan,), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._buffer.clear()

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """See Reader."""
        held = as_held(self._gather(rows), self._stream.name)
        bad = held.fill(np.arange(len(rows)), out, scaling, threads)
        if bad >= 0:
            sample, feature = divmod(bad, self._stream.n_features)
            raise unusable(self._stream, int(rows[sample]), feature, held.value(sample, feature), out.dtype)

    def chunk(self, start: int, stop: int) -> Any:
        """See Reader."""
        return self._gather(np.arange(start, stop))

    def _gather(self, rows: NDArray[np.int64]) -> Any:
        """The samples `rows`, in this order, as a NumPy array or a CSR array."""
        blocks, samples = self._stream.blocks_of(rows), self._stream.numbers[rows]
        parts, places = [], []
        for block in dict.fromkeys(blocks.tolist()):
            here = np.flatnonzero(blocks == block)
            parts.append(self._block(block)[samples[here] - int(self._stream.blocks.bounds[block])])
            places.append(here)
        if self._plan is not None:
            with self._changed:
                for block in self._plan.passed(len(rows)):
                    self._buffer.pop(block, None)
                self._changed.notify_all()
        back = np.argsort(np.concatenate(places))
        if sp.issparse(parts[0]):
            return sp.csr_array(sp.vstack(parts, format="csr")[back])
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return joined[back]

    def _block(self, block: int) -> Any:
        """A block's samples: from the buffer where they are there or on their way, else read now."""
        number = None if self._plan is None else self._plan.number.get(block)
        with self._changed:
            if number is not None:
                self._wanted = number
                self._changed.notify_all()
                # A block that has been read and dropped before will not come again.
                while block not in self._buffer and self._read <= number and self._error is None:
                    self._changed.wait()
                if self._error is not None:
                    raise self._error
            if block in self._buffer:
                self._buffer.move_to_end(block)
                return self._buffer[block]
        samples = self._stream.blocks.read(block)
        if self._plan is None:
            while len(self._buffer) >= self._stream.pool:
                self._buffer.popitem(last=False)
            self._buffer[block] = samples
        return samples

    def _read_ahead(self, plan: _Plan) -> None:
        room = self._stream.room
        try:
            for number, block in enumerate(plan.blocks):
                with self._changed:
                    while len(self._buffer) >= room and not self._over and self._wanted < number:
                        self._changed.wait()
                    if self._over:
                        return
                samples = self._stream.blocks.read(block)
                with self._changed:
                    if plan.last[block] >= plan.done:
                        self._buffer[block] = samples
                    self._read = number + 1
                    self._changed.notify_all()
        except BaseException as error:  # handed to the thread that waits for the block
            with self._changed:
                self._error = error
                self._changed.notify_all()


class _Plan:
    """The blocks that an order needs: in which order, and after how many samples each is done with."""

    def __init__(self, block_of: NDArray[np.int64]) -> None:
        blocks, first = np.unique(block_of, return_index=True)
        self.blocks: list[int] = blocks[np.argsort(first)].tolist()
        self.number = {block: number for number, block in enumerate(self.blocks)}
        _, from_end = np.unique(block_of[::-1], return_index=True)
        self.last = dict(zip(blocks.tolist(), (len(block_of) - 1 - from_end).tolist(), strict=True))
        self._ends = sorted(self.last, key=self.last.__getitem__, reverse=True)
        self.done = 0

    def passed(self, samples: int) -> list[int]:
        """Counts samples; the blocks that are done with now."""
        self.done += samples
        over = []
        while self._ends and self.last[self._ends[-1]] < self.done:
            over.append(self._ends.pop())
        return over
