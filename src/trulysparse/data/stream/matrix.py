"""Samples that stay in their files: read block by block into a bounded buffer, ahead of training, shuffled by
blocks."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.data.scaling import Scaling
from trulysparse.data.stream.reader import StreamReader

BUFFER_BYTES = 512 << 20


class Blocks(Protocol):
    """Samples in files, cut into blocks of consecutive ones."""

    @property
    def n_features(self) -> int:
        """Features per sample."""

    @property
    def bounds(self) -> NDArray[np.int64]:
        """Block b holds samples bounds[b] to bounds[b + 1]."""

    @property
    def block_bytes(self) -> int:
        """Approximate size of a block in bytes."""

    def read(self, block: int) -> Any:
        """The samples of a block, a NumPy array or a CSR array."""


class StreamMatrix:
    """Samples that stay in their files; a Matrix.

    An epoch's order is shuffled in two steps, the same for a seed: blocks are shuffled, and samples are shuffled within
    pools of as many blocks as half of the buffer holds. So a batch mixes samples from all over the file, though the
    file is read in whole blocks.

    Args:
        blocks: the files; see Blocks.
        name: what messages call the samples.
        rows: numbers of the samples to use, int64, in this order; None: all.
        buffer_bytes: memory for blocks that are read ahead, in bytes.

    Example:
        >>> from trulysparse.data.synthetic import MadelonLike
        >>> matrix = StreamMatrix(MadelonLike(600, 40, seed=3))
        >>> matrix.shape, matrix[np.arange(5)].shape
        ((600, 40), (5, 40))
        >>> order = matrix.order(np.arange(600), np.random.default_rng(0))
        >>> out = np.empty((40, 16), np.float32)
        >>> with matrix.reader(order) as reader:
        ...     reader.load(order[:16], out, None, 1)
    """

    streamed = True
    what = "features"
    """What messages call the values: features or targets."""

    def __init__(
        self,
        blocks: Blocks,
        name: str = "X",
        rows: NDArray[np.int64] | None = None,
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        self.x: Any = self
        self.name = name
        self.blocks = blocks
        self._buffer_bytes = buffer_bytes
        self.sample_numbers = np.arange(int(blocks.bounds[-1])) if rows is None else rows
        self.n_samples, self.n_features = len(self.sample_numbers), blocks.n_features
        largest = int(np.diff(blocks.bounds).max()) if len(blocks.bounds) > 1 else 1
        self.sample_bytes = blocks.block_bytes / max(1, largest)

    @property
    def shape(self) -> tuple[int, int]:
        """(samples, features)."""
        return self.n_samples, self.n_features

    def __getitem__(self, rows: NDArray[np.int64]) -> StreamMatrix:
        """The given samples; they stay in their files."""
        return StreamMatrix(self.blocks, self.name, self.sample_numbers[rows], self._buffer_bytes)

    def called(self, name: str, what: str = "features") -> StreamMatrix:
        """The same samples under another name in messages."""
        twin = StreamMatrix(self.blocks, name, self.sample_numbers, self._buffer_bytes)
        twin.what = what
        return twin

    def followed_by(self, other: StreamMatrix) -> StreamMatrix:
        """These samples and then those of `other`; all stay in their files."""
        joined = _Joined(self.blocks, other.blocks, (self.name, other.name))
        rows = np.concatenate([self.sample_numbers, other.sample_numbers + int(self.blocks.bounds[-1])])
        return StreamMatrix(joined, self.name, rows, self._buffer_bytes)

    def feature_name(self, feature: int) -> str:
        """What messages call a feature."""
        names = getattr(self.blocks, "features", None)
        return str(feature) if names is None else f"'{names[feature]}'"

    def origin(self, sample: int) -> tuple[str, int]:
        """(name of the set, row in its file)."""
        row = int(self.sample_numbers[sample])
        return self.blocks.origin(row) if isinstance(self.blocks, _Joined) else (self.name, row)

    @property
    def n_buffered_blocks(self) -> int:
        """How many blocks the buffer holds."""
        return max(2, self._buffer_bytes // max(1, self.blocks.block_bytes))

    @property
    def n_pooled_blocks(self) -> int:
        """How many blocks have their samples shuffled together."""
        return max(1, self._buffer_bytes // (2 * max(1, self.blocks.block_bytes)))

    def order(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """The samples `rows`, shuffled by blocks."""
        block_of = self.blocks_of(rows)
        first = np.searchsorted(block_of, np.arange(len(self.blocks.bounds)))
        if (np.diff(block_of) < 0).any():  # not in the order of the file
            by_block = np.argsort(block_of, kind="stable")
            rows, first = rows[by_block], np.searchsorted(block_of[by_block], np.arange(len(self.blocks.bounds)))
        blocks = rng.permutation(len(self.blocks.bounds) - 1)
        pools = []
        for start in range(0, len(blocks), self.n_pooled_blocks):
            some = [rows[first[b] : first[b + 1]] for b in blocks[start : start + self.n_pooled_blocks]]
            pools.append(rng.permutation(np.concatenate(some)))
        return np.concatenate(pools)

    def blocks_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The block of each of the samples `rows`."""
        return np.searchsorted(self.blocks.bounds, self.sample_numbers[rows], side="right") - 1

    def reader(self, order: NDArray[np.int64] | None = None) -> StreamReader:
        """See Matrix.reader."""
        return StreamReader(self, order)

    def shared_by(self, readers: int) -> StreamMatrix:
        """See Matrix.shared_by."""
        twin = self.called(self.name, self.what)
        twin._buffer_bytes //= readers
        return twin

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """See Reader; each call reads the files again."""
        with self.reader() as reader:
            reader.load(rows, out, scaling, threads)

    def chunk(self, start: int, stop: int) -> Any:
        """See Reader; each call reads the files again."""
        with self.reader() as reader:
            return reader.chunk(start, stop)


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
