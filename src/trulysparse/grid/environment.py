"""Homes that decide every hour: batteries, prices, a community and a feeder, as arrays over homes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.grid import options
from trulysparse.grid.actions import CURTAILMENT, Actions
from trulysparse.grid.coupling import Solved
from trulysparse.grid.homes import Homes
from trulysparse.grid.observation import IMPORT_SCALE, LOAD_SCALE, NAMES, STATE, TOLD, VOLTAGE_SCALE
from trulysparse.grid.step import Step

Array = NDArray[np.float64]

_ANY_SHAPE = ("first_hour", "feeder.phasors", "device.vehicles.hour")  # of a state: one number, or one a home


class GridEnvironment(Homes):
    """Homes with PV and batteries, each an agent, stepped together by the hour.

    All arrays have a row per home. The homes may be there several times (`copies`) and live in different hours
    (`first_hour`), so that candidates of a population and weeks of a year run side by side.

    Args:
        scenario: which homes live through which hours; GridData, whose homes are taken as they are; a folder in
            CityLearn's layout; or None, for the sample that comes with the package.
        tariff: see make_tariff.
        information: 'follow': an action is a behaviour for the hour, and the inverter follows the hour's load and PV;
            'setpoint': it is a power, settled against a load that nobody knows yet. Results of the two are never
            comparable.
        feeder: the low-voltage feeder behind which the homes are, or its name ('vorstadt', 'dorf', 'landnetz'), as
            often as they fill it, or Feeders; None: no grid.
        grid_limits: 'penalty': homes pay in their rewards for voltages and currents beyond the limits; 'curtail': the
            operator turns down batteries, then PV, until limits are met.
        market: how communities settle: 'netting', 'mid-market' or 'supply-demand' (see market.local_prices); None:
            each home for itself, but with tariff 'community' it is 'mid-market'. Adds the exchange to actions under
            'follow'.
        communities: how many communities of equal size the homes form, one after the other.
        broadcast: what every home is told each hour: 'community' (the sum of its homes' net load in the last hour),
            True for the same, 'feeder' (the loading of its transformer), or False for nothing.
        curtailment: whether actions have a component that turns off PV.
        electric_vehicles: whether each home has one, synthetic.
        heat_pumps: likewise; rewards count .05 $ per hour and kelvin by which a home is too cold.
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

    def reset(self, seed: int | None = None, first_hour: ArrayLike | None = None) -> Floats:
        """Begins the episode.

        Args:
            seed: of whatever is random from here on; None: as before.
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
        if self._devices is not None:
            self._devices.reset(self.seed)
        if self._coupling is not None:
            self._coupling.reset()
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
        if self._coupling is not None:
            voltage = np.subtract(self._coupling.voltage, 1, out=rows[columns[STATE[1]]])
            voltage *= np.float32(1 / VOLTAGE_SCALE)
            if self.broadcast == "feeder":
                told = rows[columns[TOLD[1]]].reshape(len(self._coupling.loading), -1)
                told[:] = self._coupling.loading[:, None]
        if self._devices is not None:
            place = len(NAMES)
            vehicles = 3 * (self._devices.vehicles is not None)
            self._devices.observe(np.minimum(self.t, self.data.n_hours - 1), rows[place:], rows[place + vehicles :])
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
            return self._live(None, self._idle)
        self._take(actions)
        return self._live(self._actions, None)

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
        return self._live(None, options.of_homes("requested_kwh", requested_kwh, self.n_homes))

    def _live(self, actions: Actions | None, requested: Array | None) -> Step:
        """An hour with actions that were taken, and with requests where those do not make them."""
        number = self.step_number
        row = self._row(number)
        need, pv, curtailed = self._blocks.net[row], self._blocks.pv[row], None
        if self._devices is not None:
            need = np.add(need, self._devices.step(actions, self.t), out=self._need)
        if actions is not None and self.curtails:
            curtailed = np.multiply(actions.share(CURTAILMENT), pv, out=self._curtailed)
            need = np.add(need, curtailed, out=self._need)
            pv = np.subtract(pv, curtailed, out=self._pv)
        if requested is None:
            assert actions is not None
            requested = actions.request(need)
        before = self.batteries.state() if self._limits == "curtail" else None
        balance = self.batteries.step(requested)
        solved = None
        if self._coupling is not None and before is not None:
            solved, allowed, let_through = self._coupling.turn_down(need, balance, pv, number)
            if not np.array_equal(allowed, balance):
                self.batteries.restore(before)
                balance = self.batteries.step(allowed)
            less = pv - let_through
            need, pv, curtailed = need + less, let_through, less if curtailed is None else less + curtailed
        net = np.add(need, balance, out=self._net)
        if self._coupling is not None and solved is None:
            solved = self._coupling.pay(net, number)
        cost = self.bills.settle(number, net)
        rewards = self._reward(cost, balance, solved)
        self.step_number = number + 1
        diverged = "" if solved is None else solved.diverged
        self._ended = self.step_number == self.n_hours or bool(diverged)
        observations = self.observations() if self.observe else None
        step = Step(observations, rewards, self._ended, net, cost, pv, balance, requested, curtailed)
        if solved is not None:
            step.penalty, step.flow, step.diverged = solved.penalty, solved.flow, diverged
        if self._devices is not None:
            devices = self._devices
            step.vehicle_missing, step.indoors, step.discomfort = devices.missing, devices.indoors, devices.discomfort
        return step

    def _take(self, actions: ArrayLike) -> None:
        self._actions.take(np.asarray(actions))
        if not self._actions.is_finite():
            component, home = np.argwhere(np.isnan(self._actions.values))[0].tolist()
            name = self.data.names[int(self.scenario.home[home])]
            raise InputError(
                f"actions must be numbers: '{self.action_names[component]}' of home {home} ({name}) is not one in hour "
                f"{self.step_number} of the episode"
            )

    def _reward(self, cost: Array, balance: Array, solved: Solved | None) -> Floats:
        part = self._part
        np.abs(balance, out=part)
        part *= self.wear
        part += cost
        if self.carbon_weight:
            part += self.bills.imports * (self.carbon_weight * self.data.carbon[self.t])
        if solved is not None:
            part += solved.penalty
        if self._devices is not None:
            part += self._devices.cost()
        np.multiply(part, self._factor, out=self._rewards, casting="same_kind")
        return self._rewards

    def _require_running(self) -> None:
        if not self._begun or self._ended:
            raise InputError("the episode has ended: call reset()" if self._ended else "call reset() before step()")

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
            **_named("battery", self.batteries.state()),
            **({} if self._coupling is None else _named("feeder", self._coupling.state())),
            **({} if self._devices is None else _named("device", self._devices.state())),
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
        _require_like(state, self.state())
        number = checks.integer("state['step_number']", state["step_number"], low=0, high=self.n_hours)
        first = options.first_hours(state["first_hour"], self.n_homes, self.scenario.n_hours)
        options.episode_length(self.n_hours, first, self.scenario.n_hours)
        self.batteries.restore(_of("battery", state))
        self._begin_at(first)
        self.step_number, self._begun, self._ended = number, bool(state["begun"]), bool(state["ended"])
        self.seed = int(state["seed"])
        if self._coupling is not None:
            self._coupling.restore(_of("feeder", state))
        if self._devices is not None:
            self._devices.restore(_of("device", state), self.seed)
        np.copyto(self._net, state["net"])
        np.copyto(self.bills.peak, state["peak"])
        return self.observations()


def _require_like(given: Any, own: dict[str, Any]) -> None:
    """InputError where a state is not of an environment with these arguments."""
    if not isinstance(given, dict) or set(given) != set(own):
        names = set(given) ^ set(own) if isinstance(given, dict) else {"all"}
        raise InputError(f"state must be what state() gave of such an environment: {min(names)!r} does not fit")
    for name, value in own.items():
        if name not in _ANY_SHAPE and np.shape(given[name]) != np.shape(value):
            raise InputError(f"state[{name!r}] must be of shape {np.shape(value)}, not {np.shape(given[name])}")


def _named(part: str, state: dict[str, Any]) -> dict[str, Any]:
    """A part's state under names of the whole."""
    return {f"{part}.{name}": value for name, value in state.items()}


def _of(part: str, state: dict[str, Any]) -> dict[str, Any]:
    """The state of a part."""
    return {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}
