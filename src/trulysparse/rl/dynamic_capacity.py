"""DynamicCapacity: a replay buffer that forgets what other policies than the present one did."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.rl.replay import ReplayBuffer


class ActingPolicy(Protocol):
    """What chooses actions."""

    def outputs(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Before tanh, of (n, n_observations): (n, n_actions), or more columns, of which the first n_actions count."""


class ForgettingAgent(Protocol):
    """What is asked of an agent of continuous actions."""

    num_timesteps: int
    replay: Any
    metrics: dict[str, float]

    @property
    def policy(self) -> Any:
        """An ActingPolicy, as it is now."""


class DynamicCapacity:
    """Drops the oldest transitions of a replay buffer while they come from a policy that is far from the present one.

    Targets of several steps, and values of a network of few connections, suffer from actions that the policy would no
    longer choose. Every so many steps the actions of the oldest transitions are compared with those that the policy
    chooses now, without noise: the distance is half the mean squared difference, actions lying within [-1, 1]. Where it
    is above a threshold, a share of the buffer goes.

    The published code compares with the actions that the older policy chose before noise; the buffer holds them with
    noise, whose variance, 0.01 by default, adds half of itself to the distance. Random actions of the beginning are
    compared as they are, there and here.

    Args:
        threshold: of the distance, at least 0.
        every: environment steps from one comparison to the next, at least 1.
        n_oldest: transitions that are compared, at least 1.
        least: nothing is dropped unless more transitions than this are held, at least 0.
        share: of the transitions that is dropped, above 0 and below 1.

    Attributes:
        compared: multiples of `every` up to the last comparison.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Tan et al., "RLx2: Training a sparse deep reinforcement learning model from scratch", ICLR 2023, section 4.3,
        and its code, which halves the mean squared difference.

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> from trulysparse.rl.dynamic_capacity import DynamicCapacity
        >>> from trulysparse.rl.replay import ReplayBuffer
        >>> replay = ReplayBuffer(1000, 1, n_actions=1)
        >>> replay.start(np.zeros((1, 1)))
        >>> for step in range(200):
        ...     replay.add([[1.0]], [0.0], [[0.0]], [False], [False], [[0.0]])
        >>> policy = SimpleNamespace(outputs=lambda observations: np.full_like(observations, -3))
        >>> agent = SimpleNamespace(num_timesteps=200, replay=replay, policy=policy, metrics={})
        >>> DynamicCapacity(every=100, n_oldest=64, least=50).after_step(agent)
        20
        >>> replay.n_transitions, round(agent.metrics["replay/policy_distance"], 2)
        (180, 1.99)
    """

    def __init__(
        self,
        threshold: float = 0.2,
        *,
        every: int = 10_000,
        n_oldest: int = 2048,
        least: int = 100_000,
        share: float = 0.1,
    ) -> None:
        self.threshold = checks.real("threshold", threshold, low=0)
        self.every = checks.integer("every", every, low=1)
        self.n_oldest = checks.integer("n_oldest", n_oldest, low=1)
        self.least = checks.integer("least", least, low=0)
        self.share = checks.real("share", share, low=0, high=1, low_open=True, high_open=True)
        self.compared = 0

    def after_step(self, agent: ForgettingAgent) -> int:
        """Compares and drops where it is time. Called as often as one likes.

        Args:
            agent: whose replay buffer; its metrics get 'replay/policy_distance' and 'replay/transitions'.

        Returns:
            How many transitions were dropped.
        """
        if agent.num_timesteps // self.every == self.compared:
            return 0
        self.compared = agent.num_timesteps // self.every
        replay: ReplayBuffer = agent.replay
        distance, dropped = self.distance(replay, agent.policy), 0
        if distance > self.threshold and replay.n_transitions > self.least:
            dropped = int(self.share * replay.n_transitions)
            replay.drop_oldest(dropped)
        agent.metrics["replay/policy_distance"] = distance
        agent.metrics["replay/transitions"] = replay.n_transitions
        return dropped

    def distance(self, replay: ReplayBuffer, policy: ActingPolicy) -> float:
        """Between the actions of the oldest transitions and those of the policy.

        Args:
            replay: of continuous actions.
            policy: as it is now.

        Returns:
            Half the mean squared difference; 0 of no transitions.
        """
        rows = replay.oldest(self.n_oldest)
        if not len(rows):
            return 0.0
        observations = np.empty((replay.n_observations, len(rows)), np.float32)
        actions = np.empty((replay.n_actions, len(rows)), np.float32)
        replay.read(rows, observations, actions)
        now = np.tanh(policy.outputs(np.ascontiguousarray(observations.T))[:, : replay.n_actions])
        return float(np.square(now - actions.T, dtype=np.float64).mean() / 2)
