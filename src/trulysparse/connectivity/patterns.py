"""Connectivity patterns other than Erdős-Rényi. Each makes a layer n_in x n_out with exactly `count` distinct
connections, in time linear in them (up to sorting), the same for a seed whatever the threads."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.random import generator, stream_key
from trulysparse.connectivity.coordinates import Coordinates
from trulysparse.connectivity.indexed import Connectivity, check_count
from trulysparse.connectivity.receptive import receptive_fields
from trulysparse.connectivity.sampling import coordinates_of, even_degrees, keys_of, merged_keys, sample_weighted


class Pattern(Protocol):
    """Makes a layer's starting connectivity."""

    def __call__(self, n_in: int, n_out: int, count: int, *, seed: int = 0, threads: int | None = None) -> Connectivity:
        """A layer with `count` connections."""


def _sample(n_in: int, n_out: int, count: int, key: int, threads: int) -> Coordinates:
    nothing = np.zeros(n_in + 1, np.int64), np.empty(0, np.int32)
    ptr, index = _kernels.sample_empty(*nothing, n_out, None, count, key, threads)
    return ptr, index


def uniform(n_in: int, n_out: int, count: int, *, seed: int = 0, threads: int | None = None) -> Connectivity:
    """Every set of `count` connections is equally likely: Erdős-Rényi by number.

    Args:
        n_in: inputs, 1 to 2^31 - 1.
        n_out: outputs, 1 to 2^31 - 1.
        count: connections, 0 to n_in * n_out.
        seed: at least 0; the same connections for a seed, whatever `threads`.
        threads: at least 1; None: all of this machine's.

    Returns:
        A Connectivity with exactly `count` connections.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity" (2018), with
        the number of connections fixed rather than its expectation.

    Example:
        >>> from trulysparse.connectivity import uniform
        >>> uniform(100, 50, 600).n_connections
        600
    """
    threads = check_count(n_in, n_out, count, threads)
    ptr, index = _sample(n_in, n_out, count, stream_key(seed, "erdos-renyi"), threads)
    return Connectivity.trusted(n_in, n_out, ptr, index, threads)


def fixed_fan_in(n_in: int, n_out: int, count: int, *, seed: int = 0, threads: int | None = None) -> Connectivity:
    """Each output neuron has the same number of inputs, uniformly drawn.

    That is count / n_out; where it is not whole, randomly chosen neurons have one more.

    Args:
        n_in: inputs, 1 to 2^31 - 1.
        n_out: outputs, 1 to 2^31 - 1.
        count: connections, 0 to n_in * n_out.
        seed: at least 0; the same connections for a seed, whatever `threads`.
        threads: at least 1; None: all of this machine's.

    Returns:
        A Connectivity with exactly `count` connections.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> import numpy as np
        >>> from trulysparse.connectivity import fixed_fan_in
        >>> np.diff(fixed_fan_in(100, 4, 40).indptr).tolist()
        [10, 10, 10, 10]
    """
    threads = check_count(n_in, n_out, count, threads)
    random = generator(seed, "fixed fan-in")
    fan = even_degrees(n_out, count, random)
    # Where more than half of the inputs are wanted, it is the unwanted ones that are drawn.
    inverse = count > n_out * n_in // 2
    wanted = n_in - fan if inverse else fan
    held = np.empty(0, np.int64)
    while True:
        missing = wanted - np.bincount(held // n_in, minlength=n_out)
        if not missing.any():
            break
        rows = np.repeat(np.arange(n_out, dtype=np.int64) * n_in, missing)
        held = merged_keys(held, rows + random.integers(n_in, size=len(rows)))
    indptr, indices = coordinates_of(held, n_out, n_in)
    if inverse:
        indptr, indices = _kernels.sample_empty(indptr, indices, n_in, None, count, 0, threads)
    con, _ = Connectivity.from_outputs(n_in, n_out, indptr, indices, threads)
    return con


def small_world(
    n_in: int, n_out: int, count: int, *, rewiring: float = 0.1, seed: int = 0, threads: int | None = None
) -> Connectivity:
    """The small-world model for a layer.

    Inputs and outputs lie on two rings and each output is connected to the inputs nearest to it; then each connection
    moves with probability `rewiring` to uniformly random empty coordinates.

    Args:
        n_in: inputs, 1 to 2^31 - 1.
        n_out: outputs, 1 to 2^31 - 1.
        count: connections, 0 to n_in * n_out.
        rewiring: in [0, 1].
        seed: at least 0; the same connections for a seed, whatever `threads`.
        threads: at least 1; None: all of this machine's.

    Returns:
        A Connectivity with exactly `count` connections.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Watts and Strogatz, "Collective dynamics of small-world networks" (1998), figure 1.

    Example:
        >>> from trulysparse.connectivity import small_world
        >>> small_world(6, 3, 6, rewiring=0).pattern().toarray().astype(int).tolist()
        [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]
    """
    threads = check_count(n_in, n_out, count, threads)
    checks.real("rewiring", rewiring, low=0, high=1)
    fan = np.full(n_out, count // n_out, np.int64)
    # The remainder spread evenly along the ring.
    extra = np.arange(n_out + 1) * (count % n_out) // n_out
    fan += np.diff(extra)
    rows = np.repeat(np.arange(n_out, dtype=np.int64), fan)
    step = np.arange(count) - np.repeat(np.cumsum(fan) - fan, fan)
    center = (rows * 2 + 1) * n_in // (2 * n_out)
    columns = (center - np.repeat(fan, fan) // 2 + step) % n_in
    indptr, indices = coordinates_of(np.sort(rows * n_in + columns), n_out, n_in)
    keep = generator(seed, "small world").random(count) >= rewiring
    moved = count - int(np.count_nonzero(keep))
    if moved:
        marks = keep.astype(np.uint8)
        key = stream_key(seed, "small world", 1)
        grown = _kernels.sample_empty(indptr, indices, n_in, marks, moved, key, threads)
        indptr, indices, _ = _kernels.rewire(indptr, indices, marks, *grown, [], None, threads)
    con, _ = Connectivity.from_outputs(n_in, n_out, indptr, indices, threads)
    return con


def scale_free(
    n_in: int, n_out: int, count: int, *, exponent: float = 2.5, seed: int = 0, threads: int | None = None
) -> Connectivity:
    """Degrees on both sides follow a power law, as far as the number of neurons allows.

    Neurons get weights r^(-1 / (exponent - 1)), r their rank in a random order, and connections are drawn with
    probability proportional to the product of the weights at their ends.

    Args:
        n_in: inputs, 1 to 2^31 - 1.
        n_out: outputs, 1 to 2^31 - 1.
        count: connections, 0 to n_in * n_out.
        exponent: of the power law, above 1.
        seed: at least 0; the same connections for a seed, whatever `threads`.
        threads: at least 1; None: all of this machine's.

    Returns:
        A Connectivity with exactly `count` connections.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Goh, Kahng and Kim, "Universal behavior of load distribution in scale-free networks" (2001), the static model.

    Example:
        >>> import numpy as np
        >>> from trulysparse.connectivity import scale_free
        >>> bool(np.diff(scale_free(1000, 1000, 5000).indptr).max() > 50)  # the mean is 5
        True
    """
    threads = check_count(n_in, n_out, count, threads)
    checks.real("exponent", exponent, low=1, low_open=True)
    random = generator(seed, "scale free")

    def weights(n: int) -> NDArray[np.float64]:
        return random.permutation((1.0 + np.arange(n)) ** (-1 / (exponent - 1)))

    ptr, index = sample_weighted(
        weights(n_in),
        weights(n_out),
        count,
        random,
        lambda coordinates: np.ones(len(coordinates[1]), np.bool_),
        lambda: _sample(n_in, n_out, n_in * n_out, 0, threads),
    )
    return Connectivity.trusted(n_in, n_out, ptr, index, threads)


def block_local(
    n_in: int, n_out: int, count: int, *, blocks: int = 8, seed: int = 0, threads: int | None = None
) -> Connectivity:
    """Inputs and outputs are cut into runs of neighbours; connections lie within a pair of runs, uniformly.

    Args:
        n_in: inputs, 1 to 2^31 - 1.
        n_out: outputs, 1 to 2^31 - 1.
        count: connections, 0 to n_in * n_out.
        blocks: runs, at least 1; fewer where pairs of runs could not hold `count` connections.
        seed: at least 0; the same connections for a seed, whatever `threads`.
        threads: at least 1; None: all of this machine's.

    Returns:
        A Connectivity with exactly `count` connections.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> from trulysparse.connectivity import block_local
        >>> block_local(4, 4, 8, blocks=2).pattern().toarray().astype(int).tolist()
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    """
    threads = check_count(n_in, n_out, count, threads)
    blocks = min(checks.integer("blocks", blocks, low=1), n_in, n_out)
    while True:
        row, column = (np.arange(blocks + 1) * n // blocks for n in (n_in, n_out))
        block_sizes = [int(h) * int(w) for h, w in zip(np.diff(row), np.diff(column), strict=True)]
        if count <= sum(block_sizes):
            break
        blocks -= 1
    ends = [done * count // sum(block_sizes) for done in accumulate(block_sizes, initial=0)]
    shares = [b - a for a, b in pairwise(ends)]
    keys = []
    for b, share in enumerate(shares):
        height, width = int(row[b + 1] - row[b]), int(column[b + 1] - column[b])
        inside = keys_of(_sample(height, width, share, stream_key(seed, "block", b), threads), width)
        i, j = np.divmod(inside, width)
        keys.append((row[b] + i) * n_out + column[b] + j)
    ptr, index = coordinates_of(np.concatenate(keys), n_in, n_out)
    return Connectivity.trusted(n_in, n_out, ptr, index, threads)


PATTERNS: dict[str, Pattern] = {
    "erdos_renyi": uniform,
    "fixed_fan_in": fixed_fan_in,
    "small_world": small_world,
    "scale_free": scale_free,
    "block_local": block_local,
    "brf": receptive_fields,
}
