"""A PettingZoo parallel environment as arrays: one row per agent, whether it still takes part or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError

Bools = NDArray[np.bool_]

_MEMBERS = ("possible_agents", "observation_space", "action_space", "reset", "step")
_FITTING = "IQL, VDN and QMIX choose among Discrete actions"


@dataclass(frozen=True)
class TeamSpaces:
    """Sizes of a team's observations and actions.

    Args:
        agents: their names, in the order of rows.
        n_observations: numbers in the observation of each agent.
        n_actions: choices of each agent.
        n_states: numbers in the state of the whole environment; 0 where nobody asks for it.
    """

    agents: tuple[str, ...]
    n_observations: tuple[int, ...]
    n_actions: tuple[int, ...]
    n_states: int = 0

    @property
    def n_agents(self) -> int:
        """How many agents."""
        return len(self.agents)

    @property
    def width(self) -> int:
        """Numbers in the longest observation; shorter ones end in zeros."""
        return max(self.n_observations)

    @property
    def n_choices(self) -> int:
        """The most choices that an agent has."""
        return max(self.n_actions)

    @property
    def missing(self) -> Bools | None:
        """(n_choices, n_agents): choices that an agent does not have; None where all have all."""
        if min(self.n_actions) == self.n_choices:
            return None
        missing: Bools = np.arange(self.n_choices)[:, None] >= np.array(self.n_actions)
        return missing

    def rows(self, observations: Mapping[str, Any]) -> tuple[Floats, Bools]:
        """Observations of some agents as rows.

        Args:
            observations: by agent.

        Returns:
            float32 (n_agents, width), zeros where there is none, and who has one, bool (n_agents,).

        Raises:
            InputError: where an agent is not known or its observation is not finite or of another shape.
        """
        rows, there = np.zeros((self.n_agents, self.width), np.float32), np.zeros(self.n_agents, np.bool_)
        for number, agent in enumerate(self.agents):
            if agent in observations:
                there[number] = True
                _store(rows[number, : self.n_observations[number]], observations[agent], f"observation of {agent!r}")
        if there.sum() != len(observations):
            unknown = [agent for agent in observations if agent not in self.agents]
            raise InputError(f"observations must be of agents {', '.join(map(str, self.agents))}, not of {unknown}")
        return rows, there


class TeamStep(NamedTuple):
    """What one step of the environment gave.

    Args:
        observations: float32 (n_agents, width) that followed the actions; zeros of agents that are out.
        state: float32 (n_states,) that followed, or None.
        rewards: float32 (n_agents,).
        terminated: bool (n_agents,); whether the agent's episode came to an end of its own.
        alive: bool (n_agents,); whether the agent goes on to act.
        ended: whether the episode has ended for all: [0], or empty, as of an environment among several.
        returns: then, what the agents earned in it, on average.
        lengths: then, its steps.
    """

    observations: Floats
    state: Floats | None
    rewards: Floats
    terminated: Bools
    alive: Bools
    ended: list[int]
    returns: list[float]
    lengths: list[int]


class TeamEnvironment:
    """A PettingZoo parallel environment whose agents choose among discrete actions.

    Args:
        env: the environment.
        with_state: whether the state of the whole is wanted: what `env.state()` gives or, where the environment has
            none, all observations one after the other.

    Attributes:
        env: as given.
        spaces: sizes.
        n_steps: steps since the beginning.
        observations: float32 (n_agents, width), what the next actions are for.
        alive: bool (n_agents,), who acts next.
        state: float32 (n_states,), or None.

    Raises:
        InputError: where env is of another kind, or its spaces do not fit.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> team = TeamEnvironment(simple_spread_v3.parallel_env())
        >>> team.spaces.agents, team.spaces.n_observations, team.spaces.n_actions
        (('agent_0', 'agent_1', 'agent_2'), (18, 18, 18), (5, 5, 5))
        >>> team.reset(seed=0)
        >>> step = team.step(np.array([0, 1, 2]))
        >>> step.rewards.shape, step.ended
        ((3,), [])
    """

    def __init__(self, env: Any, *, with_state: bool = False) -> None:
        self.env = env
        self.spaces = checked_team_spaces(env)
        self.n_steps = 0
        self._with_state = with_state
        self._own_state = with_state
        self.observations: Floats = np.zeros((self.spaces.n_agents, self.spaces.width), np.float32)
        self.alive: Bools = np.zeros(self.spaces.n_agents, np.bool_)
        self.state: Floats | None = None
        self._return, self._length = 0.0, 0
        if with_state:
            self.reset()
            assert self.state is not None
            sizes = self.spaces
            self.spaces = TeamSpaces(sizes.agents, sizes.n_observations, sizes.n_actions, self.state.size)

    def reset(self, seed: int | None = None) -> None:
        """Begins an episode.

        Args:
            seed: of the environment; None where its random numbers go on.

        Raises:
            InputError: where an observation is not finite or of another shape than its space.
        """
        if seed is not None:
            seed = checks.integer("seed", seed, low=0)
        found, _ = self.env.reset(seed=seed)
        self._return, self._length = 0.0, 0
        self._take(found)
        self.alive = self._members(self.env.agents)
        if not self.alive.any():
            raise InputError("env has no agents after a reset")

    def step(self, actions: NDArray[Any]) -> TeamStep:
        """Takes one step.

        Args:
            actions: integers (n_agents,); those of agents that are out are not read.

        Returns:
            What it gave.

        Raises:
            InputError: where an observation or a reward is not finite, with the step and the agent.
        """
        agents, alive = self.spaces.agents, self.alive
        chosen = {agents[i]: int(actions[i]) for i in np.flatnonzero(alive)}
        found, rewards, terminated, truncated, _ = self.env.step(chosen)
        self.n_steps += 1
        self._take(found)
        earned = np.zeros(len(agents), np.float32)
        ended = np.zeros(len(agents), np.bool_)
        for number, agent in enumerate(agents):
            if alive[number]:
                earned[number] = rewards.get(agent, 0.0)
                ended[number] = terminated.get(agent, False)
        if not np.isfinite(earned).all():
            agent = agents[int(np.flatnonzero(~np.isfinite(earned))[0])]
            raise InputError(f"env's reward of {agent!r} at step {self.n_steps} is {rewards[agent]}, not finite")
        self.alive = self._members(self.env.agents) & alive
        for number, agent in enumerate(agents):
            if self.alive[number] and (ended[number] or truncated.get(agent, False)):
                self.alive[number] = False
        self._return += float(earned.sum()) / len(agents)
        self._length += 1
        episode: tuple[list[int], list[float], list[int]] = ([], [], [])
        if not self.alive.any():
            episode = [0], [self._return], [self._length]
        return TeamStep(self.observations, self.state, earned, ended, self.alive, *episode)

    def _take(self, found: Mapping[str, Any]) -> None:
        """Reads observations and the state."""
        try:
            self.observations, _ = self.spaces.rows(found)
        except InputError as error:
            raise InputError(f"env at step {self.n_steps}: {error}") from None
        if self._own_state:
            try:
                state = np.asarray(self.env.state(), np.float32).ravel()
            except (NotImplementedError, AttributeError):
                self._own_state = False
            else:
                if not np.isfinite(state).all():
                    raise InputError(f"env's state at step {self.n_steps} is not finite")
                if self.state is not None and state.size != self.state.size:
                    raise InputError(
                        f"env's state at step {self.n_steps} has {state.size} numbers, not {self.state.size} as before"
                    )
                self.state = state
        if self._with_state and not self._own_state:
            self.state = self.observations.ravel()

    def _members(self, agents: Any) -> Bools:
        """Which of all agents are among some."""
        if list(agents) == list(self.spaces.agents):
            return np.ones(self.spaces.n_agents, np.bool_)
        there = set(agents)
        return np.array([agent in there for agent in self.spaces.agents], np.bool_)


def checked_team_spaces(env: Any) -> TeamSpaces:
    """The spaces of an environment that a team can learn in.

    Args:
        env: a PettingZoo parallel environment.

    Returns:
        Sizes.

    Raises:
        InputError: where env is of another kind, its observations are not vectors, or its actions not choices.
    """
    if hasattr(env, "agent_iter") and hasattr(env, "last"):
        raise InputError(
            "env is one whose agents take turns (AEC): pettingzoo.utils.conversions.aec_to_parallel makes a parallel "
            "one of it, where it can be"
        )
    if any(not hasattr(env, member) for member in _MEMBERS):
        kind = "module: call its parallel_env()" if hasattr(env, "parallel_env") else f"{env!r:.80}"
        raise InputError(
            "env must be a parallel environment of PettingZoo, such as simple_spread_v3.parallel_env() of mpe2, not "
            f"{'the ' if 'module' in kind else ''}{kind}"
        )
    agents = tuple(env.possible_agents)
    if not agents:
        raise InputError("env.possible_agents is empty")
    for agent in agents:
        observation, action = env.observation_space(agent), env.action_space(agent)
        shape = getattr(observation, "shape", None)
        if _kind(observation) not in ("Box", "MultiBinary") or shape is None or len(shape) != 1 or shape[0] == 0:
            raise InputError(
                f"env's observations of {agent!r} must be one vector (Box or MultiBinary), not "
                f"{_kind(observation)}{'' if shape is None else f' of shape {shape}'}"
            )
        if _kind(action) != "Discrete":
            raise InputError(f"env's actions of {agent!r} must be Discrete, not {_kind(action)}: {_FITTING}")
        if int(action.start) != 0:
            raise InputError(f"env's choices of {agent!r} must be counted from 0, not from {int(action.start)}")
    return TeamSpaces(
        agents,
        tuple(int(env.observation_space(agent).shape[0]) for agent in agents),
        tuple(int(env.action_space(agent).n) for agent in agents),
    )


def _kind(space: Any) -> str:
    """The name of the space's class, of Gymnasium's own where it is derived from one."""
    names = [each.__name__ for each in type(space).__mro__ if each.__module__.startswith("gymnasium.spaces")]
    return names[0] if names else type(space).__name__


def _store(row: Floats, values: Any, what: str) -> None:
    """Copies an observation into a row; InputError where it does not fit."""
    if np.shape(values) != row.shape:
        raise InputError(f"{what} has shape {np.shape(values)}, its space {row.shape}")
    row[:] = values
    if not np.isfinite(row).all():
        raise InputError(f"{what} is not finite at index {int(np.flatnonzero(~np.isfinite(row))[0])}")
