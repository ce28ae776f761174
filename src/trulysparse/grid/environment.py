"""Homes that decide every hour: batteries, prices, a community and a feeder, as arrays over homes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.grid import options
from trulysparse.grid.actions import CURTAILMENT, MODES, Actions
from trulysparse.grid.battery import Batteries
from trulysparse.grid.bills import Bills, mean_cost
from trulysparse.grid.data import GridData
from trulysparse.grid.hours import HourBlocks
from trulysparse.grid.market import MARKETS
from trulysparse.grid.observation import IMPORT_SCALE, LOAD_SCALE, STATE, TOLD, Observer
from trulysparse.grid.scenario import Scenario
from trulysparse.grid.splits import WEEK, split_of
from trulysparse.grid.step import Step
from trulysparse.grid.tariff import Tariff, make_tariff

Array = NDArray[np.float64]
Hours = int | NDArray[np.int64]

FORECASTS = ("persistence", "week")


class GridEnvironment:
    """Homes with PV and batteries, each an agent, stepped together by the hour.

    All arrays have a row per home. The homes may be there several times (`copies`) and live in different hours
    (`first_hour`), so that candidates of a population and weeks of a year run side by side.

    Args:
        scenario: which homes live through which hours; or GridData, whose homes are taken as they are.
        tariff: see make_tariff.
        information: 'follow': an action is a behaviour for the hour, and the inverter follows the hour's load and PV;
            'setpoint': it is a power, settled against a load that nobody knows yet. Results of the two are never
            comparable.
        market: how communities settle: 'netting', 'mid-market' or 'supply-demand' (see market.local_prices); None:
            each home for itself, but with tariff 'community' it is 'mid-market'. Adds the exchange to actions under
            'follow'.
        communities: how many communities of equal size the homes form, one after the other.
        broadcast: what every home is told each hour: 'community' (the sum of its homes' net load in the last hour),
            True for the same, 'feeder' (the loading of its transformer), or False for nothing.
        curtailment: whether actions have a component that turns off PV.
        oracle: whether observations have the data's perfect predictions. Reports must say so.
        copies: how often the homes are there, copy after copy, each with communities of its own.
        first_hour: row of the data in which the episode begins, one number or one a home.
        n_hours: length of the episode; None: to the end of the data.
        initial_charge: of batteries, 0 to 1, one number or one a home.
        reward_scale: $ by which rewards are divided, one number or one a home; None: each home's mean cost of an hour
            without control in the training weeks.
        wear: $/kWh through the battery that rewards count.
        carbon_weight: $/kg of imported carbon that rewards count.
        forecasts: of load - PV: 'persistence' (yesterday) or 'week' (mean of seven days), from past hours alone.
        observe: whether steps give observations; rules that do without are faster.
        seed: of whatever is random.

    Attributes:
        scenario: of all copies.
        tariff: the tariff.
        n_homes: H, of all copies.
        n_hours: length of the episode.
        first_hour: where it begins, int, or int64 (H,).
        groups: communities of all copies.
        batteries: see battery.Batteries.
        bills: see bills.Bills.
        step_number: steps of the episode so far.
        reward_scale: float64 (H,).
        observation_names: of the numbers of an observation.

    Raises:
        InputError: an argument that is not what it must be; the message says which.

    Example:
        >>> from trulysparse import grid
        >>> environment = grid.GridEnvironment(grid.sample_data(), n_hours=48)
        >>> observations = environment.reset()
        >>> observations.shape, environment.action_names
        ((6, 24), ('battery',))
        >>> actions = np.full((6, 1), -1.0)  # self-consumption
        >>> while not (step := environment.step(actions)).ended:
        ...     pass
        >>> step.net.shape, step.rewards.dtype
        ((6,), dtype('float32'))
    """

    def __init__(
        self,
        scenario: Scenario | GridData,
        *,
        tariff: str | Tariff | ArrayLike = "tou",
        information: str = "follow",
        market: str | None = None,
        communities: int = 1,
        broadcast: bool | str = False,
        curtailment: bool = False,
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
        days = 1 if checks.choice("forecasts", forecasts, FORECASTS) == "persistence" else 7
        self._require_same_hours(self.first_hour)
        self.batteries = Batteries(self.scenario.battery_kwh, self.scenario.battery_kw)
        self._initial_charge = options.of_homes("initial_charge", initial_charge, self.n_homes, 0, 1, self.copies)
        exchange = self.market is not None and self.information == "follow"
        self._actions = Actions(self.information, self.n_homes, self.batteries.power_kw, exchange, self.curtails)
        self.bills = Bills(self.tariff, self.data, self.n_homes, self.market, self.groups)
        self._blocks = HourBlocks(self.scenario, self.n_homes, self.n_hours, days)
        self._observer = Observer(self.data, self.tariff, self._blocks, self.oracle)
        self.observation_names = self._observer.names
        self.reward_scale = self._scale(reward_scale, own_tariff)
        self._factor = -1 / self.reward_scale
        self._columns = {name: self.observation_names.index(name) for name in STATE + TOLD}
        self._net, self._part, self._pv = (np.zeros(self.n_homes) for _ in range(3))
        self._need, self._curtailed, self._idle = (np.zeros(self.n_homes) for _ in range(3))
        self._rewards: Floats = np.zeros(self.n_homes, np.float32)
        self.step_number, self._begun, self._ended = 0, False, False
        self._begin_at(self.first_hour)

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

    def reset(self, seed: int | None = None, first_hour: ArrayLike | None = None) -> Floats:
        """Begins the episode.

        Args:
            seed: of whatever is random from here on; None: random numbers go on.
            first_hour: where the episode begins from now on, as for the environment; None: as before.

        Returns:
            Observations, float32 (H, numbers), see observations().

        Raises:
            InputError: where an episode of n_hours from there is not within the data.
        """
        if seed is not None:
            seed = checks.integer("seed", seed, low=0)
        if first_hour is not None:
            first = options.first_hours(first_hour, self.n_homes, self.scenario.n_hours)
            options.episode_length(self.n_hours, first, self.scenario.n_hours)
            self._require_same_hours(first)
            self._begin_at(first)
        self.seed = self.seed if seed is None else seed
        self.batteries.reset(self._initial_charge)
        self.bills.reset()
        self._net[:] = 0
        self.step_number, self._begun, self._ended = 0, True, False
        return self.observations()

    def observations(self) -> Floats:
        """What the homes observe now, float32 (H, numbers), of which each column lies together in memory. They are
        overwritten two steps later."""
        rows = self._observer.at(self.step_number)
        columns = self._columns
        np.copyto(rows[columns[STATE[0]]], self.batteries.charge, casting="same_kind")
        np.multiply(self.bills.peak, 1 / IMPORT_SCALE, out=rows[columns[STATE[2]]], casting="same_kind")
        if self.broadcast == "community":
            size = self.n_homes // self.groups
            told = rows[columns[TOLD[0]]].reshape(self.groups, size)
            told[:] = (self.community_sum / (size * LOAD_SCALE))[:, None]
        return rows.T

    def step(self, actions: ArrayLike | None) -> Step:
        """Lives through an hour as the homes decide.

        Args:
            actions: (H, components), between -1 and 1; what lies outside is cut. None: no control, which leaves
                batteries idle.

        Returns:
            What it gave; its arrays are overwritten by later steps.

        Raises:
            InputError: before reset, after the end of the episode, or actions of another shape or not numbers. Nothing
                has changed then.
        """
        self._require_running()
        if actions is None:
            return self._settle(self._idle, self._blocks.net[self._row(self.step_number)])
        self._take(actions)
        row = self._row(self.step_number)
        need = self._blocks.net[row]
        curtailed = None
        if self.curtails:
            curtailed = np.multiply(self._actions.share(CURTAILMENT), self._blocks.pv[row], out=self._curtailed)
            need = np.add(need, curtailed, out=self._need)
        return self._settle(self._actions.request(need), need, curtailed)

    def settle(self, requested_kwh: ArrayLike) -> Step:
        """Lives through an hour with given requests to the batteries, whatever `information` says: for bounds that know
        the future, and for rules that decide on a power.

        Args:
            requested_kwh: energy at the meter, + = charging, (H,), or one number for all.

        Returns:
            As step.

        Raises:
            InputError: as step.
        """
        self._require_running()
        requested = options.of_homes("requested_kwh", requested_kwh, self.n_homes)
        return self._settle(requested, self._blocks.net[self._row(self.step_number)])

    def _settle(self, requested: Array, need: Array, curtailed: Array | None = None) -> Step:
        number = self.step_number
        pv = self._blocks.pv[self._row(number)]
        if curtailed is not None:
            pv = np.subtract(pv, curtailed, out=self._pv)
        balance = self.batteries.step(requested)
        net = np.add(need, balance, out=self._net)
        cost = self.bills.settle(number, net)
        rewards = self._reward(number, cost, balance)
        self.step_number = number + 1
        self._ended = self.step_number == self.n_hours
        observations = self.observations() if self.observe else None
        return Step(observations, rewards, self._ended, net, cost, pv, balance, requested, curtailed)

    def _row(self, number: int) -> int:
        """The row of the block in memory that holds a step of the episode."""
        self._blocks.at(number)
        return self._blocks.history + number - self._blocks.start

    def _take(self, actions: ArrayLike) -> None:
        self._actions.take(np.asarray(actions))
        if not self._actions.is_finite():
            component, home = np.argwhere(np.isnan(self._actions.values))[0].tolist()
            name = self.data.names[int(self.scenario.home[home])]
            raise InputError(
                f"actions must be numbers: '{self.action_names[component]}' of home {home} ({name}) is not one in hour "
                f"{self.step_number} of the episode"
            )

    def _reward(self, number: int, cost: Array, balance: Array) -> Floats:
        part = self._part
        np.abs(balance, out=part)
        part *= self.wear
        part += cost
        if self.carbon_weight:
            part += self.bills.imports * (self.carbon_weight * self.data.carbon[number + self.first_hour])
        np.multiply(part, self._factor, out=self._rewards, casting="same_kind")
        return self._rewards

    def _require_running(self) -> None:
        if not self._begun or self._ended:
            raise InputError("the episode has ended: call reset()" if self._ended else "call reset() before step()")

    @property
    def same_hours(self) -> bool:
        """Whether the homes of a community have to live in the same hours."""
        return self.market is not None or self.broadcast is not None

    def _require_same_hours(self, first_hour: Hours) -> None:
        if self.same_hours:
            options.require_same_hours(first_hour, self.groups, "a community that has a market or a broadcast")

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

    def state(self) -> dict[str, Any]:
        """All that an episode needs to go on: copies of arrays, and numbers, by name."""
        return {
            "step_number": self.step_number,
            "begun": self._begun,
            "ended": self._ended,
            "seed": self.seed,
            "first_hour": self.first_hour if isinstance(self.first_hour, int) else self.first_hour.copy(),
            "net": self._net.copy(),
            "peak": self.bills.peak.copy(),
            **{f"battery.{name}": values for name, values in self.batteries.state().items()},
        }

    def restore(self, state: dict[str, Any]) -> Floats:
        """Goes on from a state() of an environment with the same arguments, to the same bits.

        Args:
            state: what state() gave.

        Returns:
            Observations at that moment.

        Raises:
            InputError: where it is of other homes or of an episode of other length.
        """
        if not isinstance(state, dict) or np.shape(state.get("net", ())) != (self.n_homes,):
            raise InputError(f"state must be what state() gave of {self.n_homes} homes")
        number = checks.integer("state['step_number']", state["step_number"], low=0, high=self.n_hours)
        first = options.first_hours(state["first_hour"], self.n_homes, self.scenario.n_hours)
        options.episode_length(self.n_hours, first, self.scenario.n_hours)
        self.batteries.restore({name: state[f"battery.{name}"] for name in self.batteries.state()})
        self._begin_at(first)
        self.step_number, self._begun, self._ended = number, bool(state["begun"]), bool(state["ended"])
        self.seed = int(state["seed"])
        np.copyto(self._net, state["net"])
        np.copyto(self.bills.peak, state["peak"])
        return self.observations()
