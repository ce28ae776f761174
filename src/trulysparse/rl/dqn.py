"""DQN, with a network that is sparse from the first step on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.rl.agent import OffPolicyAgent
from trulysparse.rl.heads import huber_error, squared_error
from trulysparse.rl.learner import Learner
from trulysparse.rl.settings import DQNSettings


class DQN(OffPolicyAgent[DQNSettings]):
    """Deep Q-network, double by default, for discrete actions.

    One network learns what each action is worth. Its targets take the best action by the network itself and the value
    of that action by the target network (double=False: both by the target network). The network is sparse, and its
    topology evolves while it learns.

    The error is squared by default. loss='huber' limits the gradient of each sample to +-1, as the paper's code does
    beside rewards clipped to +-1; where returns are in the hundreds, as in CartPole, values diverged with it.

    Args:
        env: id of a Gymnasium environment, an environment, or a vector of them.
        preset: 'default', 'ultra' (wide and very sparse) or 'anf' (many useless inputs); see rl.presets.
        fleet: whether each environment of a vector has an agent of its own; see OffPolicyAgent.
        replay_folder: where the replay buffer lies in memory-mapped files; None: in memory.
        seed: of everything random, at least 0.
        threads: of the kernels, at least 1; the same bits for any number.
        settings: in place of the preset's, by the names of DQNSettings.

    Attributes:
        q: the learner.

    Raises:
        InputError: where a setting is unknown or out of range, or the environment's spaces do not fit.

    Source:
        Mnih et al., "Human-level control through deep reinforcement learning" (2015), algorithm 1; van Hasselt, Guez
        and Silver, "Deep reinforcement learning with double Q-learning", AAAI 2016.

    Example:
        >>> import trulysparse as ts
        >>> agent = ts.rl.DQN("CartPole-v1", density=0.2, learning_starts=100, train_freq=1, seed=0).learn(200)
        >>> agent.n_updates, agent.exploration_rate == agent.settings.exploration_final_eps
        (100, True)
        >>> action, _ = agent.predict([0.0, 0.0, 0.0, 0.0], deterministic=True)
        >>> int(action) in (0, 1)
        True
    """

    name = "dqn"

    def make_learners(self) -> dict[str, Learner]:
        """See OffPolicyAgent."""
        n_observations, n_actions = self.spaces.n_observations, self.spaces.n_actions
        self.q = self.new_learner(n_observations, n_actions, "", max_grad_norm=self.settings.max_grad_norm)
        agents, columns = self.q.x.shape[:-2], self.q.columns  # of a fleet (n_agents,), else ()
        self._observations = np.zeros((*agents, n_observations, columns), np.float32)
        self._actions = np.zeros((*agents, columns), np.int32)
        self._error = np.zeros((*agents, columns), np.float32)
        return {"q": self.q}

    @property
    def acting_learner(self) -> Learner:
        """The learner whose best action is taken."""
        return self.q

    @property
    def exploration_rate(self) -> float:
        """The share of actions that are random at present."""
        s, steps = self.settings, self.total_timesteps * self.settings.exploration_fraction
        done = min(1.0, self.num_timesteps / steps) if steps else float(self.num_timesteps > 0)
        return (1 - done) * s.exploration_initial_eps + done * s.exploration_final_eps

    @property
    def target_update_every(self) -> int:
        """Updates of the network from one of its target to the next: target_update_interval counts an agent's steps."""
        s, n_envs = self.settings, 1  # of one agent
        if self.environments is not None and self.n_agents is None:
            n_envs = self.environments.n_envs
        per_step = 1.0 if s.gradient_steps < 0 else s.gradient_steps / (s.train_freq * n_envs)
        return max(1, round(s.target_update_interval * per_step))

    def explore(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """The best actions, or, at the exploration rate, random ones."""
        n_envs = len(observations)
        random = self.rng.random(n_envs) < self.exploration_rate
        actions = self.rng.integers(self.spaces.n_actions, size=n_envs)
        if random.all():
            return actions
        return np.where(random, actions, self.policy.outputs(observations).argmax(axis=1))

    def update(self) -> None:
        """One update of the network, and of its target when that is due."""
        q, s = self.q, self.settings
        assert self.replay is not None
        rewards, discounts = self.replay.sample(
            self.rng, s.batch_size, self._observations, self._actions, q.target_x, **self.observation_scale()
        )
        values = q.forward_targets()[0]
        if s.double:
            q.x[:] = q.target_x
            best = q.forward()[0].argmax(axis=-2)
        else:
            best = values.argmax(axis=-2)
        targets = _of_actions(values, best)
        targets *= discounts
        targets += rewards
        q.x[:] = self._observations
        chosen = _of_actions(q.forward()[0], self._actions)
        error = huber_error if s.loss == "huber" else squared_error
        loss = error(chosen, targets, s.batch_size, self._error)
        if self.notes_due:
            self.note(loss=loss)
        q.dy[0].fill(0)  # the other actions learn nothing
        np.put_along_axis(q.dy[0], self._actions[..., None, :], self._error[..., None, :], axis=-2)
        q.update()
        self.n_updates += 1
        if self.n_updates % self.target_update_every == 0:
            q.soft_update(s.tau)


def _of_actions(values: Floats, actions: NDArray[Any]) -> Floats:
    """Of (n_actions, columns) values, or of those of a fleet, one per column: that of its action."""
    chosen: Floats = np.take_along_axis(values, actions[..., None, :], axis=-2)[..., 0, :]
    return chosen
