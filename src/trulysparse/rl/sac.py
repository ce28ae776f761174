"""SAC, with networks that are sparse from the first step on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.optim.schedules import rate_at
from trulysparse.rl.actor_critic import ActorCritic
from trulysparse.rl.heads import LOG_STD_MAX, LOG_STD_MIN, SquashedGaussian, squared_error
from trulysparse.rl.learner import Learner
from trulysparse.rl.settings import SACSettings
from trulysparse.rl.temperature import Temperature


class SAC(ActorCritic[SACSettings]):
    """Soft actor-critic, for continuous actions.

    The actor gives a normal distribution of each component of an action, squashed by tanh. Two critics learn what
    actions are worth with the entropy of the policy counted in; the actor follows the smaller of the two. The weight of
    the entropy is learned (ent_coef='auto') or a number. All networks are sparse, and their topologies evolve while
    they learn; preset='faithful' is DS-SAC.

    Args:
        env: id of a Gymnasium environment, an environment, or a vector of them.
        preset: 'default', 'faithful' (DS-SAC's own settings), 'ultra' (wide and very sparse) or 'anf' (many useless
            inputs); see rl.presets.
        fleet: whether each environment of a vector has an agent of its own; see OffPolicyAgent.
        replay_folder: where the replay buffer lies in memory-mapped files; None: in memory.
        seed: of everything random, at least 0.
        threads: of the kernels, at least 1; the same bits for any number.
        settings: in place of the preset's, by the names of SACSettings; `density`, `epsilon` and `evolution` stand for
            those of actor and critics.

    Attributes:
        actor, critic: the learners. The actor's outputs are means, then logarithms of deviations.
        temperature: the weight of the entropy.

    Raises:
        InputError: where a setting is unknown or out of range, or the environment's spaces do not fit.

    Source:
        Haarnoja et al., "Soft actor-critic algorithms and applications" (2018), algorithm 1; Sokar et al., "Dynamic
        sparse training for deep reinforcement learning", IJCAI 2022.

    Example:
        >>> import trulysparse as ts
        >>> agent = ts.rl.SAC("Pendulum-v1", density=0.1, learning_starts=100, seed=0).learn(200)
        >>> agent.n_updates, agent.temperature.value < 1
        (100, True)
        >>> action, _ = agent.predict([1.0, 0.0, 0.0], deterministic=True)
        >>> action.shape, bool(abs(action[0]) <= 2)
        ((1,), True)
    """

    name = "sac"

    def make_learners(self) -> dict[str, Learner]:
        """See OffPolicyAgent."""
        s, n_actions = self.settings, self.spaces.n_actions
        self.temperature = Temperature(s.ent_coef, s.target_entropy, n_actions=n_actions, n_agents=self.n_agents)
        learners = self.actor_and_critic(2 * n_actions, target=False)
        self._head = SquashedGaussian(n_actions, self.actor.columns, n_agents=self.n_agents)
        self._noise = np.zeros(self._head.actions.shape, np.float32)
        return learners

    def own_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """See KeptAgent."""
        numbers, arrays = super().own_state()
        return {**numbers, "temperature": self.temperature.state()}, arrays

    def restore_own_state(self, numbers: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """See KeptAgent."""
        super().restore_own_state(numbers, arrays)
        self.temperature.restore(numbers["temperature"])

    def explore(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Actions drawn from the policy."""
        n, outputs = self.spaces.n_actions, self.policy.outputs(observations)
        deviations = np.exp(np.minimum(np.maximum(outputs[:, n:], LOG_STD_MIN), LOG_STD_MAX))
        deviations *= self.rng.standard_normal(deviations.shape, dtype=np.float32)
        actions: Floats = np.tanh(outputs[:, :n] + deviations)
        return actions

    def update(self) -> None:
        """One update of critics, actor, temperature and targets."""
        critic, s = self.critic, self.settings
        assert self.replay is not None
        self.forget()
        n = self.spaces.n_observations
        observations, actions = critic.x[..., :n, :], critic.x[..., n:, :]  # of a fleet, those of all agents
        next_observations = critic.target_x[..., :n, :]
        rewards, discounts = self.replay.sample(
            self.rng, s.batch_size, observations, actions, next_observations, **self.observation_scale()
        )
        # The soft value of what follows (eq. 3): the smaller of two, and what the policy's entropy is worth there.
        actions, log_probability = self._draw_actions(next_observations)
        critic.target_x[..., n:, :] = actions
        first, second = critic.forward_targets()
        targets = np.minimum(first, second)[..., 0, :]
        targets -= self.temperature.per_sample * log_probability
        targets *= discounts
        targets += rewards
        # The soft Bellman residual (eq. 5).
        loss = 0.0
        for values, dy in zip(critic.forward(), critic.dy, strict=True):
            loss += squared_error(values[..., 0, :], targets, s.batch_size, dy[..., 0, :])
        if self.notes_due:
            self.note(critic_loss=loss)
        critic.update()
        self._update_actor(n)
        self.n_updates += 1
        if self.n_updates % s.target_update_interval == 0:
            critic.soft_update(s.tau)

    def _update_actor(self, n: int) -> None:
        """Down the mean of temperature * log pi - min(Q1, Q2) (eq. 9), then the temperature (eq. 18)."""
        actor, critic, batch_size, temperature = self.actor, self.critic, self.settings.batch_size, self.temperature
        actions, log_probability = self._draw_actions(critic.x[..., :n, :])
        critic.x[..., n:, :] = actions
        first, second = critic.forward()
        if self.notes_due:
            loss = temperature.per_sample * log_probability - np.minimum(first, second)[..., 0, :]
            mean = float(np.mean(temperature.value))
            self.note(actor_loss=float(loss[..., :batch_size].mean()), ent_coef=mean)
        # Each sample's gradient goes through the critic whose value is the smaller.
        d_first, d_second = critic.dy
        np.multiply(first <= second, -1 / batch_size, out=d_first)
        np.subtract(-1 / batch_size, d_first, out=d_second)
        dx_first, dx_second = critic.input_gradients()
        d_actions = dx_first[..., n:, :] + dx_second[..., n:, :]
        self._head.gradient(d_actions, temperature.per_component / batch_size, actor.dy[0])
        rate = rate_at(self.settings.learning_rate, *actor.progress)
        actor.update()
        temperature.update(log_probability[..., :batch_size].mean(axis=-1), rate)

    def _draw_actions(self, observations: Floats) -> tuple[Floats, Floats]:
        """The policy's actions and the logarithms of their densities, (n_actions, columns) and (columns,)."""
        self.actor.x[:] = observations
        self.rng.standard_normal(dtype=np.float32, out=self._noise)
        return self._head.sample(self.actor.forward()[0], self._noise)
