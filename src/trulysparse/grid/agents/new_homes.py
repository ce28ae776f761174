"""New homes: the model that a home begins with which has not learned, or has just been connected."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.errors import InputError
from trulysparse.grid.agents.policy import ActionMap, Agents
from trulysparse.nn.fleet.exchange import average_over_owners
from trulysparse.nn.fleet.fleet import Fleet


def with_new_homes(fleet: Fleet, action_map: ActionMap, trained: ArrayLike, n_homes: int, **options: Any) -> Agents:
    """Agents of all homes: those that learned keep their networks, all others decide by the owner average of these.

    The average has each connection that any of the agents has, averaged over those that have it, pruned by magnitude to
    an agent's number of connections. So a new home needs one message of one model, and no data.

    Args:
        fleet: of the homes that learned, one network each, or one network of all of them.
        action_map: of outputs to actions.
        trained: the numbers of these homes, as many as networks where there is more than one network.
        n_homes: all homes.
        options: of Agents.

    Returns:
        Agents of all homes, in their order.

    Raises:
        InputError: where homes do not exist, are named twice, or are not as many as networks.

    Source:
        Bibikar, Vikalo, Wang, Chen, "Federated dynamic sparse training" (2022), for the average.

    Example:
        >>> import trulysparse as ts
        >>> fleet = ts.Fleet(2, (24, 8, 1), density=0.5, output="identity", threads=1)
        >>> agents = with_new_homes(fleet, ActionMap([-1.0]), [1, 3], 4)
        >>> agents.network_of.tolist(), len(agents.fleet)
        ([2, 0, 2, 1], 3)
    """
    homes = np.asarray(trained, np.int64)
    if len(np.unique(homes)) != len(homes) or not len(homes) or homes.min() < 0 or homes.max() >= n_homes:
        raise InputError(f"trained must name homes between 0 and {n_homes - 1}, each once, not {trained!r:.80}")
    if len(fleet) == 1:
        return Agents(fleet, action_map, np.zeros(n_homes, np.int64), **options)
    if len(homes) != len(fleet):
        raise InputError(f"trained must name as many homes as there are networks, {len(fleet)}, not {len(homes)}")
    network_of: NDArray[np.int64] = np.full(n_homes, len(fleet))
    network_of[homes] = np.arange(len(fleet))
    if len(homes) == n_homes:
        return Agents(fleet, action_map, network_of, **options)
    averaged = fleet.copy()
    average_over_owners(averaged, "all")
    both = fleet[np.r_[np.arange(len(fleet)), 0]]
    both[len(fleet)] = averaged[0]
    return Agents(both, action_map, network_of, **options)
