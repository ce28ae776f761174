"""What can be read of homes between two hours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.grid.actions import Actions
from trulysparse.grid.battery import Batteries
from trulysparse.grid.hours import HourBlocks
from trulysparse.grid.tariff import Tariff

Array = NDArray[np.float64]
Hours = int | NDArray[np.int64]


class Readings:
    """What a GridEnvironment shows of itself to rules and agents, see there."""

    observation_names: tuple[str, ...]
    tariff: Tariff
    market: str | None
    broadcast: str | None
    first_hour: Hours
    step_number: int
    groups: int
    batteries: Batteries
    _actions: Actions
    _blocks: HourBlocks
    _net: Array

    @property
    def n_observations(self) -> int:
        """Numbers in an observation."""
        return len(self.observation_names)

    @property
    def n_actions(self) -> int:
        """Components of an action."""
        return len(self.action_names)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the components of an action."""
        return self._actions.names

    @property
    def start_actions(self) -> Floats:
        """An action to begin with, float32 (components,): self-consumption under 'follow', idle under 'setpoint'."""
        return self._actions.start

    @property
    def t(self) -> Hours:
        """The row of the data that the next step is about, one number or one a home."""
        return self.first_hour + self.step_number

    @property
    def charge(self) -> Array:
        """Stored energy of each battery, share of its capacity, (H,)."""
        return self.batteries.charge

    @property
    def price(self) -> Array:
        """$/kWh of import in all hours of the data, (T,), or (T, H) where homes pay different prices."""
        return self.tariff.import_price[:, 0 if self.tariff.kind is None else self.tariff.kind]

    @property
    def export_price(self) -> Array:
        """$/kWh of export, likewise."""
        return self.tariff.export_price[:, 0 if self.tariff.kind is None else self.tariff.kind]

    @property
    def last_load(self) -> Array:
        """kWh that each home used in the last hour, (H,); 0 before the first hour of the data."""
        row = self._row(self.step_number) - 1
        load: Array = self._blocks.net[row] + self._blocks.pv[row]
        return load

    @property
    def last_pv(self) -> Array:
        """kWh that PV could give in the last hour, (H,)."""
        pv: Array = self._blocks.pv[self._row(self.step_number) - 1].astype(np.float64)
        return pv

    @property
    def last_net(self) -> Array:
        """kWh at each home's meter in the last hour of the episode, + = import, (H,); 0 at its beginning."""
        return self._net.copy()

    @property
    def community_sum(self) -> Array:
        """The sum of last_net over each community, (groups,)."""
        sums: Array = self._net.reshape(self.groups, -1).sum(axis=1)
        return sums

    @property
    def same_hours(self) -> bool:
        """Whether the homes of a community have to live in the same hours."""
        return self.market is not None or self.broadcast is not None

    def _row(self, number: int) -> int:
        """The row of the block in memory that holds a step of the episode."""
        self._blocks.at(number)
        return self._blocks.history + number - self._blocks.start
