"""Erdős-Rényi connectivity: every set of connections of the given size is equally likely."""

from __future__ import annotations

import numpy as np

from trulysparse import _checks, _kernels, memory
from trulysparse._random import stream_key
from trulysparse.connectivity._connectivity import Connectivity, check_size


def erdos_renyi(n_in: int, n_out: int, epsilon: float, *, seed: int = 0, threads: int | None = None) -> Connectivity:
    """A layer with exactly round(epsilon * (n_in + n_out)) distinct connections, or all n_in * n_out of them
    where that is fewer. Time and memory are linear in the connections; the same for a seed whatever `threads`.

    n_in, n_out: widths, 1 to 2^31 - 1. epsilon: above 0. Source: Mocanu et al., "Scalable training of
    artificial neural networks with adaptive sparse connectivity" (2018), eq. 1, with the number fixed
    rather than its expectation.
    """
    _checks.integer("n_in", n_in, low=1)
    _checks.integer("n_out", n_out, low=1)
    _checks.real("epsilon", epsilon, low=0, low_open=True)
    threads = _checks.thread_count(threads)
    count = memory.connection_count(n_in, n_out, epsilon)
    check_size(n_in, n_out, count)
    nothing = np.zeros(n_in + 1, dtype=np.int64), np.empty(0, dtype=np.int32)
    ptr, index = _kernels.sample_empty(*nothing, n_out, None, count, stream_key(seed, "erdos-renyi"), threads)
    return Connectivity.from_inputs(n_in, n_out, ptr, index, threads)
