"""ActingAgent: how agents act, with a policy that follows their network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core.random import stream_key
from trulysparse.rl.fleet_policy import FleetPolicy
from trulysparse.rl.learner import Learner
from trulysparse.rl.normalization import RunningNormalization
from trulysparse.rl.policy import Policy
from trulysparse.rl.spaces import Spaces


class ActingAgent(ABC):
    """An agent as those see it who want to know what it does.

    Args:
        seed: of its random numbers, at least 0.

    Attributes:
        seed: as given.
        rng: source of all random numbers in learning, but those of environments and topologies. `predict` has a source
            of its own, so that looking at an agent does not change what it learns.
        spaces: what the environment shows and takes.
        n_agents: of a fleet, each of which acts in an environment of its own; None: one agent.
        normalization: of observations; None where networks see them as they are.
    """

    spaces: Spaces
    n_agents: int | None
    normalization: RunningNormalization | None

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self._predicting = np.random.default_rng(stream_key(seed, "predict"))
        self._policy: Policy | FleetPolicy | None = None
        self._policy_is_of = -1

    @property
    @abstractmethod
    def acting_learner(self) -> Learner:
        """The learner whose network chooses actions."""

    @property
    def acting_network(self) -> Any:
        """The network that chooses actions, or the Fleet of them."""
        return self.acting_learner.nets[0]

    @abstractmethod
    def explore(self, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Actions that explore.

        Args:
            observations: (n_envs, n_observations).

        Returns:
            (n_envs, n_actions) float32 within [-1, 1], or (n_envs,) int64 of discrete ones.
        """

    def predict(
        self,
        observation: ArrayLike,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], None]:
        """Actions for observations, as Stable-Baselines3's agents give them.

        Args:
            observation: (n_observations,) or (n, n_observations); of a fleet (n_agents, n_observations).
            state: of recurrent policies, which there are none of; ignored.
            episode_start: likewise.
            deterministic: whether the policy acts without the noise with which it explores.

        Returns:
            The action, or n of them, in the units of the environment, (n_actions,) each, also where its action space
            has several axes; and None.

        Raises:
            InputError: where observations have another shape or are not finite.
        """
        action, _ = self.policy.predict(observation)
        if not deterministic:
            learning, self.rng = self.rng, self._predicting
            try:
                actions = self.explore(np.atleast_2d(np.asarray(observation, np.float32)))
            finally:
                self.rng = learning
            actions = self.spaces.in_units(actions)
            action = actions[0] if np.ndim(observation) == 1 else actions
        return action, None

    @property
    def policy(self) -> Any:
        """The Policy, or FleetPolicy, as it is now; further updates reach it the next time that it is asked for."""
        if self._policy is None:
            self._policy = self._new_policy(self.acting_network)
        elif isinstance(self._policy, FleetPolicy):  # it acts by the very fleet that learns
            self._policy.rescale(**self.observation_scale())
        elif self._policy_is_of != self.acting_learner.n_updates or self.normalization is not None:
            self._policy.refresh(self.acting_network, **self.observation_scale())
        self._policy_is_of = self.acting_learner.n_updates
        return self._policy

    def freeze(self) -> Any:
        """The policy as it is now, for acting only: it answers in microseconds, and its file needs no Gymnasium.

        Returns:
            The Policy, or the FleetPolicy of a fleet. Later updates do not reach it.
        """
        net = self.acting_network
        return self._new_policy(net if self.n_agents is None else net.copy())

    def _new_policy(self, net: Any) -> Policy | FleetPolicy:
        spaces = self.spaces
        kind: Any = Policy if self.n_agents is None else FleetPolicy
        policy: Policy | FleetPolicy = kind(
            net,
            head="argmax" if spaces.discrete else "tanh",
            n_actions=spaces.n_actions,
            low=spaces.low,
            high=spaces.high,
            **self.observation_scale(),
        )
        return policy

    def observation_scale(self) -> dict[str, NDArray[np.float64] | None]:
        """What makes observations inputs of networks: (observation - offset) * factor."""
        if self.normalization is None:
            return {"offset": None, "factor": None}
        return {"offset": self.normalization.offset, "factor": self.normalization.factor}
