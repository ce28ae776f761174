"""Games for several agents, as PettingZoo's parallel environments, without PettingZoo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class SignalGame:
    """Each agent sees which of its actions is wanted at this moment, and gets 1 for it.

    Args:
        n_actions: of each agent.
        n_observations: of each agent, at least its n_actions; numbers beyond are noise.
        length: steps of an episode.
        leaves: agents whose own episode ends earlier, by name, with the number of their last step.
        truncated: whether episodes are cut off, or come to an end of their own.
    """

    def __init__(
        self,
        n_actions: tuple[int, ...] = (3, 3),
        n_observations: tuple[int, ...] = (4, 4),
        length: int = 5,
        leaves: Mapping[str, int] | None = None,
        truncated: bool = True,
    ) -> None:
        from gymnasium import spaces

        self.possible_agents = [f"player_{number}" for number in range(len(n_actions))]
        self.agents: list[str] = []
        self._n_actions = dict(zip(self.possible_agents, n_actions, strict=True))
        self._spaces = {
            agent: (spaces.Box(-np.inf, np.inf, (size,), np.float32), spaces.Discrete(self._n_actions[agent]))
            for agent, size in zip(self.possible_agents, n_observations, strict=True)
        }
        self.length, self.leaves, self.truncated = length, dict(leaves or {}), truncated
        self.rng = np.random.default_rng(0)
        self.time = 0
        self.log: list[dict[str, Any]] = []

    def observation_space(self, agent: str) -> Any:
        return self._spaces[agent][0]

    def action_space(self, agent: str) -> Any:
        return self._spaces[agent][1]

    def _observe(self, agents: list[str]) -> dict[str, np.ndarray]:
        self.wanted = {agent: int(self.rng.integers(self._n_actions[agent])) for agent in agents}
        observations = {}
        for agent in agents:
            seen = self.rng.normal(size=self._spaces[agent][0].shape).astype(np.float32)
            seen[: self._n_actions[agent]] = 0
            seen[self.wanted[agent]] = 1
            observations[agent] = seen
        return observations

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self.time = 0
        observations = self._observe(self.agents)
        self.log.append({"first": observations})
        return observations, {}

    def step(self, actions: Mapping[str, int]) -> tuple[dict[str, Any], ...]:
        assert set(actions) == set(self.agents)
        self.time += 1
        rewards = {agent: float(action == self.wanted[agent]) for agent, action in actions.items()}
        over = self.time == self.length
        ended = {agent: self.leaves.get(agent) == self.time for agent in self.agents}
        terminated = {agent: ended[agent] or (over and not self.truncated) for agent in self.agents}
        truncated = {agent: over and self.truncated and not ended[agent] for agent in self.agents}
        observations = self._observe(self.agents)
        self.log.append(
            {"actions": dict(actions), "rewards": rewards, "next": observations, "terminated": dict(terminated)}
        )
        self.agents = [agent for agent in self.agents if not (terminated[agent] or truncated[agent])]
        return observations, rewards, terminated, truncated, {agent: {} for agent in observations}


class TwoStepGame(SignalGame):
    """The two-step game of QMIX's paper (Rashid et al. 2018, section 5): the first agent's first action leads to a game
    of which each outcome pays 7, or to one that pays 8 where both agents take their second action, and else 0 or 1."""

    def __init__(self) -> None:
        super().__init__((2, 2), (3, 3), length=2, truncated=False)
        self.where = 0

    def _all(self) -> dict[str, np.ndarray]:
        return {agent: np.eye(3, dtype=np.float32)[self.where] for agent in self.possible_agents}

    def state(self) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[self.where]

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        self.agents, self.where = list(self.possible_agents), 0
        return self._all(), {}

    def step(self, actions: Mapping[str, int]) -> tuple[dict[str, Any], ...]:
        first, second = (actions[agent] for agent in self.possible_agents)
        pays, over = 0.0, self.where > 0
        if over:
            pays = 7.0 if self.where == 1 else (0.0, 1.0, 8.0)[first + second]
        else:
            self.where = 1 + first
        if over:
            self.agents = []
        every = self.possible_agents
        return (
            self._all(),
            {every[0]: pays, every[1]: 0.0},
            dict.fromkeys(every, over),
            dict.fromkeys(every, False),
            {agent: {} for agent in every},
        )


TWO_STEPS = {
    "hidden_layer_sizes": (32,),
    "density": 0.5,
    "batch_size": 32,
    "learning_starts": 64,
    "train_freq": 1,
    "exploration_final_eps": 1.0,
    "gamma": 0.99,
    "learning_rate": 3e-3,
    "tau": 0.05,
}
"""Settings with which a team sees enough of TwoStepGame to know its values."""
