"""Samples that stay in their files: read block by block into a bounded buffer, ahead of training, shuffled by
blocks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._arrays import Floats
from trulysparse.data.matrix import as_matrix, not_finite, refusal
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError

BUFFER_BYTES = 512 << 20


class Blocks(Protocol):
    """A set of samples in files, cut into blocks of neighbouring ones."""

    @property
    def n_features(self) -> int:
        """Features a sample."""

    @property
    def bounds(self) -> NDArray[np.int64]:
        """Block b holds samples bounds[b] to bounds[b + 1]."""

    @property
    def block_bytes(self) -> int:
        """About how much memory a block takes."""

    def read(self, block: int) -> Any:
        """The samples of a block, a NumPy array or a CSR array."""


class StreamMatrix:
    """The samples `rows` of some blocks (None: all). buffer_bytes: memory for blocks that are read ahead.

    An epoch's order is shuffled in two steps, the same for a seed: blocks change places, and samples change places
    within pools of as many blocks as half of the buffer holds. Samples from all over the file meet in a batch, and the
    file is read in whole blocks."""

    streamed = True

    def __init__(
        self,
        blocks: Blocks,
        name: str = "X",
        rows: NDArray[np.int64] | None = None,
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        self.x: Any = self
        self.name = name
        self._blocks = blocks
        self._buffer_bytes = buffer_bytes
        self._rows = np.arange(int(blocks.bounds[-1])) if rows is None else rows
        self.n_samples, self.n_features = len(self._rows), blocks.n_features
        self._buffer: OrderedDict[int, Any] = OrderedDict()
        self._changed = threading.Condition()
        self._plan: _Plan | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(samples, features)."""
        return self.n_samples, self.n_features

    def __getitem__(self, rows: NDArray[np.int64]) -> StreamMatrix:
        """The given samples, still in their files."""
        return StreamMatrix(self._blocks, self.name, self._rows[rows], self._buffer_bytes)

    def followed_by(self, other: StreamMatrix) -> StreamMatrix:
        """These samples and then those of `other`, still in their files."""
        joined = _Joined(self._blocks, other._blocks, (self.name, other.name))
        rows = np.concatenate([self._rows, other._rows + int(self._blocks.bounds[-1])])
        return StreamMatrix(joined, self.name, rows, self._buffer_bytes)

    def feature_name(self, feature: int) -> str:
        """How to name a feature to the user."""
        names = getattr(self._blocks, "features", None)
        return str(feature) if names is None else f"'{names[feature]}'"

    def origin(self, sample: int) -> tuple[str, int]:
        """(name of the set, row in its file)."""
        row = int(self._rows[sample])
        return self._blocks.origin(row) if isinstance(self._blocks, _Joined) else (self.name, row)

    @property
    def pool(self) -> int:
        """Blocks whose samples are shuffled together."""
        return max(1, self._buffer_bytes // (2 * max(1, self._blocks.block_bytes)))

    def order(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """The samples `rows`, shuffled by blocks."""
        block_of = self._block_of(rows)
        first = np.searchsorted(block_of, np.arange(len(self._blocks.bounds)))
        if (np.diff(block_of) < 0).any():  # not in the order of the file
            by_block = np.argsort(block_of, kind="stable")
            rows, first = rows[by_block], np.searchsorted(block_of[by_block], np.arange(len(self._blocks.bounds)))
        blocks = rng.permutation(len(self._blocks.bounds) - 1)
        pools = []
        for start in range(0, len(blocks), self.pool):
            some = [rows[first[b] : first[b + 1]] for b in blocks[start : start + self.pool]]
            pools.append(rng.permutation(np.concatenate(some)))
        return np.concatenate(pools)

    def _block_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self._blocks.bounds, self._rows[rows], side="right") - 1

    @contextmanager
    def reading(self, order: NDArray[np.int64]) -> Iterator[None]:
        """Within it a thread reads ahead what this order needs."""
        plan = _Plan(self._block_of(order))
        reader = threading.Thread(target=self._read_ahead, args=(plan,), daemon=True)
        self._plan = plan
        reader.start()
        try:
            yield
        finally:
            with self._changed:
                plan.over = True
                self._changed.notify_all()
            reader.join()
            self._plan = None
            self._buffer.clear()

    def _read_ahead(self, plan: _Plan) -> None:
        room = max(2, self._buffer_bytes // max(1, self._blocks.block_bytes))
        try:
            for block in plan.blocks:
                with self._changed:
                    while len(self._buffer) >= room and not plan.over and plan.wanted != block:
                        self._changed.wait()
                    if plan.over:
                        return
                samples = self._blocks.read(block)
                with self._changed:
                    self._buffer[block] = samples
                    self._changed.notify_all()
        except BaseException as error:  # handed to the thread that waits for the block
            with self._changed:
                plan.error = error
                self._changed.notify_all()

    def _block(self, block: int) -> Any:
        """A block's samples: from the buffer where they are on their way, else read now."""
        plan = self._plan
        if plan is None or block not in plan.last:
            with self._changed:
                if block in self._buffer:
                    return self._buffer[block]
            samples = self._blocks.read(block)
            if plan is None:  # without an order neighbouring samples come together: one block is kept
                self._buffer.clear()
                self._buffer[block] = samples
            return samples
        with self._changed:
            plan.wanted = block
            self._changed.notify_all()
            while block not in self._buffer and plan.error is None:
                self._changed.wait()
            if plan.error is not None:
                raise plan.error
            return self._buffer[block]

    def _gather(self, rows: NDArray[np.int64]) -> Any:
        """The samples `rows`, in this order, as a NumPy array or a CSR array."""
        blocks, samples = self._block_of(rows), self._rows[rows]
        parts, places = [], []
        for block in dict.fromkeys(blocks.tolist()):
            here = np.flatnonzero(blocks == block)
            parts.append(self._block(block)[samples[here] - int(self._blocks.bounds[block])])
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

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """Fills out (n_features x stride) with the samples `rows`, scaled; InputError at NaN or infinity."""
        batch = self._gather(rows)
        try:
            as_matrix(batch, self.name).load(np.arange(len(rows)), out, scaling, threads)
        except InputError:
            found = not_finite(batch)
            if found is None:
                raise
            sample, feature, value = found
            raise refusal(self.origin(int(rows[sample])), self.feature_name(feature), value) from None

    def chunk(self, start: int, stop: int) -> Any:
        """Samples start to stop as a NumPy array or a CSR array."""
        return self._gather(np.arange(start, stop))


class _Joined:
    """The blocks of two sets, one after the other."""

    def __init__(self, first: Blocks, second: Blocks, names: tuple[str, str]) -> None:
        self._parts, self._names = (first, second), names
        self._split = len(first.bounds) - 1
        self.n_features = first.n_features
        self.bounds = np.concatenate([first.bounds, first.bounds[-1] + second.bounds[1:]])
        self.block_bytes = max(first.block_bytes, second.block_bytes)
        self._mixed = sp.issparse(first.read(0)) != sp.issparse(second.read(0))

    def read(self, block: int) -> Any:
        """The samples of a block."""
        late = block >= self._split
        samples = self._parts[late].read(block - late * self._split)
        return samples.toarray() if self._mixed and sp.issparse(samples) else samples

    def origin(self, row: int) -> tuple[str, int]:
        """(name of the set, row in it)."""
        length = int(self._parts[0].bounds[-1])
        return (self._names[0], row) if row < length else (self._names[1], row - length)


class _Plan:
    """The blocks that an order needs: in which order, and after how many samples each is done with."""

    def __init__(self, block_of: NDArray[np.int64]) -> None:
        blocks, first = np.unique(block_of, return_index=True)
        self.blocks: list[int] = blocks[np.argsort(first)].tolist()
        _, from_end = np.unique(block_of[::-1], return_index=True)
        self.last = dict(zip(blocks.tolist(), (len(block_of) - 1 - from_end).tolist(), strict=True))
        self._ends = sorted(self.last, key=self.last.__getitem__, reverse=True)
        self._at = 0
        self.wanted = -1
        self.over = False
        self.error: BaseException | None = None

    def passed(self, samples: int) -> Iterator[int]:
        """Counts samples; gives the blocks that are done with."""
        self._at += samples
        while self._ends and self.last[self._ends[-1]] < self._at:
            yield self._ends.pop()
