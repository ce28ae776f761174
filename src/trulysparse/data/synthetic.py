"""A synthetic classification task of any size, made block by block: the family of scikit-learn's make_classification,
which cannot make sets larger than memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trulysparse import _checks
from trulysparse._random import generator

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
        _checks.integer("n_samples", self.n_samples, low=1)
        _checks.integer("n_features", self.n_features, low=1)
        _checks.integer("clusters", self.clusters, low=1)
        for name in ("informative", "redundant", "flip"):
            _checks.real(name, getattr(self, name), low=0, high=1)
        _checks.real("separation", self.separation, low=0)

    def _shape(self) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """Corners (2 * clusters x informative), sources and weights of redundant features, order of the features."""
        rng = generator(self.seed, "madelon-like")
        n = self.n_features
        informative = max(1, round(self.informative * n))
        redundant = min(n - informative, round(self.redundant * n))
        corners = rng.choice(np.float32([-1, 1]), (2 * self.clusters, informative)) * np.float32(self.separation)
        sources = rng.integers(0, informative, (redundant, 8))
        weights = rng.uniform(-1, 1, (redundant, 8)).astype(np.float32)
        return corners, sources, weights, rng.permutation(n)

    def blocks(self) -> list[tuple[int, int]]:
        """(first sample, past the last) of each block."""
        return [(start, min(start + BLOCK, self.n_samples)) for start in range(0, self.n_samples, BLOCK)]

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(X, y), all samples in memory."""
        X = np.empty((self.n_samples, self.n_features), np.float32)
        return X, self.fill(X)

    def write(self, folder: Path) -> None:
        """X.npy and y.npy in `folder`, a block in memory at a time."""
        folder.mkdir(parents=True, exist_ok=True)
        X = np.lib.format.open_memmap(
            folder / "X.npy", mode="w+", dtype=np.float32, shape=(self.n_samples, self.n_features)
        )
        np.save(folder / "y.npy", self.fill(X))
        X.flush()

    def fill(self, X: NDArray[np.float32]) -> NDArray[np.int64]:
        """Fills X, block by block; returns the labels, 0 and 1 in turn, but for those flipped."""
        shape = self._shape()
        return np.concatenate([self._block(X[start:stop], start, shape) for start, stop in self.blocks()])

    def _block(
        self,
        X: NDArray[np.float32],
        start: int,
        shape: tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]],
    ) -> NDArray[np.int64]:
        corners, sources, weights, order = shape
        rng = generator(self.seed, "madelon-like block", start)
        values = rng.standard_normal((BLOCK, self.n_features), np.float32)[: len(X)]
        labels = np.arange(start, start + len(X)) % 2
        cluster = rng.integers(0, self.clusters, BLOCK)[: len(X)]
        n = corners.shape[1]
        values[:, :n] += corners[labels * self.clusters + cluster]
        values[:, n : n + len(sources)] = np.einsum("bfs,fs->bf", values[:, sources], weights)
        X[:, order] = values
        flipped = rng.random(BLOCK)[: len(X)] < self.flip
        return np.where(flipped, rng.integers(0, 2, BLOCK)[: len(X)], labels)
