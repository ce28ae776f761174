"""The homes as a PettingZoo parallel environment: one agent per home, dictionaries over the arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError, MissingExtraError
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.options import AnyScenario, of_homes

try:
    from gymnasium.spaces import Box, Discrete
    from pettingzoo import ParallelEnv
except ImportError:
    raise MissingExtraError("parallel_env", "PettingZoo", "grid") from None


class GridParallelEnv(ParallelEnv[str, Floats, Any]):
    """A GridEnvironment in PettingZoo's words. `parallel_env` makes one.

    Args:
        environment: the homes.
        choices: values of the battery's component, -1 to 1, among which an action chooses; None: actions are vectors.

    Attributes:
        environment: as given; its arrays are the faster way for many homes.
        possible_agents: names of the homes.
        agents: the same, or none after the last hour.

    Raises:
        InputError: fewer than two choices, a choice beyond -1 and 1, or an environment that does not observe.
    """

    metadata = {"name": "trulysparse_grid_v0", "render_modes": [], "is_parallelizable": True}  # noqa: RUF012

    def __init__(self, environment: GridEnvironment, choices: Sequence[float] | None = None) -> None:
        if not environment.observe:
            raise InputError("environment must observe, as agents do: GridEnvironment(observe=True)")
        self.environment = environment
        self.render_mode = None
        self.possible_agents = agent_names(environment)
        self.agents: list[str] = []
        self._choices: NDArray[np.float64] | None = None
        if choices is not None:
            if len(choices) < 2:
                raise InputError(f"choices must be at least two values of the battery's component, not {len(choices)}")
            self._choices = of_homes("choices", list(choices), len(choices), -1, 1)
        self._spaces: dict[tuple[str, str], Any] = {}
        self._known = set(self.possible_agents)
        self.state_space = Box(-np.inf, np.inf, (environment.n_homes * environment.n_observations,), np.float32)
        self._seen: Floats = np.zeros((environment.n_homes, environment.n_observations), np.float32)
        self._actions: Floats = np.tile(environment.start_actions, (environment.n_homes, 1))

    def observation_space(self, agent: str) -> Any:
        """A Box of the observation's numbers; the same object each time."""
        return self._space("observation", agent)

    def action_space(self, agent: str) -> Any:
        """A Box from -1 to 1, or Discrete choices; the same object each time."""
        return self._space("action", agent)

    def _space(self, kind: str, agent: str) -> Any:
        if agent not in self._known:
            raise InputError(f"agent must be one of {', '.join(self.possible_agents[:3])}, ..., not {agent!r:.80}")
        if (kind, agent) not in self._spaces:
            if kind == "observation":
                made: Any = Box(-np.inf, np.inf, (self.environment.n_observations,), np.float32)
            elif self._choices is None:
                made = Box(-1.0, 1.0, (self.environment.n_actions,), np.float32)
            else:
                made = Discrete(len(self._choices))
            self._spaces[kind, agent] = made
        return self._spaces[kind, agent]

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Floats], dict[str, dict[str, Any]]]:
        """Begins an episode.

        Args:
            seed: as GridEnvironment.reset.
            options: 'first_hour', as there; others are for wrappers around this environment.

        Returns:
            Observations and empty infos, by agent.
        """
        self._seen = np.array(self.environment.reset(seed, (options or {}).get("first_hour")), order="C")
        self.agents = list(self.possible_agents)
        return self._by_agent(self._seen), {agent: {} for agent in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Floats], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """An hour.

        Args:
            actions: of each agent.

        Returns:
            By agent: observations, rewards, whether a power flow without solution ended the episode, whether its hours
            are over, and infos with `net` (kWh at the meter) and `cost` ($).

        Raises:
            InputError: where an agent's action is missing or not of its space.
        """
        if not self.agents:
            raise InputError("no episode is under way, or it has ended: call reset()")
        if missing := [agent for agent in self.agents if agent not in actions]:
            raise InputError(f"actions must hold one of each agent: that of {missing[0]!r} is missing")
        given = self._actions
        for row, agent in zip(given, self.agents, strict=True):
            self._put(actions[agent], agent, row)
        step = self.environment.step(given)
        self._seen = np.array(step.observations, order="C")
        names = self.agents
        terminated, truncated = step.ended and bool(step.diverged), step.ended and not step.diverged
        infos = {
            name: {"net": net, "cost": cost}
            for name, net, cost in zip(names, step.net.tolist(), step.cost.tolist(), strict=True)
        }
        result = (
            self._by_agent(self._seen),
            dict(zip(names, step.rewards.tolist(), strict=True)),
            dict.fromkeys(names, terminated),
            dict.fromkeys(names, truncated),
            infos,
        )
        if step.ended:
            self.agents = []
        return result

    def _put(self, action: Any, agent: str, row: Floats) -> None:
        """Writes an agent's action into its row; InputError where it is not of its space, but for its range."""
        try:
            given = np.asarray(action, np.float32 if self._choices is None else None)
        except (TypeError, ValueError):
            raise InputError(f"the action of {agent!r} must be numbers, not {action!r:.80}") from None
        if self._choices is None:
            if given.shape != row.shape:
                raise InputError(f"the action of {agent!r} must be of shape {row.shape}, not {given.shape}")
            row[:] = given
            return
        if given.size != 1 or given.dtype.kind not in "iu" or not 0 <= given.item() < len(self._choices):
            raise InputError(
                f"the action of {agent!r} must be a whole number from 0 to {len(self._choices) - 1}, not {action!r:.80}"
            )
        row[0] = self._choices[given.item()]

    def state(self) -> Floats:
        """All observations, one after the other."""
        state: Floats = self._seen.reshape(-1).copy()
        return state

    def render(self) -> None:
        """There is nothing to see."""

    def close(self) -> None:
        """There is nothing to close."""

    def _by_agent(self, rows: Floats) -> dict[str, Floats]:
        return dict(zip(self.agents or self.possible_agents, rows, strict=True))


def agent_names(environment: GridEnvironment) -> list[str]:
    """Names of the homes; with their number where several have the same.

    Args:
        environment: the homes.

    Example:
        >>> from trulysparse import grid
        >>> agent_names(grid.GridEnvironment(grid.sample_data(2), copies=2, n_hours=24))
        ['home_1 0', 'home_2 1', 'home_1 2', 'home_2 3']
    """
    names = [environment.data.names[home] for home in environment.scenario.home.tolist()]
    if len(set(names)) == len(names):
        return names
    return [f"{name} {number}" for number, name in enumerate(names)]


def parallel_env(
    scenario: AnyScenario = None, *, choices: Sequence[float] | None = None, **options: Any
) -> GridParallelEnv:
    """The homes as a PettingZoo parallel environment.

    Args:
        scenario: which homes live through which hours; GridData, whose homes are taken as they are; a folder in
            CityLearn's layout; or None, for the sample that comes with the package.
        choices: values of the battery's component, -1 to 1, among which an action chooses (Discrete), as VDN and QMIX
            need it; None: actions are vectors between -1 and 1 (Box).
        options: those of GridEnvironment.

    Returns:
        The environment, one agent per home, named after it.

    Raises:
        InputError: as GridEnvironment.

    Example:
        >>> from trulysparse import grid
        >>> env = grid.parallel_env(grid.sample_data(2), n_hours=24)
        >>> observations, infos = env.reset(seed=0)
        >>> sorted(observations)
        ['home_1', 'home_2']
        >>> _, rewards, _, _, _ = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        >>> sorted(rewards)
        ['home_1', 'home_2']
    """
    return GridParallelEnv(GridEnvironment(scenario, **options), choices)
