"""Erdős-Rényi connectivity: every set of connections of the given size is equally likely."""

from __future__ import annotations

from trulysparse._core import checks
from trulysparse.connectivity.counts import connection_count
from trulysparse.connectivity.indexed import Connectivity
from trulysparse.connectivity.patterns import uniform


def erdos_renyi(n_in: int, n_out: int, epsilon: float, *, seed: int = 0, threads: int | None = None) -> Connectivity:
    """A layer with exactly round(epsilon * (n_in + n_out)) distinct connections, or all n_in * n_out of them
    where that is fewer. Time and memory are linear in the connections; the same for a seed whatever `threads`.

    n_in, n_out: widths, 1 to 2^31 - 1. epsilon: above 0. Source: Mocanu et al., "Scalable training of
    artificial neural networks with adaptive sparse connectivity" (2018), eq. 1, with the number fixed
    rather than its expectation.
    """
    checks.integer("n_in", n_in, low=1)
    checks.integer("n_out", n_out, low=1)
    checks.real("epsilon", epsilon, low=0, low_open=True)
    return uniform(n_in, n_out, connection_count(n_in, n_out, epsilon), seed=seed, threads=threads)
