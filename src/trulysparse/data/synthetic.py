"""A synthetic classification task of any size, made block by block: the family of scikit-learn's make_classification,
which cannot make sets larger than memory. Its blocks can be streamed (data.stream) without ever being written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.random import generator

BLOCK = 256  # samples made together; the same samples for a seed, whatever is asked for at a time


@dataclass(frozen=True)
class MadelonLike:
    """Two classes on the corners of a hypercube, like Madelon (Guyon 2003), at any size.

    n_samples, n_features: shape. informative, redundant: shares of the features that tell the classes apart, and that
    are sums of eight of those; the rest is noise. clusters: corners a class. separation: half the cube's edge, in
    standard deviations of a cluster. flip: share of samples whose label is drawn at random. seed: of everything."""

    n_samples: int
    n_features: int
    informative: float = 1 / 16
    redundant: float = 1 / 16
    clusters: int = 2
    separation: float = 0.25
    flip: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        checks.integer("n_samples", self.n_samples, low=1)
        checks.integer("n_features", self.n_features, low=1)
        checks.integer("clusters", self.clusters, low=1)
        for name in ("informative", "redundant", "flip"):
            checks.real(name, getattr(self, name), low=0, high=1)
        checks.real("separation", self.separation, low=0)

    @cached_property
    def _shape(self) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """Corners (2 * clusters x informative), sources and weights of redundant features, order of the features."""
        rng = generator(self.seed, "madelon-like")
        n = self.n_features
        informative = max(1, round(self.informative * n))
        redundant = min(n - informative, round(self.redundant * n))
        corners = rng.choice(np.array([-1, 1], np.float32), (2 * self.clusters, informative)) * np.float32(
            self.separation
        )
        sources = rng.integers(0, informative, (redundant, 8))
        weights = rng.uniform(-1, 1, (redundant, 8)).astype(np.float32)
        return corners, sources, weights, rng.permutation(n)

    @property
    def bounds(self) -> NDArray[np.int64]:
        """Block b holds samples bounds[b] to bounds[b + 1]."""
        return np.append(np.arange(0, self.n_samples, BLOCK), self.n_samples).astype(np.int64)

    @property
    def block_bytes(self) -> int:
        """Memory that a block takes."""
        return 4 * min(BLOCK, self.n_samples) * self.n_features

    @property
    def y(self) -> NDArray[np.int64]:
        """The labels: 0 and 1 in turn, but for those that are flipped."""
        labels = np.arange(self.n_samples) % 2
        rng = generator(self.seed, "madelon-like labels")
        drawn = rng.random((self.n_samples, 2))
        return np.where(drawn[:, 0] < self.flip, (drawn[:, 1] < 0.5).astype(np.int64), labels)

    def read(self, block: int) -> NDArray[np.float32]:
        """The samples of a block, made now."""
        start, stop = (int(bound) for bound in self.bounds[block : block + 2])
        corners, sources, weights, order = self._shape
        rng = generator(self.seed, "madelon-like block", block)
        values = rng.standard_normal((BLOCK, self.n_features), np.float32)[: stop - start]
        cluster = rng.integers(0, self.clusters, BLOCK)[: stop - start]
        n = corners.shape[1]
        values[:, :n] += corners[np.arange(start, stop) % 2 * self.clusters + cluster]
        values[:, n : n + len(sources)] = np.einsum("bfs,fs->bf", values[:, sources], weights)
        X = np.empty_like(values)
        X[:, order] = values
        return X

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(X, y), all samples in memory."""
        X = np.empty((self.n_samples, self.n_features), np.float32)
        self._fill(X)
        return X, self.y

    def write(self, folder: Path) -> None:
        """X.npy and y.npy in `folder`, a block in memory at a time."""
        folder.mkdir(parents=True, exist_ok=True)
        shape = self.n_samples, self.n_features
        X = np.lib.format.open_memmap(folder / "X.npy", mode="w+", dtype=np.float32, shape=shape)
        self._fill(X)
        X.flush()
        np.save(folder / "y.npy", self.y)

    def _fill(self, X: NDArray[np.float32]) -> None:
        for block in range(len(self.bounds) - 1):
            X[self.bounds[block] : self.bounds[block + 1]] = self.read(block)
