"""Homes that decide every hour: batteries, prices, a community and a feeder, as arrays over homes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.grid.actions import CURTAILMENT, MODES, Actions
from trulysparse.grid.battery import Batteries
from trulysparse.grid.bills import Bills, mean_cost
from trulysparse.grid.hours import HourBlocks
from trulysparse.grid.market import MARKETS
from trulysparse.grid.observation import IMPORT_SCALE, LOAD_SCALE, STATE, TOLD, Observer
from trulysparse.grid.splits import WEEK, split_of
from trulysparse.grid.step import Step
from trulysparse.grid.tariff import Tariff, make_tariff

Array = NDArray[np.float64]

FORECASTS = ("persistence", "week")
BROADCASTS = ("community", "feeder")
GRID_LIMITS = ("penalty", "curtail")


class GridEnvironment:
    """Homes with PV and batteries, each an agent, stepped together by the hour.

    All arrays have a row per home. Homes may be copies of each other (`scenario.select`) and may live in different
    hours (`first_hour`), so that candidates of a population and weeks of a year run side by side.

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
        scenario: as given.
        tariff: the tariff.
        n_homes: H.
        n_hours: length of the episode.
        first_hour: as given: int, or int64 (H,).
        batteries: see battery.Batteries.
        bills: see bills.Bills.
        step_number: steps of the episode so far.
        reward_scale: float64 (H,).

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
        scenario: Any,
        *,
        tariff: str | Tariff | ArrayLike = "tou",
        information: str = "follow",
        market: str | None = None,
        communities: int = 1,
        broadcast: bool | str = False,
        curtailment: bool = False,
        oracle: bool = False,
        first_hour: int | ArrayLike = 0,
        n_hours: int | None = None,
        initial_charge: ArrayLike = 0.0,
        reward_scale: ArrayLike | None = None,
        wear: float = 0.01,
        carbon_weight: float = 0.0,
        forecasts: str = "persistence",
        observe: bool = True,
        seed: int = 0,
    ) -> None:
        self.scenario = scenario = _scenario(scenario)
        self.data, self.n_homes = scenario.data, int(scenario.n_homes)
        self.information = checks.choice("information", information, MODES)
        self.tariff = make_tariff(tariff, self.data, self.n_homes)
        self.first_hour, self.n_hours = _hours(first_hour, n_hours, self.n_homes, int(scenario.n_hours))
        self.communities = checks.integer("communities", communities, low=1, high=self.n_homes)
        if self.n_homes % self.communities:
            raise InputError(
                f"communities must divide the {self.n_homes} homes into equal groups, not {self.communities}"
            )
        if market is None and self.tariff.name == "community":
            market = "mid-market"
        self.market = market if market is None else checks.choice("market", market, MARKETS)
        self.broadcast = _broadcast(broadcast)
        if self.market is not None or self.broadcast is not None:
            _require_same_hours(self.first_hour, self.communities)
        self.wear = checks.real("wear", wear, low=0)
        self.carbon_weight = checks.real("carbon_weight", carbon_weight, low=0)
        self.observe = checks.flag("observe", observe)
        self.seed = checks.integer("seed", seed, low=0)
        self.curtails = checks.flag("curtailment", curtailment)
        days = 1 if checks.choice("forecasts", forecasts, FORECASTS) == "persistence" else 7
        self.batteries = Batteries(scenario.battery_kwh, scenario.battery_kw)
        self._initial_charge = _of_homes("initial_charge", initial_charge, self.n_homes, 0, 1)
        self.actions = Actions(
            self.information,
            self.n_homes,
            self.batteries.power_kw,
            self.market is not None and self.information == "follow",
            self.curtails,
        )
        self.bills = Bills(self.tariff, self.data, self.n_homes, self.first_hour, self.market, self.communities)
        self.blocks = HourBlocks(scenario, self.n_homes, self.first_hour, self.n_hours, days)
        oracle = checks.flag("oracle", oracle)
        self._observer = Observer(self.data, self.tariff, self.blocks, self.first_hour, oracle)
        self.oracle, self.observation_names = oracle, self._observer.names
        self.reward_scale = self._scale(reward_scale)
        self._factor = -1 / self.reward_scale
        self._columns = {name: self.observation_names.index(name) for name in STATE + TOLD}
        self._per_kwh = np.divide(
            1.0, self.batteries.capacity_kwh, out=np.zeros(self.n_homes), where=self.batteries.capacity_kwh > 0
        )
        self._net, self._part, self._pv = (np.zeros(self.n_homes) for _ in range(3))
        self._house, self._curtailed = np.zeros(self.n_homes), np.zeros(self.n_homes)
        self._idle: Array = np.zeros(self.n_homes)
        self._rewards: Floats = np.zeros(self.n_homes, np.float32)
        self.step_number, self._begun, self._ended = 0, False, False

    @property
    def n_observations(self) -> int:
        """Numbers in an observation."""
        return len(self.observation_names)

    @property
    def n_actions(self) -> int:
        """Components of an action."""
        return len(self.actions.names)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the components of an action."""
        return self.actions.names

    @property
    def start_action(self) -> Floats:
        """An action to begin with, float32 (components,), see Actions."""
        return self.actions.start

    @property
    def hour(self) -> int | NDArray[np.int64]:
        """The row of the data that the next step is about, one number or one a home."""
        return self.first_hour + self.step_number

    @property
    def charge(self) -> Array:
        """Stored energy of each battery, share of its capacity, (H,)."""
        return self.batteries.charge

    def reset(self, seed: int | None = None) -> Floats:
        """Begins the episode.

        Args:
            seed: of whatever is random from here on; None: random numbers go on.

        Returns:
            Observations, float32 (H, numbers).
        """
        if seed is not None:
            self.seed = checks.integer("seed", seed, low=0)
        self.batteries.reset(self._initial_charge)
        self.bills.reset()
        self._net[:] = 0
        self.step_number, self._begun, self._ended = 0, True, False
        return self.observations()

    def observations(self) -> Floats:
        """What the homes observe now, float32 (H, numbers); overwritten two steps later."""
        row = self._observer.at(self.step_number)
        columns = self._columns
        np.multiply(self.batteries.energy_kwh, self._per_kwh, out=row[:, columns[STATE[0]]], casting="same_kind")
        np.multiply(self.bills.peak, 1 / IMPORT_SCALE, out=row[:, columns[STATE[2]]], casting="same_kind")
        if self.broadcast == "community":
            size = self.n_homes // self.communities
            sums = self._net.reshape(self.communities, size).sum(axis=1) / (size * LOAD_SCALE)
            row[:, columns[TOLD[0]]].reshape(self.communities, size)[:] = sums[:, None]
        return row

    def step(self, actions: ArrayLike | None, *, battery_kwh: ArrayLike | None = None) -> Step:
        """Lives through an hour.

        Args:
            actions: (H, components), between -1 and 1; what lies outside is cut. None: no control, which leaves
                batteries idle.
            battery_kwh: what is asked of each battery in kWh, + = charging, instead of what actions say of it, (H,):
                for bounds that know the future.

        Returns:
            What it gave; its arrays are overwritten by later steps.

        Raises:
            InputError: before reset, after the end of the episode, or actions of another shape or not numbers. Nothing
                has changed then.
        """
        if not self._begun or self._ended:
            raise InputError("the episode has ended: call reset()" if self._ended else "call reset() before step()")
        number, blocks = self.step_number, self.blocks
        if actions is not None:
            self._take(actions)
        asked = None if battery_kwh is None else _of_homes("battery_kwh", battery_kwh, self.n_homes)
        blocks.at(number)
        row = blocks.history + number - blocks.start
        house, pv, curtailed = blocks.net[row], blocks.pv[row], None
        if actions is not None and self.curtails:
            curtailed = np.multiply(self.actions.share(CURTAILMENT), pv, out=self._curtailed)
            house = np.add(house, curtailed, out=self._house)
            pv = np.subtract(pv, curtailed, out=self._pv)
        requested = asked if asked is not None else self._idle if actions is None else self.actions.request(house)
        balance = self.batteries.step(requested)
        net = np.add(house, balance, out=self._net)
        cost = self.bills.settle(number, net)
        rewards = self._reward(number, cost, balance)
        self.step_number = number + 1
        self._ended = self.step_number == self.n_hours
        observations = self.observations() if self.observe else None
        return Step(observations, rewards, self._ended, net, cost, pv, balance, requested, curtailed)

    def _take(self, actions: ArrayLike) -> None:
        self.actions.take(np.asarray(actions))
        if not self.actions.is_finite():
            component, home = np.argwhere(np.isnan(self.actions.values))[0].tolist()
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

    def _scale(self, reward_scale: ArrayLike | None) -> Array:
        if reward_scale is not None:
            scale = _of_homes("reward_scale", reward_scale, self.n_homes)
            if not (scale > 0).all():
                raise InputError(f"reward_scale must be above 0, not {scale.min():g}")
            return scale
        n_hours = int(self.scenario.n_hours)
        counted = np.ones(n_hours, np.bool_) if n_hours < 4 * WEEK else split_of(("",), n_hours).train_hours
        return mean_cost(self.scenario, self.tariff, counted)

    def state(self) -> dict[str, Any]:
        """All that an episode needs to go on: copies of arrays and numbers, by name."""
        return {
            "step_number": self.step_number,
            "begun": self._begun,
            "ended": self._ended,
            "seed": self.seed,
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
        self.batteries.restore({name: state[f"battery.{name}"] for name in self.batteries.state()})
        self.step_number, self._begun, self._ended = number, bool(state["begun"]), bool(state["ended"])
        self.seed = int(state["seed"])
        np.copyto(self._net, state["net"])
        np.copyto(self.bills.peak, state["peak"])
        return self.observations()


def _scenario(given: Any) -> Any:
    from trulysparse.grid.data import GridData

    if isinstance(given, GridData):
        from trulysparse.grid.scenario import scenario_of

        return scenario_of(given)
    if not hasattr(given, "window") or not hasattr(given, "battery_kwh"):
        raise InputError(f"scenario must be a Scenario or GridData, not {given!r:.80}")
    return given


def _hours(
    first_hour: int | ArrayLike, n_hours: int | None, n_homes: int, available: int
) -> tuple[int | NDArray[np.int64], int]:
    """Where the episode begins and how long it is."""
    if np.ndim(first_hour) == 0:
        first: int | NDArray[np.int64] = checks.integer("first_hour", first_hour, low=0, high=available - 1)
        last_begin = int(first)
    else:
        given = np.asarray(first_hour)
        if given.shape != (n_homes,) or not np.issubdtype(given.dtype, np.integer):
            raise InputError(
                f"first_hour must be a whole number, or one of each of the {n_homes} homes, not {given!r:.80}"
            )
        if given.min() < 0 or given.max() >= available:
            raise InputError(f"first_hour must lie between 0 and {available - 1}, not {given.min()} to {given.max()}")
        last_begin = int(given.max())
        first = last_begin if given.min() == last_begin else given.astype(np.int64)
    if n_hours is None:
        return first, available - last_begin
    n_hours = checks.integer("n_hours", n_hours, low=1)
    if last_begin + n_hours > available:
        raise InputError(
            f"n_hours must be at most {available - last_begin} where the episode begins in hour {last_begin} of "
            f"{available}, not {n_hours}"
        )
    return first, n_hours


def _require_same_hours(first_hour: int | NDArray[np.int64], communities: int) -> None:
    if isinstance(first_hour, int):
        return
    groups = first_hour.reshape(communities, -1)
    if (groups != groups[:, :1]).any():
        raise InputError("first_hour must be the same for all homes of a community that has a market or a broadcast")


def _broadcast(broadcast: bool | str) -> str | None:
    if isinstance(broadcast, bool | np.bool_):
        return "community" if broadcast else None
    return checks.choice("broadcast", broadcast, BROADCASTS)


def _of_homes(name: str, values: ArrayLike, n_homes: int, low: float = -np.inf, high: float = np.inf) -> Array:
    """One number a home, from one for all or one each."""
    try:
        given = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers, one or one a home, not {values!r:.80}") from None
    if given.shape not in ((), (n_homes,)):
        raise InputError(f"{name} must be one number or of shape ({n_homes},), not {given.shape}")
    if not (np.isfinite(given) & (given >= low) & (given <= high)).all():
        raise InputError(f"{name} must be finite numbers between {low:g} and {high:g}, not {given!r:.80}")
    return np.array(np.broadcast_to(given, (n_homes,)))
