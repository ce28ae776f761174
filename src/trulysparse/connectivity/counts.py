"""How many connections each layer of a network gets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from trulysparse._core import checks


def connection_count(n_in: int, n_out: int, epsilon: float) -> int:
    """Connections of an Erdős-Rényi layer: epsilon * (n_in + n_out), or all n_in * n_out if fewer."""
    return min(round(epsilon * (n_in + n_out)), n_in * n_out)


def epsilon_counts(layer_sizes: Sequence[int], epsilon: float) -> list[int]:
    """round(epsilon * (n_in + n_out)) connections per layer, at most all.

    Args:
        layer_sizes: neurons per layer, input first, output last.
        epsilon: Erdős-Rényi sparsity, above 0.

    Returns:
        Connections of each layer.

    Source:
        Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity" (2018), eq.
        1.

    Example:
        >>> from trulysparse.connectivity import epsilon_counts
        >>> epsilon_counts((784, 1000, 10), 20)
        [35680, 10000]
    """
    return [connection_count(a, b, epsilon) for a, b in pairwise(layer_sizes)]


def skip_count(layer_sizes: Sequence[int], counts: Sequence[int], density: float | None = None) -> int:
    """Connections of a skip layer, from the inputs to the outputs beside the others.

    Args:
        layer_sizes: neurons per layer, input first, output last.
        counts: connections of the other layers.
        density: share of its possible connections, in (0, 1]. None: by the epsilon of the others, which is their
            connections per neuron at either end.

    Returns:
        Connections, at least one, at most all.

    Raises:
        InputError: where density is out of range.

    Example:
        >>> from trulysparse.connectivity.counts import epsilon_counts, skip_count
        >>> sizes = (784, 1000, 10)
        >>> skip_count(sizes, epsilon_counts(sizes, 5)), skip_count(sizes, [8920, 5050], density=0.1)
        (3970, 784)
    """
    n_in, n_out = layer_sizes[0], layer_sizes[-1]
    if density is not None:
        checks.real("skip_density", density, low=0, high=1, low_open=True)
        return max(1, round(density * n_in * n_out))
    ends = sum(a + b for (a, b), count in zip(pairwise(layer_sizes), counts, strict=True) if count < a * b)
    open_counts = sum(count for (a, b), count in zip(pairwise(layer_sizes), counts, strict=True) if count < a * b)
    return max(1, connection_count(n_in, n_out, open_counts / ends)) if ends else n_in * n_out


def uniform_counts(layer_sizes: Sequence[int], density: float) -> list[int]:
    """The same density in each layer.

    Args:
        layer_sizes: neurons per layer, input first, output last.
        density: in (0, 1].

    Returns:
        Connections of each layer, at least one.

    Raises:
        InputError: where density is out of range.

    Example:
        >>> from trulysparse.connectivity import uniform_counts
        >>> uniform_counts((784, 1000, 10), 0.1)
        [78400, 1000]
    """
    checks.real("density", density, low=0, high=1, low_open=True)
    return [max(1, round(density * a * b)) for a, b in pairwise(layer_sizes)]


def erk_counts(layer_sizes: Sequence[int], density: float) -> list[int]:
    """Erdős-Rényi-kernel: layer densities in proportion to (n_in + n_out) / (n_in * n_out).

    Layers whose density would exceed 1 are dense and the others share the rest.

    Args:
        layer_sizes: neurons per layer, input first, output last.
        density: of the whole network, in (0, 1].

    Returns:
        Connections of each layer, at least one.

    Raises:
        InputError: where density is out of range.

    Source:
        Evci et al., "Rigging the lottery: making all tickets winners" (2020), section 3, where kernels of convolutions
        add their width and height.

    Example:
        >>> from trulysparse.connectivity import erk_counts
        >>> erk_counts((784, 1000, 10), 0.1)  # 10 % of 794,000; the last layer is dense
        [69400, 10000]
    """
    checks.real("density", density, low=0, high=1, low_open=True)
    pairs = list(pairwise(layer_sizes))
    wanted = round(density * sum(a * b for a, b in pairs))
    dense: set[int] = set()
    while True:
        others = [i for i in range(len(pairs)) if i not in dense]
        left = wanted - sum(pairs[i][0] * pairs[i][1] for i in dense)
        epsilon = left / max(1, sum(sum(pairs[i]) for i in others))
        full = {i for i in others if epsilon * sum(pairs[i]) >= pairs[i][0] * pairs[i][1]}
        if not full:
            break
        dense |= full
    return [a * b if i in dense else max(1, round(epsilon * (a + b))) for i, (a, b) in enumerate(pairs)]
