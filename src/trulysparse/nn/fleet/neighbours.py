"""Which agents of a fleet exchange their models."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.random import generator
from trulysparse.errors import InputError


def ring_neighbours(n_agents: int, k: int) -> NDArray[np.int64]:
    """The k agents nearest in number, on both sides of each agent; the last one is beside the first.

    Args:
        n_agents: N, at least 2.
        k: neighbours of each, 1 to N - 1; where it is odd, one more above than below.

    Returns:
        (N, k) numbers of agents.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> from trulysparse.nn.fleet.neighbours import ring_neighbours
        >>> ring_neighbours(5, 2).tolist()
        [[1, 4], [2, 0], [3, 1], [4, 2], [0, 3]]
    """
    _check(n_agents, k)
    steps = np.arange(1, k + 1)
    shifts = np.where(steps % 2, (steps + 1) // 2, -(steps // 2))
    return (np.arange(n_agents)[:, None] + shifts) % n_agents


def random_neighbours(n_agents: int, k: int, *, seed: int, count: int = 0) -> NDArray[np.int64]:
    """k random neighbours of each agent, anew at each exchange; each agent is also taken by k, so that no message goes
    out more often than others.

    The agents are put on a ring in random order, and each takes those at k random distances. Time and memory N k.

    Args:
        n_agents: N, at least 2.
        k: neighbours of each, 1 to N - 1.
        seed: of the random numbers, at least 0.
        count: exchanges before this one, at least 0.

    Returns:
        (N, k) numbers of agents, the same for the same arguments.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Dai et al., "DisPFL", ICML 2022, section 5.1: time-varying random connections.

    Example:
        >>> import numpy as np
        >>> from trulysparse.nn.fleet.neighbours import random_neighbours
        >>> drawn = random_neighbours(1000, 3, seed=0, count=7)
        >>> drawn.shape, np.unique(drawn, return_counts=True)[1].tolist() == [3] * 1000
        ((1000, 3), True)
    """
    _check(n_agents, k)
    random = generator(checks.integer("seed", seed, low=0), "neighbours", checks.integer("count", count, low=0))
    order = random.permutation(n_agents)
    distances = 1 + random.choice(n_agents - 1, size=k, replace=False)
    drawn = np.empty((n_agents, k), np.int64)
    drawn[order] = order[(np.arange(n_agents)[:, None] + distances) % n_agents]
    return drawn


def checked_neighbours(neighbours: ArrayLike | str, n_agents: int) -> NDArray[np.int64] | None:
    """Neighbours as an array; None: all.

    Args:
        neighbours: (N, k) numbers of agents, -1 for none; or 'all'.
        n_agents: N.

    Returns:
        The array, or None.

    Raises:
        InputError: where it is something else, or an agent is its own neighbour or one twice.
    """
    if isinstance(neighbours, str):
        checks.choice("neighbours", neighbours, ("all",))
        return None
    given = np.asarray(neighbours)
    if given.ndim != 2 or len(given) != n_agents or given.dtype.kind not in "iu":
        raise InputError(
            f"neighbours must be 'all' or integers of shape ({n_agents}, k), not {given.dtype} of shape {given.shape}"
        )
    found = given.astype(np.int64)
    if ((found < -1) | (found >= n_agents)).any():
        raise InputError(f"neighbours must be numbers from 0 to {n_agents - 1}, or -1 for none")
    ordered = np.sort(np.column_stack([np.arange(n_agents), found]), axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if twice.any():
        raise InputError(f"neighbours must name others, each once; those of agent {int(twice.argmax())} do not")
    return found


def groups_of(neighbours: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Each agent with its neighbours, in ascending order.

    Args:
        neighbours: (N, k), as `checked_neighbours` gives them.

    Returns:
        Row pointers (N + 1,), and the numbers row by row.
    """
    ordered = np.sort(np.column_stack([np.arange(len(neighbours)), neighbours]), axis=1)
    there = ordered >= 0
    ptr = np.zeros(len(neighbours) + 1, np.int64)
    np.cumsum(there.sum(axis=1), out=ptr[1:])
    return ptr, ordered[there].astype(np.int32)


def _check(n_agents: int, k: int) -> None:
    checks.integer("n_agents", n_agents, low=2, high=2**31 - 1)
    checks.integer("k", k, low=1, high=n_agents - 1)
