"""First layers whose connections go to the features that say most of the targets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.random import generator, stream_key
from trulysparse.connectivity.coordinates import Coordinates
from trulysparse.connectivity.indexed import Connectivity
from trulysparse.connectivity.patterns import uniform
from trulysparse.connectivity.sampling import sample_weighted
from trulysparse.errors import InputError


class FScore:
    """Draws the connections of the first layer with probability proportional to a score of their feature, those of the
    other layers uniformly.

    With few samples and many features most features are noise: neurons that see more of the others learn more. A
    feature of low score keeps a chance, so that what matters only together with others is not lost.

    Args:
        scores: (n_features,), at least 0, where all are 0, all features are alike; see trulysparse.data.f_scores.

    Raises:
        InputError: where scores are none.

    Example:
        >>> import numpy as np
        >>> from trulysparse.connectivity import FScore
        >>> scores = np.array([8.0, 1.0, 1.0, 0.0])
        >>> first, last = FScore(scores).draw_network((4, 100, 2), (100, 50), seed=0)
        >>> np.diff(first.by_input.ptr).tolist()
        [72, 18, 10, 0]
    """

    def __init__(self, scores: ArrayLike) -> None:
        self.scores: NDArray[np.float64] = np.asarray(scores, dtype=np.float64)
        if self.scores.ndim != 1 or not np.isfinite(self.scores).all() or (self.scores < 0).any():
            raise InputError("scores must be one finite number of at least 0 per feature")

    def __repr__(self) -> str:
        return f"FScore({len(self.scores)} features)"

    def draw_network(
        self, layer_sizes: Sequence[int], counts: Sequence[int], *, seed: int = 0, threads: int | None = None
    ) -> list[Connectivity]:
        """The connectivity of all layers.

        Args:
            layer_sizes: neurons per layer, input first; the first as many as there are scores.
            counts: connections of each layer.
            seed: at least 0; the same connections for a seed, whatever `threads`.
            threads: at least 1; None: all of this machine's.

        Returns:
            A Connectivity per layer.

        Raises:
            InputError: where there are not as many features as scores.
        """
        threads = checks.thread_count(threads)
        if layer_sizes[0] != len(self.scores):
            raise InputError(f"scores are of {len(self.scores)} features, but the network has {layer_sizes[0]} inputs")
        layers = [self._first(layer_sizes[0], layer_sizes[1], counts[0], seed, threads)]
        for number, (n_in, n_out) in enumerate(pairwise(layer_sizes[1:]), start=1):
            layers.append(uniform(n_in, n_out, counts[number], seed=stream_key(seed, "layer", number), threads=threads))
        return layers

    def _first(self, n_in: int, n_out: int, count: int, seed: int, threads: int) -> Connectivity:
        if count >= n_in * n_out or not self.scores.any():
            return uniform(n_in, n_out, count, seed=seed, threads=threads)

        def rest() -> Coordinates:
            nothing = np.zeros(n_in + 1, np.int64), np.empty(0, np.int32)
            ptr, index = _kernels.sample_empty(*nothing, n_out, None, n_in * n_out, stream_key(seed, "all"), threads)
            return ptr, index

        def empty(coordinates: Coordinates) -> NDArray[np.bool_]:
            return np.ones(len(coordinates[1]), bool)

        random = generator(seed, "f-score")
        ptr, index = sample_weighted(self.scores, np.ones(n_out), count, random, empty, rest)
        return Connectivity.trusted(n_in, n_out, ptr, index, threads)
