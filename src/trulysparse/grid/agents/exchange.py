"""Exchange: neighbours average their models over who has each connection, at fixed times, and bytes are counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.nn.fleet.exchange import average_over_owners
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.fleet.neighbours import ring_neighbours
from trulysparse.optim import OptimizerState

WEEK = 168


class Exchange:
    """When agents send their models to their neighbours, and what that takes.

    Agents stand in a ring, each next to those before and after it. At an exchange each one receives the models of its
    neighbours, averages every connection over those of them that own it, itself included, and prunes back to its own
    number of connections by magnitude. Nothing else travels: no data, and no reward.

    Args:
        n_agents: N.
        every_hours: hours of life between exchanges, at least 1; 168 is weekly.
        neighbours: models that an agent receives, at least 1; N - 1 where they are more.

    Attributes:
        neighbours: of each agent, int64 (N, m).
        every_hours: as given.
        count: exchanges so far.
        bytes_sent: by each agent so far, (N,) int64.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Bibikar, Vikalo, Wang, Chen, "Federated dynamic sparse training" (2022), for the average over owners and pruning
        back; Dai et al., "DisPFL" (2022), for neighbours without a server.

    Example:
        >>> Exchange(5, 168, neighbours=2).neighbours.tolist()
        [[1, 4], [2, 0], [3, 1], [4, 2], [0, 3]]
        >>> exchange = Exchange(5, 168)
        >>> [exchange.due(before, before + 50) for before in (0, 100, 150)]
        [False, False, True]
    """

    def __init__(self, n_agents: int, every_hours: float, neighbours: int = 3) -> None:
        n_agents = checks.integer("n_agents", n_agents, low=1)
        if n_agents == 1:
            raise InputError("exchange needs at least 2 agents: a shared agent has no neighbours")
        self.every_hours = checks.real("exchange", every_hours, low=1)
        count = min(checks.integer("neighbours", neighbours, low=1), n_agents - 1)
        self.neighbours: NDArray[np.int64] = ring_neighbours(n_agents, count)
        self.count = 0
        self.bytes_sent: NDArray[np.int64] = np.zeros(n_agents, np.int64)

    def due(self, before: float, after: float) -> bool:
        """Whether the time of an exchange lies in (before, after], hours of life."""
        return after // self.every_hours > before // self.every_hours

    def run(self, fleet: Fleet, states: Sequence[OptimizerState] | None = None) -> None:
        """Exchanges the models once.

        Args:
            fleet: the agents, changed in place.
            states: optimizer state of each layer, which follows the connections that stay; None: there is none.
        """
        done = average_over_owners(fleet, self.neighbours, optimizer_state=states)
        self.bytes_sent += done.bytes_sent
        self.count += 1
