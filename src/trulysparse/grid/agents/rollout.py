"""Rollouts: what candidates cost that live through windows of the year, all side by side in one environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.grid.agents.candidates import Candidates
from trulysparse.grid.agents.policy import ActionMap
from trulysparse.grid.bills import mean_cost
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.scenario import scenario_of
from trulysparse.grid.tariff import make_tariff

CHARGE_EFFICIENCY = 0.95
"""What is left of a stored kWh when a home uses it."""


class EnvironmentMaker:
    """Makes environments of chosen homes of a scenario, which may be repeated and live in different hours.

    Args:
        scenario: Scenario or GridData, of all homes.
        options: of GridEnvironment by name, such as {"tariff": "peakfee"}.
        counted: hours whose mean cost without control is the unit of rewards, and whose lowest price that of stored
            energy, bool (T,): those that may be learned from. None: all.

    Attributes:
        scenario, tariff: of all homes.
        coupled: whether what a home does is felt by others: by a feeder, a market or a broadcast. Environments are then
            of all homes, also of those that do not learn.
        reward_scale: $ of each home, (H,).
        unit: 1 / reward_scale times what a stored kWh is worth when a window ends: the lowest import price, less the
            loss of discharging; (H,).

    Example:
        >>> from trulysparse.grid.sample import sample_data
        >>> maker = EnvironmentMaker(sample_data(), {"tariff": "tou"})
        >>> maker.make([0, 1], [0, 0, 168, 168], 24, copies=2).n_homes
        4
    """

    def __init__(
        self, scenario: Any, options: Mapping[str, Any] | None = None, counted: NDArray[np.bool_] | None = None
    ) -> None:
        self.scenario = scenario if hasattr(scenario, "window") else scenario_of(scenario)
        given = dict(options or {})
        for name in ("first_hour", "n_hours", "copies", "initial_charge"):
            if name in given:
                raise InputError(f"environment options must not have {name!r}: training chooses it")
        n_homes = int(self.scenario.n_homes)
        self.tariff = make_tariff(given.pop("tariff", "tou"), self.scenario.data, n_homes)
        scale = given.pop("reward_scale", None)
        hours = np.ones(int(self.scenario.n_hours), np.bool_) if counted is None else counted
        if scale is None:
            scale = mean_cost(self.scenario, self.tariff, hours)
        self.reward_scale: NDArray[np.float64] = np.array(np.broadcast_to(np.asarray(scale, np.float64), (n_homes,)))
        lowest = self.tariff.import_price[hours].min(axis=0)
        kind = 0 if self.tariff.kind is None else self.tariff.kind
        self.unit: NDArray[np.float64] = CHARGE_EFFICIENCY * lowest[kind] / self.reward_scale
        self.options = given
        self.coupled = self.tariff.name == "community" or any(
            given.get(name) not in (None, False) for name in ("market", "broadcast", "feeder")
        )

    @property
    def n_homes(self) -> int:
        """Homes of the scenario."""
        return len(self.reward_scale)

    def make(
        self, homes: ArrayLike, first_hour: ArrayLike, n_hours: int, copies: int = 1, **options: Any
    ) -> GridEnvironment:
        """An environment.

        Args:
            homes: indices, which may come more than once.
            first_hour: in which the episode begins, one number or one for each home of each copy.
            n_hours: length of the episode.
            copies: how many times these homes are there.
            options: others of GridEnvironment.
        """
        chosen = np.asarray(homes, np.int64)
        return GridEnvironment(
            self.scenario.select(chosen),
            tariff=self.tariff.of_homes(chosen),
            reward_scale=self.reward_scale[chosen],
            first_hour=first_hour,
            n_hours=n_hours,
            copies=copies,
            **{**self.options, **options},
        )


class Rollouts:
    """Windows of some homes, lived through by all candidates of their agents at once.

    A neighbourhood is repeated for each candidate and each window: candidates k of all agents live next to each other
    in window w, and what one of them does to the community or the feeder is felt by the others. It consists of the
    agents' homes or, where homes are coupled, of all homes: those without an agent keep to the environment's start
    actions.

    Args:
        maker: of the environment.
        homes: of the agents, those of one agent next to each other, (N * homes per agent,).
        n_agents: N.
        action_map: of outputs to actions.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.grid.sample import sample_data
        >>> fleet = ts.Fleet(2, (24, 8, 1), density=0.5, activation="tanh", output="identity", threads=1)
        >>> rollouts = Rollouts(EnvironmentMaker(sample_data()), [0, 1], 2, ActionMap([-1.0]))
        >>> candidates = Candidates(fleet, 4, rollouts.columns(2), threads=1)
        >>> rollouts.costs(candidates, [0, 168], n_hours=24).shape
        (2, 4)
    """

    def __init__(self, maker: EnvironmentMaker, homes: ArrayLike, n_agents: int, action_map: ActionMap) -> None:
        self.maker, self.action_map, self.n_agents = maker, action_map, n_agents
        self.homes: NDArray[np.int64] = np.asarray(homes, np.int64)
        if len(self.homes) % n_agents:
            raise InputError(f"homes must be as many for each of {n_agents} agents, not {len(self.homes)} in all")
        self.homes_per_agent = len(self.homes) // n_agents
        self._environment: tuple[Any, GridEnvironment] | None = None
        everybody = np.arange(maker.n_homes)
        self._neighbourhood = everybody if maker.coupled else self.homes
        self._places = self.homes if maker.coupled else np.arange(len(self.homes))
        self._all_act = np.array_equal(self._places, np.arange(len(self._neighbourhood)))

    def columns(self, n_windows: int) -> int:
        """Samples of a candidate at a time."""
        return n_windows * self.homes_per_agent

    def costs(self, candidates: Candidates, first_hours: ArrayLike, n_hours: int) -> NDArray[np.float64]:
        """What each candidate costs its agent: minus the rewards, less what the battery holds at the end.

        Args:
            candidates: with the weights of their generation.
            first_hours: of the windows, (W,).
            n_hours: length of each.

        Returns:
            (N, K), in hours of mean cost without control, summed over windows and the agent's homes.
        """
        windows = np.asarray(first_hours, np.int64)
        n_windows, n_near = len(windows), len(self._neighbourhood)
        begin = np.tile(np.repeat(windows, n_near), candidates.count)
        environment = self._made(begin, n_hours)
        shape = candidates.count, n_windows, self.n_agents, self.homes_per_agent
        split = (*shape[:1], self.n_agents, -1, n_windows, self.homes_per_agent)
        x = candidates.x[..., : candidates.columns].reshape(split)
        actions: Floats = np.empty((*shape, environment.n_actions), np.float32)
        flat = actions.reshape(-1, environment.n_actions)
        near: Floats = np.tile(environment.start_actions, (candidates.count * n_windows, n_near, 1))
        total = np.zeros(environment.n_homes)
        observations = environment.reset(first_hour=begin)
        while True:
            x[...] = self._of_agents(observations, shape).transpose(0, 2, 4, 1, 3)
            outputs = candidates.forward()  # (K, N, components, W * homes)
            actions[...] = outputs.reshape(split).transpose(0, 3, 1, 4, 2)
            self.action_map(flat)
            if not self._all_act:
                near[:, self._places] = actions.reshape(len(near), len(self.homes), -1)
            step = environment.step(flat if self._all_act else near.reshape(environment.n_homes, -1))
            total -= step.rewards
            if step.ended or step.observations is None:
                break
            observations = step.observations
        total -= environment.batteries.energy_kwh * np.tile(
            self.maker.unit[self._neighbourhood], candidates.count * n_windows
        )
        costs: NDArray[np.float64] = self._of_agents(total, shape)[..., 0].sum(axis=(1, 3)).T
        return costs

    def _of_agents(self, values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """Values of all homes of all copies, (H,) or (H, n), as (K, W, N, homes per agent, n) of those with agents."""
        if not self._all_act:
            copies = shape[0] * shape[1]
            values = values.reshape(copies, len(self._neighbourhood), -1)[:, self._places]
        return values.reshape(*shape, -1)

    def _made(self, begin: NDArray[np.int64], n_hours: int) -> GridEnvironment:
        """The environment of homes that begin in these hours; the last one where there are as many."""
        key = len(begin), n_hours
        if self._environment is None or self._environment[0] != key:
            copies = len(begin) // len(self._neighbourhood)
            self._environment = key, self.maker.make(self._neighbourhood, begin, n_hours, copies)
        return self._environment[1]
