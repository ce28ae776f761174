"""What a GridEnvironment is made of, from its arguments."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks, memory
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.grid import options
from trulysparse.grid.actions import MODES, Actions
from trulysparse.grid.battery import Batteries
from trulysparse.grid.bills import Bills, mean_cost
from trulysparse.grid.coupling import GRID_LIMITS, Coupling
from trulysparse.grid.devices import Devices
from trulysparse.grid.feeder import Feeder
from trulysparse.grid.hours import HourBlocks
from trulysparse.grid.market import MARKETS
from trulysparse.grid.observation import STATE, TOLD, Observer
from trulysparse.grid.power_flow.flow import Feeders
from trulysparse.grid.readings import Readings
from trulysparse.grid.splits import WEEK, split_of
from trulysparse.grid.tariff import Tariff, make_tariff

Array = NDArray[np.float64]
Hours = int | NDArray[np.int64]

FORECASTS = {"persistence": 1, "week": 7}  # days of the past that each looks back on
BYTES = 1000  # of a home, besides its hours: two observations and some forty numbers


class Homes(Readings):
    """Homes with batteries, tariffs and whatever else they have or share. See GridEnvironment for the arguments."""

    def __init__(
        self,
        scenario: options.AnyScenario = None,
        *,
        tariff: str | Tariff | ArrayLike = "tou",
        information: str = "follow",
        feeder: Feeder | Feeders | str | None = None,
        grid_limits: str = "penalty",
        market: str | None = None,
        communities: int = 1,
        broadcast: bool | str = False,
        curtailment: bool = False,
        electric_vehicles: bool = False,
        heat_pumps: bool = False,
        oracle: bool = False,
        copies: int = 1,
        first_hour: ArrayLike = 0,
        n_hours: int | None = None,
        initial_charge: ArrayLike = 0.0,
        reward_scale: ArrayLike | None = None,
        wear: float = 0.01,
        carbon_weight: float = 0.0,
        forecasts: str = "persistence",
        observe: bool = True,
        seed: int = 0,
    ) -> None:
        self.copies = checks.integer("copies", copies, low=1)
        self.scenario = options.scenario_from(scenario, self.copies)
        self.data, self.n_homes = self.scenario.data, self.scenario.n_homes
        n_own, n_rows = self.n_homes // self.copies, self.scenario.n_hours
        days = FORECASTS[checks.choice("forecasts", forecasts, tuple(FORECASTS))]
        needed = self.n_homes * (BYTES + HourBlocks.bytes_per_home(self.n_homes, days))
        memory.require(needed, f"an environment of {self.n_homes} homes", "take fewer homes or copies")
        self.information = checks.choice("information", information, MODES)
        own_tariff = make_tariff(tariff, self.data, n_own)
        self.tariff = own_tariff.of_homes(np.tile(np.arange(n_own), self.copies))
        self.first_hour = options.first_hours(first_hour, self.n_homes, n_rows)
        self.n_hours = options.episode_length(n_hours, self.first_hour, n_rows)
        communities = checks.integer("communities", communities, low=1)
        if n_own % communities:
            raise InputError(f"communities must divide the {n_own} homes into equal groups, not {communities}")
        self.groups = communities * self.copies
        if market is None and self.tariff.name == "community":
            market = "mid-market"
        self.market = market if market is None else checks.choice("market", market, MARKETS)
        self.broadcast = options.broadcast_of(broadcast)
        self.wear = checks.real("wear", wear, low=0)
        self.carbon_weight = checks.real("carbon_weight", carbon_weight, low=0)
        self.observe = checks.flag("observe", observe)
        self.seed = checks.integer("seed", seed, low=0)
        self.curtails = checks.flag("curtailment", curtailment)
        self.oracle = checks.flag("oracle", oracle)
        limits = checks.choice("grid_limits", grid_limits, GRID_LIMITS)
        self._coupling = None if feeder is None else Coupling(feeder, self.n_homes, limits)
        self._limits = None if feeder is None else limits
        if self.broadcast == "feeder" and feeder is None:
            raise InputError("broadcast='feeder' needs a feeder")
        self._require_same_hours(self.first_hour)
        vehicles = checks.flag("electric_vehicles", electric_vehicles)
        pumps = checks.flag("heat_pumps", heat_pumps)
        own = np.tile(np.arange(n_own), self.copies)
        self._devices = Devices(self.data, own, vehicles, pumps, self.seed) if vehicles or pumps else None
        self.batteries = Batteries(self.scenario.battery_kwh, self.scenario.battery_kw)
        self._initial_charge = options.of_homes("initial_charge", initial_charge, self.n_homes, 0, 1, self.copies)
        exchange = self.market is not None and self.information == "follow"
        self._actions = Actions(
            self.information, self.n_homes, self.batteries.power_kw, exchange, self.curtails, vehicles, pumps
        )
        self.bills = Bills(self.tariff, self.data, self.n_homes, self.market, self.groups)
        self._blocks = HourBlocks(self.scenario, self.n_homes, self.n_hours, days)
        self._observer = Observer(self.data, self.tariff, self._blocks, self.oracle, vehicles, pumps)
        self.observation_names = self._observer.names
        self.reward_scale = self._scale(reward_scale, own_tariff)
        self._factor = -1 / self.reward_scale
        self._columns = {name: self.observation_names.index(name) for name in STATE + TOLD}
        self._take_memory()
        self.step_number, self._begun, self._ended = 0, False, False
        self._begin_at(self.first_hour)

    def _take_memory(self) -> None:
        self._net, self._part, self._pv = (np.zeros(self.n_homes) for _ in range(3))
        self._need, self._curtailed, self._idle = (np.zeros(self.n_homes) for _ in range(3))
        self._rewards: Floats = np.zeros(self.n_homes, np.float32)

    def _require_same_hours(self, first_hour: Hours) -> None:
        if self.same_hours:
            options.require_same_hours(first_hour, self.groups, "a community that has a market or a broadcast")
        if self._coupling is not None:
            options.require_same_hours(first_hour, self._coupling.feeders.n_copies, "a feeder")

    def _begin_at(self, first_hour: Hours) -> None:
        self.first_hour = first_hour
        for part in (self.bills, self._blocks, self._observer):
            part.begin_at(first_hour)

    def _scale(self, reward_scale: ArrayLike | None, tariff: Tariff) -> Array:
        if reward_scale is not None:
            scale = options.of_homes("reward_scale", reward_scale, self.n_homes, copies=self.copies)
            if not (scale > 0).all():
                raise InputError(f"reward_scale must be above 0, not {scale.min():g}")
            return scale
        n_rows = self.scenario.n_hours
        counted = np.ones(n_rows, np.bool_) if n_rows < 4 * WEEK else split_of(("",), n_rows).train_hours
        once = self.scenario.select(np.arange(self.n_homes // self.copies))
        return np.tile(mean_cost(once, tariff, counted), self.copies)
