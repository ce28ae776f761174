"""TD3, with networks that are sparse from the first step on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.rl.actor_critic import ActorCritic
from trulysparse.rl.heads import squared_error
from trulysparse.rl.learner import Learner
from trulysparse.rl.settings import TD3Settings


class TD3(ActorCritic[TD3Settings]):
    """Twin delayed deep deterministic policy gradient, for continuous actions.

    Two critics learn what actions are worth. Their targets take the smaller of two values, at the target actor's
    actions with noise; the actor, which learns more seldom, follows the gradient of the first critic. All networks are
    sparse, and their topologies evolve while they learn; preset='faithful' is DS-TD3.

    Args:
        env: id of a Gymnasium environment, an environment, or a vector of them.
        preset: 'default', 'faithful' (DS-TD3's own settings), 'ultra' (wide and very sparse) or 'anf' (many useless
            inputs); see rl.presets.
        fleet: whether each environment of a vector has an agent of its own; see OffPolicyAgent.
        replay_folder: where the replay buffer lies in memory-mapped files; None: in memory.
        seed: of everything random, at least 0.
        threads: of the kernels, at least 1; the same bits for any number.
        settings: in place of the preset's, by the names of TD3Settings; `density`, `epsilon` and `evolution` stand for
            those of actor and critics.

    Attributes:
        actor, critic: the learners.

    Raises:
        InputError: where a setting is unknown or out of range, or the environment's spaces do not fit.

    Source:
        Fujimoto, van Hoof and Meger, "Addressing function approximation error in actor-critic methods", ICML 2018,
        algorithm 1; Sokar et al., "Dynamic sparse training for deep reinforcement learning", IJCAI 2022.

    Example:
        >>> import pytest
        >>> gymnasium = pytest.importorskip("gymnasium")
        >>> import trulysparse as ts
        >>> agent = ts.rl.TD3("Pendulum-v1", density=0.1, learning_starts=100, seed=0).learn(200)
        >>> agent.n_updates, agent.n_connections
        (100, 20020)
        >>> action, _ = agent.predict([1.0, 0.0, 0.0], deterministic=True)
        >>> action.shape, bool(abs(action[0]) <= 2)
        ((1,), True)
    """

    name = "td3"

    def make_learners(self) -> dict[str, Learner]:
        """See OffPolicyAgent."""
        return self.actor_and_critic(self.spaces.n_actions)

    def updates_of(self, name: str, updates: int) -> int:
        """The actor's are fewer."""
        return updates // self.settings.policy_delay if name == "actor" else updates

    def explore(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """The policy's actions with Gaussian noise (algorithm 1, line 4)."""
        actions: Floats = np.tanh(self.policy.outputs(observations))
        noise = self.rng.standard_normal(actions.shape, dtype=np.float32)
        noise *= self.settings.exploration_noise
        actions += noise
        np.clip(actions, -1, 1, out=actions)
        return actions

    def update(self) -> None:
        """One update of the critics, and every policy_delay-th time of the actor and all targets."""
        actor, critic, s = self.actor, self.critic, self.settings
        assert self.replay is not None
        self.forget()
        n = self.spaces.n_observations
        observations, actions = critic.x[..., :n, :], critic.x[..., n:, :]  # of a fleet, those of all agents
        next_observations = critic.target_x[..., :n, :]
        rewards, discounts = self.replay.sample(
            self.rng, s.batch_size, observations, actions, next_observations, **self.observation_scale()
        )
        # The target policy's actions, smoothed by noise (eq. 14), and the smaller value of two (eq. 10).
        actor.target_x[:] = next_observations
        actions = np.tanh(actor.forward_targets()[0], out=critic.target_x[..., n:, :])
        noise = self.rng.standard_normal(actions.shape, dtype=np.float32)
        noise *= s.target_policy_noise
        actions += np.clip(noise, -s.target_noise_clip, s.target_noise_clip, out=noise)
        np.clip(actions, -1, 1, out=actions)
        first, second = critic.forward_targets()
        targets = np.minimum(first, second)[..., 0, :]
        targets *= discounts
        targets += rewards
        # The gradient of the critics' mean squared errors.
        loss = 0.0
        for values, dy in zip(critic.forward(), critic.dy, strict=True):
            loss += squared_error(values[..., 0, :], targets, s.batch_size, dy[..., 0, :])
        if self.notes_due:
            self.note(critic_loss=loss)
        critic.update()
        self.n_updates += 1
        if self.n_updates % s.policy_delay == 0:
            self._update_actor(n)

    def _update_actor(self, n: int) -> None:
        """The deterministic policy gradient (eq. 15): up the first critic's value of the actor's own actions."""
        actor, critic, s = self.actor, self.critic, self.settings
        actor.x[:] = critic.x[..., :n, :]
        actions = np.tanh(actor.forward()[0], out=critic.x[..., n:, :])
        values = critic.output(0)
        if self.notes_due:
            self.note(actor_loss=-float(values[..., : s.batch_size].mean()))
        critic.dy[0].fill(-1 / s.batch_size)
        gradient = critic.input_gradient(0)[..., n:, :]
        np.square(actions, out=actions)
        np.subtract(1, actions, out=actions)  # the derivative of tanh
        np.multiply(gradient, actions, out=actor.dy[0])
        actor.update()
        actor.soft_update(s.tau)
        critic.soft_update(s.tau)
