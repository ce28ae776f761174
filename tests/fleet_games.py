"""A game of one decision for many agents, of which each is right by a rule of its own, without Gymnasium."""

from __future__ import annotations

import numpy as np

from trulysparse.rl.environment_interface import Environments
from trulysparse.rl.spaces import Spaces

EPISODE = 20


class OwnRules(Environments):
    """Environment i shows two numbers and pays most where the action is rules[i] @ numbers (or, of choices, whether
    that is positive)."""

    several = True

    def __init__(self, n=4, discrete=False, seed=0):
        self.rng = np.random.default_rng(seed)
        self.rules = np.random.default_rng(99).uniform(-0.7, 0.7, (n, 2)).astype(np.float32)
        bounds = () if discrete else (np.float32([-1]), np.float32([1]))
        super().__init__(None, Spaces(2, False, 2 if discrete else 1, discrete, *bounds), n, False)
        self.steps = 0

    def _begin(self, seed):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.steps = 0
        self._transition.next_observations[:] = self._show()

    def _show(self):
        return self.rng.uniform(-1, 1, (self.n_envs, 2)).astype(np.float32)

    def best(self, observations):
        """The right actions."""
        right = (observations * self.rules).sum(axis=1)
        return (right > 0).astype(np.int64) if self.spaces.discrete else right[:, None]

    def step(self, actions):
        transition, best = self._transition, self.best(self._transition.observations)
        difference = (actions - best).reshape(self.n_envs, -1)[:, 0]
        transition.rewards[:] = -np.square(difference)
        self.steps += 1
        self.n_steps += 1
        over = self.steps % EPISODE == 0
        transition.truncated[:] = over
        transition.ended = list(range(self.n_envs)) if over else []
        transition.returns = transition.rewards.tolist() if over else []
        transition.lengths = [EPISODE] * len(transition.ended)
        transition.next_observations[:] = self._show()
        if over:
            transition.first_observations[:] = self._show()
        transition.observations = transition.first_observations if over else transition.next_observations
        return transition
