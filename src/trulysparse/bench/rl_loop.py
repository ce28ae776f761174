"""The loop in which the dense peers of the reinforcement learners learn: one environment, one update a step. It is
given its environments, so that nothing here imports Gymnasium."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from trulysparse.bench.peers import _need


class Replay:
    """A ring of transitions in float32, next observations beside them, as torch tensors share NumPy's memory."""

    def __init__(self, capacity: int, n_observations: int, n_actions: int) -> None:
        torch, widths = _need("torch"), (n_observations, n_actions, 1, n_observations, 1)
        self.arrays = [np.zeros((capacity, w), np.float32) for w in widths]
        self._tensors = [torch.from_numpy(a) for a in self.arrays]
        self._from_numpy, self.capacity, self.n = torch.from_numpy, capacity, 0

    def add(self, *values: Any) -> None:
        """One transition: observation, action, reward, next observation, 1 - terminated."""
        for array, value in zip(self.arrays, values, strict=True):
            array[self.n % self.capacity] = value
        self.n += 1

    def sample(self, rng: np.random.Generator, size: int) -> list[Any]:
        """A batch drawn uniformly, with replacement."""
        rows = self._from_numpy(rng.integers(0, min(self.n, self.capacity), size))
        return [t[rows] for t in self._tensors]


class Loop:
    """A dense peer in an environment: random actions until `learning_starts`, one update at each step after it."""

    def __init__(
        self,
        agent: Any,
        env: Any,
        *,
        seed: int,
        batch_size: int = 256,
        learning_starts: int = 5000,
        buffer_size: int = 1_000_000,
    ) -> None:
        self.agent, self.env, self.n_steps = agent, env, 0
        self.batch_size, self.learning_starts = batch_size, learning_starts
        self.rng = np.random.default_rng(seed)
        self.replay = Replay(buffer_size, agent.n_observations, 1 if agent.discrete else agent.n_actions)
        self.unit = int if agent.discrete else in_units(env.action_space)
        self.observation = env.reset(seed=seed)[0].astype(np.float32)

    def run(self, steps: int) -> None:
        """So many further steps."""
        agent, env, replay, observation = self.agent, self.env, self.replay, self.observation
        for step in range(self.n_steps + 1, self.n_steps + steps + 1):
            if step > self.learning_starts:
                action = agent.explore(observation, self.rng)
            elif agent.discrete:
                action = self.rng.integers(agent.n_actions)
            else:
                action = self.rng.uniform(-1, 1, agent.n_actions).astype(np.float32)
            following, reward, terminated, truncated, _ = env.step(self.unit(action))
            following = following.astype(np.float32)
            replay.add(observation, action, reward, following, 1.0 - terminated)
            observation = env.reset()[0].astype(np.float32) if terminated or truncated else following
            if step > self.learning_starts:
                agent.update(*replay.sample(self.rng, self.batch_size))
        self.observation = observation
        self.n_steps += steps


def train(
    agent: Any,
    env: Any,
    test_env: Any,
    total_timesteps: int,
    *,
    seed: int,
    evaluate_every: int = 5000,
    episodes: int = 10,
    last_episodes: int = 10,
    report: Callable[[dict[str, Any]], None] = lambda row: None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """A Loop with evaluations of the policy without noise, whose episodes start from the seeds 10,000, 10,001, ....
    Rows: steps, returns of the episodes, CPU and wall seconds without those of evaluations."""
    rows: list[dict[str, Any]] = []
    cpu, wall = -time.process_time(), -time.perf_counter()
    loop = Loop(agent, env, seed=seed, **{"buffer_size": min(total_timesteps, 1_000_000)} | settings)
    for step in range(evaluate_every, total_timesteps + 1, evaluate_every):
        loop.run(evaluate_every)
        cpu, wall = cpu + time.process_time(), wall + time.perf_counter()
        n = last_episodes if step + evaluate_every > total_timesteps else episodes
        returns = [episode(agent, test_env, loop.unit, 10_000 + k) for k in range(n)]
        rows.append({"steps": step, "returns": returns, "cpu_s": cpu, "wall_s": wall})
        report(rows[-1])
        cpu, wall = cpu - time.process_time(), wall - time.perf_counter()
    return rows


def in_units(space: Any) -> Callable[[Any], Any]:
    """What takes actions in [-1, 1] into a space's units."""
    low, half = space.low, (space.high - space.low) / 2
    return lambda action: low + (action + 1) * half


def episode(agent: Any, env: Any, unit: Callable[[Any], Any], seed: int) -> float:
    """The return of one episode of the policy without noise."""
    observation, total, ended = env.reset(seed=seed)[0], 0.0, False
    while not ended:
        observation, reward, terminated, truncated, _ = env.step(unit(agent.act(observation.astype(np.float32))))
        total, ended = total + float(reward), terminated or truncated
    return total
