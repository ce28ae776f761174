"""Starting patterns by name, of single layers and of whole networks, and a network's layers drawn by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Protocol, TypeAlias, runtime_checkable

from trulysparse._core import checks
from trulysparse._core.random import stream_key
from trulysparse.connectivity.connected import Connected
from trulysparse.connectivity.csti import CSTI
from trulysparse.connectivity.fields import CorrelatedFields
from trulysparse.connectivity.indexed import Connectivity
from trulysparse.connectivity.patterns import PATTERNS, Pattern
from trulysparse.errors import InputError


@runtime_checkable
class NetworkPattern(Protocol):
    """Makes the starting connectivity of all layers together, where one depends on another or on their order."""

    def draw_network(
        self, layer_sizes: Sequence[int], counts: Sequence[int], *, seed: int = 0, threads: int | None = None
    ) -> list[Connectivity]:
        """A Connectivity for each layer, of about so many connections."""


AnyPattern: TypeAlias = Pattern | NetworkPattern
FROM_SAMPLES = ("csti", "correlated")
"""Names of patterns that are made of samples."""
CONNECTIVITY_NAMES = (*PATTERNS, "connected", *FROM_SAMPLES)


def make_pattern(connectivity: str | AnyPattern, X: Any = None) -> AnyPattern:
    """A pattern from the arguments of SparseMLP.

    Args:
        connectivity: a name, a function of the form of Pattern, or an object of that of NetworkPattern.
        X: samples, for those that are made of them.

    Returns:
        The pattern.

    Raises:
        InputError: where it is neither, or X is missing or of no use.

    Example:
        >>> from trulysparse.connectivity import make_pattern
        >>> make_pattern("connected")
        Connected(fan_in=8.0)
    """
    made_of_samples = isinstance(connectivity, str) and connectivity in FROM_SAMPLES
    if made_of_samples != (X is not None):
        need = "needs X, the training samples" if made_of_samples else "has no use for X"
        raise InputError(f"connectivity={connectivity!r:.80} {need}")
    if isinstance(connectivity, str):
        checks.choice("connectivity", connectivity, CONNECTIVITY_NAMES)
        if made_of_samples:
            return CSTI(X) if connectivity == "csti" else CorrelatedFields(X)
        return Connected() if connectivity == "connected" else PATTERNS[connectivity]
    if isinstance(connectivity, type) or not (callable(connectivity) or isinstance(connectivity, NetworkPattern)):
        raise InputError(f"connectivity must be a name or a function, or have draw_network, not {connectivity!r:.80}")
    return connectivity


def drawn_layers(
    pattern: AnyPattern, layer_sizes: Sequence[int], counts: Sequence[int], seed: int, threads: int
) -> Iterator[Connectivity]:
    """The layers of a network, each made as it is asked for where the pattern is one of single layers.

    Args:
        pattern: see make_pattern.
        layer_sizes: neurons per layer, input first, output last.
        counts: connections of each layer.
        seed: of the network.
        threads: at least 1.

    Yields:
        A Connectivity per layer.

    Raises:
        InputError: where a pattern of the user's does not make the layers that were asked for.
    """
    whole: Any = None
    layer: Any = pattern
    if isinstance(pattern, NetworkPattern):
        whole = pattern.draw_network(layer_sizes, counts, seed=stream_key(seed, "connectivity"), threads=threads)
        whole = checks.listed("connectivity: what draw_network returns", whole, "Connectivity")
        if len(whole) != len(counts):
            raise InputError(f"connectivity must return {len(counts)} layers, not {len(whole)}")
    for number, (count, (n_in, n_out)) in enumerate(zip(counts, pairwise(layer_sizes), strict=True)):
        if whole is not None:
            con, whole[number] = whole[number], None
        else:
            con = layer(n_in, n_out, count, seed=stream_key(seed, "connectivity", number), threads=threads)
        if pattern not in PATTERNS.values():
            _check_layer(con, n_in, n_out, count)
        yield con


def _check_layer(con: Any, n_in: int, n_out: int, count: int) -> None:
    """InputError where a pattern of the user's does not return a layer's connectivity."""
    if not isinstance(con, Connectivity):
        raise InputError(f"connectivity must return a Connectivity, not {type(con).__name__}")
    con.check()
    if (con.n_in, con.n_out) != (n_in, n_out):
        raise InputError(f"connectivity must return a layer {n_in} x {n_out}, not {con.n_in} x {con.n_out}")
    if con.n_connections == 0 and count > 0:
        raise InputError(f"connectivity must return about {count} connections, at least one, not none")
