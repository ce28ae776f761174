"""An environment whose every transition is known, and what a replay memory has to be told of it."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from trulysparse.rl.base_callback import BaseCallback


class CountingEnvironment(gymnasium.Env):
    """Observations are (number of the environment, episode, step, last action). The reward is 100 * episode + step.
    Even episodes are terminated after `length` steps, odd ones are cut off one step later."""

    def __init__(self, number: int = 0, length: int = 3, discrete: bool = False) -> None:
        self.number, self.length = number, length
        self.observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float64)
        self.action_space = spaces.Discrete(5) if discrete else spaces.Box(-2.0, 6.0, (1,), np.float32)
        self.episode, self.t = -1, 0
        self.seeds: list[int | None] = []
        self.broken: dict[tuple[int, int], Any] = {}  # (episode, step): an observation in place of the true one

    def _observation(self, action: float) -> np.ndarray:
        return self.broken.get(
            (self.episode, self.t), np.array([self.number, self.episode, self.t, action], np.float64)
        )

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.episode, self.t = self.episode + 1, 0
        return self._observation(-1), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.t += 1
        even = self.episode % 2 == 0
        terminated, truncated = even and self.t == self.length, not even and self.t == self.length + 1
        reward = 100.0 * self.episode + self.t
        return self._observation(float(np.ravel(action)[0])), reward, terminated, truncated, {}


def transitions(number: int, length: int, n: int) -> list[tuple[Any, ...]]:
    """The first n transitions of such an environment: (episode, step before, reward, terminated, truncated)."""
    found: list[tuple[Any, ...]] = []
    episode = 0
    while len(found) < n:
        even = episode % 2 == 0
        n_steps = length if even else length + 1
        for t in range(n_steps):
            end = t == n_steps - 1
            found.append((number, episode, t, 100.0 * episode + t + 1, end and even, end and not even))
        episode += 1
    return found[:n]


class Recorder:
    """A replay memory that keeps transitions in lists, one for each environment."""

    def __init__(self) -> None:
        self.rows: list[list[dict[str, Any]]] = []
        self.starts = 0
        self.nbytes = 0

    @property
    def n_transitions(self) -> int:
        return sum(len(rows) for rows in self.rows)

    def start(self, observations: np.ndarray) -> None:
        self.starts += 1
        self.rows = self.rows or [[] for _ in observations]
        self.now = [row.copy() for row in observations]

    def add(self, actions, rewards, next_observations, terminated, truncated, first_observations, valid=None) -> None:
        for i, rows in enumerate(self.rows):
            if valid is not None and not valid[i]:
                self.now[i] = next_observations[i].copy()
                continue
            rows.append(
                dict(
                    observation=self.now[i],
                    action=np.array(actions[i]),
                    reward=float(rewards[i]),
                    next=next_observations[i].copy(),
                    terminated=bool(terminated[i]),
                    truncated=bool(truncated[i]),
                )
            )
            ended = terminated[i] or truncated[i]
            self.now[i] = (first_observations if ended else next_observations)[i].copy()


class StubAgent:
    """What the loop asks of an agent, without networks: it acts by its random numbers and counts updates."""

    def __init__(self, env: Any, algorithm: str = "td3", *, seed: int = 0, **settings: Any) -> None:
        from trulysparse.rl.environments import open_environments

        self.environments = open_environments(env, algorithm)
        self.spaces = self.environments.spaces
        self.replay = Recorder()
        self.n_agents = None
        self.normalization = None
        self.rng = np.random.default_rng(seed)
        self.seed = seed
        self.num_timesteps = self.n_updates = 0
        self.learning_starts = settings.get("learning_starts", 10)
        self.train_freq = settings.get("train_freq", 1)
        self.gradient_steps = settings.get("gradient_steps", 1)
        self.metrics: dict[str, float] = {}
        self.learners: dict[str, Any] = {}
        self.collector = None
        self.explored: list[int] = []  # steps at which it chose the actions
        self.updated: list[int] = []  # steps at which it learned
        self.saved: list[tuple[str, bool]] = []

    def explore(self, observations: np.ndarray) -> np.ndarray:
        self.explored.append(self.num_timesteps)
        if self.spaces.discrete:
            return self.rng.integers(self.spaces.n_actions, size=len(observations))
        return self.rng.uniform(-1, 1, (len(observations), self.spaces.n_actions)).astype(np.float32)

    def update(self) -> None:
        self.n_updates += 1
        self.updated.append(self.num_timesteps)
        self.metrics["train/critic_loss"] = self.rng.random()

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        rows = np.atleast_2d(observation)
        if deterministic:
            actions = np.full((len(rows), self.spaces.n_actions), 0.5, np.float32)
        else:
            actions = self.spaces.in_units(self.explore(rows))
            self.explored.pop()
        actions = np.zeros(len(rows), np.int64) if self.spaces.discrete else actions
        return (actions if np.ndim(observation) == 2 else actions[0]), state

    def save(self, path, replay=False) -> None:
        self.saved.append((str(path), replay))
        with open(path, "w") as file:
            file.write("agent")

    def freeze(self):
        agent = self

        class Policy:
            def save(self, path):
                agent.saved.append((str(path), False))
                with open(path, "w") as file:
                    file.write("policy")

        return Policy()


class Noting(BaseCallback):
    """Notes what is called, and the steps."""

    def __init__(self, stop_at=None):
        self.stop_at, self.notes = stop_at, []

    def _init_callback(self):
        self.notes.append("init")

    def _on_training_start(self):
        self.notes.append("start")

    def _on_step(self):
        self.notes.append(self.num_timesteps)
        return self.num_timesteps != self.stop_at

    def _on_training_end(self):
        self.notes.append("end")
