"""A start in which each hidden neuron sees inputs that are correlated with each other, through all layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.random import generator
from trulysparse.connectivity.indexed import Connectivity, check_size
from trulysparse.connectivity.patterns import fixed_fan_in
from trulysparse.errors import InputError

_MOST_VALUES = 1 << 24  # of samples that correlations are taken of
_BLOCK_VALUES = 1 << 22  # of correlations held at a time

Numbers = NDArray[np.int64]


class CorrelatedFields:
    """Draws a network whose hidden neurons have receptive fields that are found in the data, without knowing where
    inputs lie. Each hidden neuron is given an input as its centre, all inputs about equally often. It is connected to
    those neurons of the layer before whose centres have the largest absolute correlation with its own; an input is its
    own centre. In images these are neighbouring pixels, and fields grow from layer to layer. The output layer has no
    centres: each output has inputs drawn uniformly.

    Args:
        X: (n_samples, n_inputs), an array or a SciPy sparse array or matrix of finite numbers: the training samples.
            Correlations are taken of as many, drawn at random, as hold 16 million values.

    Raises:
        InputError: where X is not two-dimensional and numeric.

    Source:
        CSTI does so in the layers that see inputs, with the largest correlations of all pairs: Zhang et al., "Brain
        network science modelling of sparse neural networks enables Transformers and LLMs to perform as fully
        connected", NeurIPS 2025, section 3. The centres, which lead through all layers, are an extension.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> signal = np.random.default_rng(0).standard_normal((200, 5))
        >>> X = np.repeat(signal, 4, axis=1) + 0.1 * np.random.default_rng(1).standard_normal((200, 20))
        >>> first, _ = ts.connectivity.CorrelatedFields(X).draw_network((20, 10, 2), (40, 20))
        >>> fields = first.by_output.index.reshape(10, 4) // 4
        >>> bool((fields == fields[:, :1]).all())  # each neuron sees one of the five signals
        True
    """

    def __init__(self, X: Any) -> None:
        self.X = X if sp.issparse(X) else np.asarray(X)
        if self.X.ndim != 2 or self.X.dtype.kind not in "iufb" or 0 in self.X.shape:
            raise InputError("X must have shape (n_samples, n_inputs), numbers, where connections follow correlations")

    def draw_network(
        self, layer_sizes: Sequence[int], counts: Sequence[int], *, seed: int = 0, threads: int | None = None
    ) -> list[Connectivity]:
        """Draws all layers of a network.

        Args:
            layer_sizes: neurons per layer, input first, output last.
            counts: connections wanted of each layer.
            seed: at least 0; the same connections for a seed.
            threads: at least 1; None: all of this machine's.

        Returns:
            A Connectivity for each layer, with exactly as many connections as wanted.

        Raises:
            InputError: where X has another number of features than the network, or values that are not finite.
        """
        threads = checks.thread_count(threads)
        if self.X.shape[1] != layer_sizes[0]:
            raise InputError(f"X has {self.X.shape[1]} features, but the network {layer_sizes[0]} inputs")
        random = generator(seed, "correlated fields")
        samples = self._standardised(random)
        varying = np.flatnonzero(samples.any(axis=0))
        if not len(varying):
            raise InputError("X has no feature that varies: connections cannot follow correlations")
        layers, sources = [], np.arange(layer_sizes[0])
        for count, (n_in, n_out) in zip(counts[:-1], pairwise(layer_sizes[:-1]), strict=True):
            check_size(n_in, n_out, count)
            repeats = -(-n_out // len(varying))
            centres = np.concatenate([random.permutation(varying) for _ in range(repeats)])[:n_out]
            layers.append(_nearest(samples, sources, centres, count, random, threads))
            sources = centres
        last = fixed_fan_in(layer_sizes[-2], layer_sizes[-1], counts[-1], seed=seed, threads=threads)
        return [*layers, last]

    def _standardised(self, random: np.random.Generator) -> NDArray[np.float32]:
        """Samples with mean 0 and length 1 in each feature, 0 in constant ones, so that products are correlations."""
        n, n_features = self.X.shape
        some = max(2, _MOST_VALUES // n_features)
        rows: Any = np.sort(random.permutation(n)[:some]) if some < n else slice(None)
        taken = self.X.tocsr()[rows].toarray() if sp.issparse(self.X) else self.X[rows]
        samples = taken.astype(np.float64 if len(taken) * n_features < _BLOCK_VALUES else np.float32)
        if not np.isfinite(samples).all():
            raise InputError("X must hold finite numbers")
        largest = np.abs(samples).max(axis=0)
        samples /= np.where(largest > 0, largest, 1)
        samples -= samples.mean(axis=0)
        length = np.sqrt(np.einsum("ij,ij->j", samples, samples))
        small = length <= 1e-6 * np.sqrt(len(samples))
        samples /= np.where(small, np.inf, length)
        return samples.astype(np.float32, copy=False)


def _nearest(
    samples: NDArray[np.float32],
    sources: Numbers,
    centres: Numbers,
    count: int,
    random: np.random.Generator,
    threads: int,
) -> Connectivity:
    """A layer in which each neuron has the inputs whose centres are most correlated with its own. Neurons have the same
    number of inputs, or one more."""
    n_in, n_out = len(sources), len(centres)
    degree = np.full(n_out, count // n_out)
    degree[random.permutation(n_out)[: count % n_out]] += 1
    ptr = np.concatenate([[0], np.cumsum(degree)])
    index = np.empty(count, np.int32)
    for start, stop, close in _closeness(samples, sources, centres, random):
        for k in np.unique(degree[start:stop]):
            chosen = np.flatnonzero(degree[start:stop] == k)
            best = np.argpartition(close[chosen], n_in - max(k, 1), axis=1)[:, n_in - k :]
            places = ptr[start + chosen][:, None] + np.arange(k)
            index[places] = np.sort(best, axis=1)
    con, _ = Connectivity.from_outputs(n_in, n_out, ptr, index, threads)
    return con


def _closeness(
    samples: NDArray[np.float32], sources: Numbers, centres: Numbers, random: np.random.Generator
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """(first neuron, last + 1, absolute correlations of their centres with those of all inputs), block by block; where
    correlations are equal, as of inputs with the same centre, in a random order."""
    block = max(1, _BLOCK_VALUES // max(len(sources), samples.shape[1]))
    for start in range(0, len(centres), block):
        stop = min(len(centres), start + block)
        close = np.abs(samples[:, centres[start:stop]].T @ samples)[:, sources]
        close += np.float32(1e-5) * random.random(close.shape, np.float32)
        yield start, stop, close
