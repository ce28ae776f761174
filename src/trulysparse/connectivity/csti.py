"""A start made of the samples: hidden neurons stand for features and see those that correlate most with theirs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.random import generator, stream_key
from trulysparse.connectivity.correlation import Correlation, as_samples
from trulysparse.connectivity.indexed import Connectivity, check_count
from trulysparse.connectivity.receptive import receptive_fields
from trulysparse.connectivity.sampling import coordinates_of, keys_of, merged_keys
from trulysparse.errors import InputError

_COLUMNS = 256  # features whose correlations with all others are held at once
_SELF = 2.0  # a feature with itself comes before all others


class CSTI:
    """Correlated Sparse Topological Initialization: the layer that sees the inputs is drawn from the samples.

    Each neuron of the first hidden layer stands for a feature, feature after feature and again from the first where
    there are more neurons; where there are fewer, features are drawn at random. It is connected to that feature and to
    those that correlate most with it: of all pairs of a feature and a neuron, those with the largest |Pearson
    correlation| are connected. Features that are constant take no part; where connections are left, they are uniformly
    random. The other layers are receptive fields, see `receptive_fields`.

    Correlations are those of at most `max_samples` samples, drawn at random, and fewer of very many features (2^25
    values at most); they are computed for 256 features at a time, and neurons stand for at most `max_features`
    different ones. So memory is linear in features and connections. The scale of features does not matter.

    Args:
        X: (n_samples, n_features) finite numbers, an array or a SciPy sparse matrix; of samples in order, all classes
            should be there.
        r: of the other layers, in (0, 1], see `receptive_fields`.
        max_samples: samples that correlations are computed from, 2 to 32,768.
        max_features: different features that neurons stand for, at least 1.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Zhang et al., "Epitopological learning and Cannistraci-Hebb network shape intelligence brain-inspired theory for
        ultra-sparse advantage in deep learning" (2024), appendix; Zhang et al., "Brain network science modelling of
        sparse neural networks enables transformers and LLMs to perform as fully connected" (2025).

    Example:
        >>> import numpy as np
        >>> from trulysparse.connectivity import CSTI
        >>> X = np.random.default_rng(0).normal(size=(200, 4))
        >>> X[:, 3] = X[:, 0] + 0.1 * X[:, 3]  # the first and the last are nearly the same
        >>> first, _ = CSTI(X).draw_network((4, 4, 2), (6, 8), seed=0, threads=1)
        >>> first.pattern().toarray().astype(int).tolist()
        [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]]
    """

    def __init__(self, X: Any, *, r: float = 0.25, max_samples: int = 10_000, max_features: int = 20_000) -> None:
        self.r = checks.real("r", r, low=0, high=1, low_open=True)
        self.max_samples = checks.integer("max_samples", max_samples, low=2, high=1 << 15)
        self.max_features = checks.integer("max_features", max_features, low=1)
        self.X = as_samples(X)

    def __repr__(self) -> str:
        return f"CSTI(X of shape {self.X.shape}, r={self.r:g})"

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
        if layer_sizes[0] != self.X.shape[1]:
            raise InputError(f"X has {self.X.shape[1]} features, but the network has {layer_sizes[0]} inputs")
        threads = checks.thread_count(threads)
        layers = []
        for number, (count, (n_in, n_out)) in enumerate(zip(counts, pairwise(layer_sizes), strict=True)):
            key = stream_key(seed, "correlated layer", number)
            if number == 0 and len(counts) > 1:
                layers.append(self._first_layer(n_in, n_out, count, key, threads))
            else:
                layers.append(receptive_fields(n_in, n_out, count, r=self.r, seed=key, threads=threads))
        return layers

    def _first_layer(self, n_in: int, n_out: int, count: int, seed: int, threads: int) -> Connectivity:
        check_count(n_in, n_out, count, threads)
        random = generator(seed, "features")
        correlation = Correlation.of_samples(self.X, self.max_samples, random)
        features = np.flatnonzero(correlation.varies)
        most = min(n_out, self.max_features)
        if len(features) > most:
            features = np.sort(random.permutation(features)[:most])
        held = np.empty(0, np.int64)
        if len(features) and count:
            inputs, standing = _largest(correlation, features, -(-count // (n_out // len(features))))
            held = _tiled(inputs, standing, len(features), n_out, count)
        ptr, index = coordinates_of(np.sort(held), n_in, n_out)
        if len(held) < count:
            rest = _kernels.sample_empty(ptr, index, n_out, None, count - len(held), stream_key(seed, "rest"), threads)
            ptr, index = coordinates_of(merged_keys(held, keys_of(rest, n_out)), n_in, n_out)
        return Connectivity.trusted(n_in, n_out, ptr, index, threads)


def _largest(
    correlation: Correlation, features: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The `count` pairs of a feature and one of `features` with the largest |correlation|, largest first, as (features,
    places in `features`). Those without correlation are left out."""
    value, pair = np.empty(0), np.empty(0, np.int64)
    least = 0.0
    for start in range(0, len(features), _COLUMNS):
        columns = np.arange(start, min(len(features), start + _COLUMNS))
        block = np.abs(correlation.with_all(features[columns]))  # (n_features, columns)
        block[features[columns], np.arange(len(columns))] = _SELF
        rows, inside = np.nonzero(block > least)
        value = np.concatenate([value, block[rows, inside]])
        pair = np.concatenate([pair, rows * len(features) + columns[inside]])
        if len(value) > count:
            top = np.argpartition(-value, count - 1)[:count]
            value, pair = value[top], pair[top]
            least = float(value.min())
    inputs, places = np.divmod(pair[np.lexsort((pair, -value))], len(features))
    return inputs, places


def _tiled(
    inputs: NDArray[np.int64], standing: NDArray[np.int64], n_features: int, n_out: int, count: int
) -> NDArray[np.int64]:
    """The first `count` connections, as input * n_out + neuron, of pairs of an input and a feature's place, where
    neuron k stands for the feature in place k mod n_features."""
    copies = (n_out - 1 - standing) // n_features + 1
    ends = np.cumsum(copies)
    which = np.repeat(np.arange(len(copies)), copies)[:count]
    neuron = standing[which] + n_features * (np.arange(len(which)) - (ends - copies)[which])
    keys: NDArray[np.int64] = inputs[which] * n_out + neuron
    return keys
