"""Erdős-Rényi connectivity: every set of connections of the given size is equally likely."""

from __future__ import annotations

from trulysparse._core import checks
from trulysparse.connectivity.counts import connection_count
from trulysparse.connectivity.indexed import Connectivity
from trulysparse.connectivity.patterns import uniform


def erdos_renyi(n_in: int, n_out: int, epsilon: float, *, seed: int = 0, threads: int | None = None) -> Connectivity:
    """A layer with exactly round(epsilon * (n_in + n_out)) connections, or all n_in * n_out where that is fewer.

    Time and memory are linear in the connections.

    Args:
        n_in: inputs, 1 to 2^31 - 1.
        n_out: outputs, 1 to 2^31 - 1.
        epsilon: above 0.
        seed: at least 0; the same connections for a seed, whatever `threads`.
        threads: at least 1; None: all of this machine's.

    Returns:
        A Connectivity.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity" (2018), eq.
        1, with the number of connections fixed rather than its expectation.

    Example:
        >>> from trulysparse.connectivity import erdos_renyi
        >>> erdos_renyi(784, 1000, 20).n_connections
        35680
    """
    checks.integer("n_in", n_in, low=1)
    checks.integer("n_out", n_out, low=1)
    checks.real("epsilon", epsilon, low=0, low_open=True)
    return uniform(n_in, n_out, connection_count(n_in, n_out, epsilon), seed=seed, threads=threads)
