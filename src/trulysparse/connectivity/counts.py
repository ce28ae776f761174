"""How many connections each layer of a network gets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError

DEFAULT_EPSILON = 20.0
DIVISIONS = ("erk", "uniform")
"""How one density is divided among layers."""


def layer_counts(
    layer_sizes: Sequence[int],
    *,
    epsilon: float | Sequence[float] | None = None,
    density: float | Sequence[float] | None = None,
    densities: str = "erk",
    output_density: float | None = None,
) -> list[int]:
    """Connections of each layer, from any way of saying how sparse a network is.

    Args:
        layer_sizes: neurons per layer, input first, output last.
        epsilon: above 0, see epsilon_counts: one number for the network, or one per layer; None: 20 where no density is
            given.
        density: in its place, in (0, 1]: one number for the network, or one per layer.
        densities: how one number is divided: 'erk' (see erk_counts) or 'uniform' (the same density in each layer).
        output_density: the output layer's own density, in (0, 1]; density or epsilon is then that of the other layers.
            None: as for the others.

    Returns:
        Connections of each layer, at least one.

    Raises:
        InputError: where an argument is out of range or does not go with another.

    Example:
        >>> from trulysparse.connectivity import layer_counts
        >>> layer_counts((784, 1000, 1000, 10), density=0.01, densities="uniform", output_density=1.0)
        [7840, 10000, 10000]
        >>> layer_counts((784, 1000, 10), density=[0.1, 0.5])
        [78400, 5000]
        >>> layer_counts((17, 256, 256, 6), epsilon=(7, 64, 64))  # the last layer is dense
        [1911, 32768, 1536]
    """
    checks.choice("densities", densities, DIVISIONS)
    if output_density is not None:
        checks.real("output_density", output_density, low=0, high=1, low_open=True)
    if density is None:
        if densities != "erk":
            raise InputError(f"densities={densities!r} needs a density to divide")
        each = DEFAULT_EPSILON if epsilon is None else checked_epsilon(epsilon, len(layer_sizes) - 1)
        if isinstance(each, tuple):
            return _per_layer_epsilon_counts(layer_sizes, each, output_density)
        counts = epsilon_counts(layer_sizes, each)
        return counts if output_density is None else [*counts[:-1], *uniform_counts(layer_sizes[-2:], output_density)]
    if epsilon is not None:
        raise InputError("epsilon cannot be combined with density, which takes its place")
    if is_per_layer(density):
        return _per_layer_counts(layer_sizes, density, densities, output_density)
    density = checks.real("density", density, low=0, high=1, low_open=True)
    divided = erk_counts if densities == "erk" else uniform_counts
    if output_density is None:
        return divided(layer_sizes, density)
    others = divided(layer_sizes[:-1], density) if len(layer_sizes) > 2 else []
    return [*others, *uniform_counts(layer_sizes[-2:], output_density)]


def is_per_layer(sparsity: Any) -> bool:
    """Whether a density or an epsilon is a sequence, one per layer."""
    return hasattr(sparsity, "__len__")


def checked_epsilon(epsilon: Any, n_layers: int, *, low_open: bool = True) -> float | tuple[float, ...]:
    """An epsilon as a float, or one per layer as a tuple of them.

    Args:
        epsilon: one number, or a sequence of one per layer.
        n_layers: of the network, a skip layer not counted.
        low_open: whether 0 is out of range.

    Returns:
        A float or a tuple.

    Raises:
        InputError: where it is neither, or out of range.

    Example:
        >>> from trulysparse.connectivity.counts import checked_epsilon
        >>> checked_epsilon([7, 64, 64], 3)
        (7.0, 64.0, 64.0)
    """
    if isinstance(epsilon, str) or not is_per_layer(epsilon):
        return checks.real("epsilon", epsilon, low=0, low_open=low_open)
    each = _one_per_layer("epsilon", epsilon, n_layers)
    return tuple(checks.real(f"epsilon[{n}]", value, low=0, low_open=low_open) for n, value in enumerate(each))


def _one_per_layer(name: str, values: Any, n_layers: int) -> list[Any]:
    each = checks.listed(name, values, "numbers")
    if len(each) != n_layers:
        raise InputError(f"{name} must be one number or have one per layer, {n_layers}, not {len(each)}")
    return each


def _per_layer_epsilon_counts(layer_sizes: Sequence[int], each: tuple[float, ...], last: float | None) -> list[int]:
    if last is not None:
        raise InputError("output_density cannot be combined with an epsilon per layer, which says the output layer's")
    return [max(1, connection_count(a, b, e)) for e, (a, b) in zip(each, pairwise(layer_sizes), strict=True)]


def _per_layer_counts(layer_sizes: Sequence[int], density: Any, densities: str, last: float | None) -> list[int]:
    if densities != "erk" or last is not None:
        name = "densities" if densities != "erk" else "output_density"
        raise InputError(f"{name} cannot be combined with a density per layer, which leaves nothing to divide")
    each = _one_per_layer("density", density, len(layer_sizes) - 1)
    for number, value in enumerate(each):
        checks.real(f"density[{number}]", value, low=0, high=1, low_open=True)
    return [max(1, round(d * a * b)) for d, (a, b) in zip(each, pairwise(layer_sizes), strict=True)]


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
    return erk_counts_of(list(pairwise(layer_sizes)), density)


def erk_counts_of(pairs: Sequence[tuple[int, int]], density: float) -> list[int]:
    """As erk_counts, of layers that need not follow one another.

    Args:
        pairs: (n_in, n_out) of each layer.
        density: of all layers together, in (0, 1].

    Returns:
        Connections of each layer, at least one.

    Raises:
        InputError: where density is out of range.

    Example:
        >>> from trulysparse.connectivity.counts import erk_counts_of
        >>> erk_counts_of([(784, 1000), (1000, 10)], 0.1)
        [69400, 10000]
    """
    checks.real("density", density, low=0, high=1, low_open=True)
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
