"""A start in which each hidden neuron sees inputs that are correlated with each other, through all layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.random import generator, stream_key
from trulysparse.connectivity.correlation import Correlation, as_samples
from trulysparse.connectivity.indexed import Connectivity, check_count
from trulysparse.connectivity.patterns import fixed_fan_in
from trulysparse.connectivity.sampling import even_degrees
from trulysparse.errors import InputError

_BLOCK_VALUES = 1 << 22  # of correlations held at a time

Numbers = NDArray[np.int64]


class CorrelatedFields:
    """Draws a network whose hidden neurons have receptive fields that are found in the data, without knowing where
    inputs lie. Each hidden neuron is given an input as its centre, all inputs about equally often. It is connected to
    those neurons of the layer before whose centres have the largest absolute correlation with its own; an input is its
    own centre. In images these are neighbouring pixels, and fields grow from layer to layer. The output layer has no
    centres: each output has inputs drawn uniformly.

    Args:
        X: (n_samples, n_features) finite numbers, an array or a SciPy sparse matrix: the training samples.
        max_samples: samples, drawn at random, that correlations are computed from, 2 to 32,768; fewer of very many
            features.

    Raises:
        InputError: where an argument is out of range.

    Source:
        An extension of CSTI, see there, which draws the first layer so, from the largest correlations of all pairs, and
        others without regard to what neurons stand for.

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

    def __init__(self, X: Any, *, max_samples: int = 4096) -> None:
        self.max_samples = checks.integer("max_samples", max_samples, low=2, high=1 << 15)
        self.X = as_samples(X)

    def __repr__(self) -> str:
        return f"CorrelatedFields(X of shape {self.X.shape})"

    def draw_network(
        self, layer_sizes: Sequence[int], counts: Sequence[int], *, seed: int = 0, threads: int | None = None
    ) -> list[Connectivity]:
        """Draws all layers of a network.

        Args:
            layer_sizes: neurons per layer, input first, output last.
            counts: connections of each layer.
            seed: at least 0; the same connections for a seed, whatever `threads`.
            threads: at least 1; None: all of this machine's.

        Returns:
            A Connectivity for each layer, with exactly as many connections as wanted.

        Raises:
            InputError: where X has not as many features as the network has inputs, or holds what is not finite.
        """
        threads = checks.thread_count(threads)
        if self.X.shape[1] != layer_sizes[0]:
            raise InputError(f"X has {self.X.shape[1]} features, but the network has {layer_sizes[0]} inputs")
        random = generator(seed, "correlated fields")
        correlation = Correlation.of_samples(self.X, self.max_samples, random)
        varying = np.flatnonzero(correlation.varies)
        if not len(varying):
            raise InputError("X has no feature that varies: connections cannot follow correlations")
        layers, sources = [], np.arange(layer_sizes[0])
        for count, (n_in, n_out) in zip(counts[:-1], pairwise(layer_sizes[:-1]), strict=True):
            check_count(n_in, n_out, count, threads)
            repeats = -(-n_out // len(varying))
            centres = np.concatenate([random.permutation(varying) for _ in range(repeats)])[:n_out]
            layers.append(_nearest(correlation, sources, centres, count, random, threads))
            sources = centres
        (n_in, n_out), key = layer_sizes[-2:], stream_key(seed, "output layer")
        return [*layers, fixed_fan_in(n_in, n_out, counts[-1], seed=key, threads=threads)]


def _nearest(
    correlation: Correlation,
    sources: Numbers,
    centres: Numbers,
    count: int,
    random: np.random.Generator,
    threads: int,
) -> Connectivity:
    """A layer in which each neuron has the inputs whose centres are most correlated with its own. Neurons have the same
    number of inputs, or one more."""
    n_in, n_out = len(sources), len(centres)
    degree = even_degrees(n_out, count, random)
    ptr = np.concatenate([[0], np.cumsum(degree)])
    index = np.empty(count, np.int32)
    for start, stop, close in _closeness(correlation, sources, centres, random):
        for k in np.unique(degree[start:stop]):
            chosen = np.flatnonzero(degree[start:stop] == k)
            best = np.argpartition(close[chosen], n_in - max(k, 1), axis=1)[:, n_in - k :]
            places = ptr[start + chosen][:, None] + np.arange(k)
            index[places] = np.sort(best, axis=1)
    con, _ = Connectivity.from_outputs(n_in, n_out, ptr, index, threads)
    return con


def _closeness(
    correlation: Correlation, sources: Numbers, centres: Numbers, random: np.random.Generator
) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """(first neuron, last + 1, absolute correlations of their centres with those of all inputs), block by block; where
    correlations are equal, as of inputs with the same centre, in a random order."""
    block = max(1, _BLOCK_VALUES // max(len(sources), len(correlation.sums)))
    for start in range(0, len(centres), block):
        stop = min(len(centres), start + block)
        close = np.abs(correlation.with_all(centres[start:stop]))[sources].T
        close = close + 1e-6 * random.random(close.shape)
        yield start, stop, close
