"""How a SparseLinear starts: which connections there are, weights and biases."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from trulysparse._core import checks
from trulysparse._core.random import stream_key
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.counts import DEFAULT_EPSILON, connection_count, uniform_counts
from trulysparse.connectivity.matrices import from_matrix
from trulysparse.connectivity.network_patterns import drawn_layers, make_pattern
from trulysparse.errors import InputError
from trulysparse.nn.initialization import WeightInit

DTYPES = (torch.float32, torch.float64)
INIT = WeightInit("uniform", fan="sparse", balance=False)
"""Uniform within 1 / sqrt(fan-in), torch's rule of a linear layer, where fan-in is that of the very neuron."""


def seed_of(seed: int | None) -> int:
    """A seed, or one from torch's generator."""
    return int(torch.randint(2**62, ()).item()) if seed is None else checks.integer("seed", seed, low=0)


def connections_of(n_in: int, n_out: int, density: Any, epsilon: Any, connectivity: Any, seed: int) -> Connectivity:
    """The connections that SparseLinear's arguments name; InputError where they do not go together."""
    threads = torch.get_num_threads()
    if isinstance(connectivity, Connectivity) or sp.issparse(connectivity):
        if density is not None or epsilon is not None:
            raise InputError("density and epsilon go with a pattern, not with given connections")
        con = (
            connectivity
            if isinstance(connectivity, Connectivity)
            else from_matrix(connectivity, name="connectivity")[0]
        )
        return check_fit(con, n_in, n_out)
    if density is not None and epsilon is not None:
        raise InputError("epsilon cannot be combined with density, which takes its place")
    if density is not None:
        (count,) = uniform_counts((n_in, n_out), checks.real("density", density, low=0, high=1, low_open=True))
    else:
        epsilon = DEFAULT_EPSILON if epsilon is None else checks.real("epsilon", epsilon, low=0, low_open=True)
        count = max(1, connection_count(n_in, n_out, epsilon))
    (con,) = drawn_layers(make_pattern(connectivity), (n_in, n_out), [count], seed, threads)
    return con


def check_fit(con: Connectivity, n_in: int, n_out: int) -> Connectivity:
    """The connections, or InputError where they are of another layer."""
    if (con.n_in, con.n_out) != (n_in, n_out):
        raise InputError(f"connectivity must be of {n_in} inputs and {n_out} outputs, not {con.n_in} and {con.n_out}")
    return con


def bias_of(con: Connectivity, dtype: torch.dtype, seed: int) -> torch.Tensor:
    """Uniform within 1 / sqrt(inputs of the very neuron)."""
    generator = torch.Generator().manual_seed(stream_key(seed, "bias", 0) & (2**63 - 1))
    limit = torch.from_numpy(1 / np.sqrt(np.maximum(np.diff(con.indptr), 1))).to(dtype)
    return (torch.rand(con.n_out, generator=generator, dtype=dtype) * 2 - 1) * limit
