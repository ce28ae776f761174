"""SavingEnvironments: agents learn from what an hour saves, not from what it costs, which weather and habits decide."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.rl_environments import GridEnvironments
from trulysparse.grid.step import Step
from trulysparse.rl.environment_interface import Transition


class SavingEnvironments(GridEnvironments):
    """GridEnvironments whose rewards lack what no action can change, and pay for stored energy when it is stored.

    r' = r + c0 + gamma phi(E') - phi(E), where c0 is what the hour's load and PV alone cost at the tariff's prices, and
    phi(E) = unit * E what the energy in the battery is worth. c0 does not depend on actions, and the rest is a
    difference of potentials: neither changes which policy is best, but values become small, and an hour of charging is
    no longer a loss that pays off half a day later. What a vehicle or a heat pump draws, PV that is turned off, and
    what a feeder or a community makes of the hour stay in r.

    Args:
        environment: the homes.
        unit: what a stored kWh is worth in units of reward, of each home, (H,) or one number.
        gamma: discount of the agent that learns.
        options: of GridEnvironments.

    Source:
        Ng, Harada, Russell, "Policy invariance under reward transformations" (1999), for the potentials.

    Example:
        >>> from trulysparse import grid
        >>> homes = grid.GridEnvironment(grid.sample_data(), n_hours=24)
        >>> environments = SavingEnvironments(homes, unit=0.2, gamma=0.98)
        >>> _ = environments.reset(seed=0)
        >>> environments.step(np.zeros((6, 1), np.float32)).rewards.shape
        (6,)
    """

    def __init__(self, environment: GridEnvironment, unit: ArrayLike, gamma: float, **options: Any) -> None:
        super().__init__(environment, **options)
        self.gamma = checks.real("gamma", gamma, low=0, high=1)
        self.unit: NDArray[np.float64] = np.broadcast_to(np.asarray(unit, np.float64), (environment.n_homes,))
        tariff = environment.tariff
        self._kind: Any = 0 if tariff.kind is None else tariff.kind
        self._hour: Any = 0
        self._before: NDArray[np.float64] = np.zeros(environment.n_homes)

    def step(self, actions: NDArray[Any]) -> Transition:
        """See Environments.step."""
        homes: GridEnvironment = self.env
        self._hour = homes.first_hour + homes.step_number
        np.copyto(self._before, homes.batteries.energy_kwh)
        return super().step(actions)

    def rewards_of(self, step: Step) -> NDArray[np.floating]:
        """See GridEnvironments."""
        homes: GridEnvironment = self.env
        idle = homes.last_load - homes.last_pv  # of the data: what devices draw is the agent's own doing
        prices = np.where(
            idle > 0,
            homes.tariff.import_price[self._hour, self._kind],
            homes.tariff.export_price[self._hour, self._kind],
        )
        rewards: NDArray[np.float64] = idle * prices
        rewards /= homes.reward_scale
        rewards += self.unit * (self.gamma * homes.batteries.energy_kwh - self._before)
        rewards += step.rewards
        return rewards
