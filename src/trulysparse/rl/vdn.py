"""Independent learners and value decomposition networks, with networks that are sparse from the first step on."""

from __future__ import annotations

from typing import Any

import numpy as np

from trulysparse._core.arrays import Floats
from trulysparse.rl.targets import lambda_returns
from trulysparse.rl.team import Team
from trulysparse.rl.team_networks import taken
from trulysparse.rl.team_replay import Slots
from trulysparse.rl.team_settings import IQLSettings, TeamSettings


class VDN(Team[TeamSettings]):
    """Value decomposition networks: the value of what a team does is the sum of values that each agent finds by itself.

    Each agent has a value of each of its choices, from its own observation alone. The sum of the chosen values learns
    the rewards of the whole team, so that each agent learns what it contributes. With mixer=None agents learn from
    their own rewards, each for itself: independent Q-learning.

    Args:
        env: a PettingZoo parallel environment with Discrete actions.
        seed: of everything random, at least 0.
        threads: of the kernels, at least 1; the same bits for any number.
        settings: by the names of TeamSettings; mixer=None makes IQL of it.

    Raises:
        InputError: where a setting is unknown or out of range, or the environment's spaces do not fit.

    Source:
        Sunehag et al., "Value-decomposition networks for cooperative multi-agent learning", AAMAS 2018, equation 1;
        Tan, "Multi-agent reinforcement learning: independent vs. cooperative agents", ICML 1993, for independent
        learners; van Hasselt, Guez and Silver, "Deep reinforcement learning with double Q-learning", AAAI 2016.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> import trulysparse as ts
        >>> team = ts.rl.VDN(simple_spread_v3.parallel_env(), density=0.2, learning_starts=100, seed=0).learn(200)
        >>> team.n_updates, team.n_connections
        (50, 3942)
        >>> observations, _ = simple_spread_v3.parallel_env().reset(seed=1)
        >>> actions, _ = team.predict(observations, deterministic=True)
        >>> sorted(actions)
        ['agent_0', 'agent_1', 'agent_2']
    """

    name = "vdn"
    settings_class = TeamSettings

    def __init__(self, env: Any, *, seed: int = 0, threads: int = 1, **settings: Any) -> None:
        super().__init__(env, settings=settings, seed=seed, threads=threads)
        self.mixer = self.settings.mixer

    # ---- how agents' values make up the team's ----

    def mix(self, values: Floats, moments: Slots) -> Floats:
        """The team's value (equation 1 of the paper).

        Args:
            values: (n_agents, length, n_sequences) of the agents' actions, 0 of those that are out.
            moments: (length, n_sequences), for mixers that look at the state.

        Returns:
            (length, n_sequences).
        """
        total: Floats = values.sum(axis=0)
        return total

    def mix_targets(self, values: Floats, moments: Slots) -> Floats:
        """As `mix`, by the target networks."""
        return self.mix(values, moments)

    def update_mixer(self, d_total: Floats) -> Floats:
        """Takes the gradient at what `mix` returned last back, and updates the mixer.

        Args:
            d_total: (length, n_sequences).

        Returns:
            The gradient at the agents' values, (n_agents, length, n_sequences) or what broadcasts to it.
        """
        return d_total

    # ---- learning ----

    def update(self) -> None:
        """One update of all networks from one batch."""
        assert self.replay is not None
        replay, networks, s = self.replay, self.networks, self.settings
        moments = replay.sample(self.rng, s.batch_size // s.sequence_length, s.sequence_length)
        flat, following = moments.ravel(), replay.following(moments)
        batch = replay.batch(moments, following)
        shape = batch.rewards.shape
        next_chosen = self._next_values(following.ravel()).reshape(shape)
        actions = replay.actions[flat].T
        networks.load(replay, flat)
        chosen = taken(networks.values(), actions).reshape(shape)
        # What each agent, or the team, is to learn, from which of the batch's moments, and where episodes end.
        if self.mixer is None:
            rewards, goes_on = batch.rewards, batch.goes_on
            counts, last = batch.starts & batch.alive, ~(batch.follows & batch.alive_next)
        else:
            rewards, goes_on = np.sum(batch.rewards, axis=0), np.logical_or.reduce(batch.goes_on, axis=0)
            counts, last = batch.starts, ~batch.follows
            chosen = self.mix(chosen * batch.alive, moments)
            next_chosen = self.mix_targets(next_chosen * batch.goes_on, following)
        targets = lambda_returns(rewards, goes_on * np.float32(s.gamma), next_chosen, last, s.td_lambda)
        # The gradient of the mean error, squared or clipped as Huber's.
        error = np.where(counts, chosen - targets, 0)
        n_errors = max(1, int(counts.sum()))
        slope = 2 * error if s.loss == "squared" else np.clip(error, -1, 1)
        if self.notes_due:
            losses = np.square(error) if s.loss == "squared" else slope * (error - slope / 2)
            self.note(loss=float(losses.sum()) / n_errors, q_value=float(chosen.mean()))
        gradient: Floats = slope / np.float32(n_errors)
        if self.mixer is not None:
            gradient = self.update_mixer(gradient) * batch.alive
        networks.update(actions, gradient.reshape(actions.shape))
        self.n_updates += 1
        if self.n_updates % self.target_update_every == 0:
            for learner in self.learners.values():
                learner.soft_update(s.tau)

    def _next_values(self, moments: Slots) -> Floats:
        """(n_agents, n_samples) values of the agents' next choices, by the target networks."""
        networks, s = self.networks, self.settings
        assert self.replay is not None
        networks.load_targets(self.replay, moments)
        values = networks.target_values()
        if s.soft_mellowmax is not None:
            return s.soft_mellowmax(values)
        if not s.double:
            best: Floats = values.max(axis=0)
            return best
        networks.load(self.replay, moments)
        return taken(values, networks.values().argmax(axis=0))


class IQL(VDN):
    """Independent Q-learning: each agent learns from its own rewards, as if the others were part of the environment.

    Args:
        env: a PettingZoo parallel environment with Discrete actions.
        seed: of everything random, at least 0.
        threads: of the kernels, at least 1; the same bits for any number.
        settings: by the names of TeamSettings; share_parameters=False gives each agent a network of its own.

    Raises:
        InputError: where a setting is unknown or out of range, or the environment's spaces do not fit.

    Source:
        Tan, "Multi-agent reinforcement learning: independent vs. cooperative agents", ICML 1993.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> import trulysparse as ts
        >>> env = simple_spread_v3.parallel_env()
        >>> team = ts.rl.IQL(env, share_parameters=False, learning_starts=100, seed=0).learn(150)
        >>> list(team.learners), team.n_updates
        (['agent_0', 'agent_1', 'agent_2'], 25)
    """

    name = "iql"
    settings_class = IQLSettings
