"""What value learners learn towards: the Soft Mellowmax of action values, and lambda-returns of sequences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks


@dataclass(frozen=True)
class SoftMellowmax:
    """A mean of action values that leans towards the largest, in place of their maximum, which overestimates.

    sm(q) = 1/omega log sum_a p(a) exp(omega q(a)), with p(a) = exp(alpha q(a)) / sum_b exp(alpha q(b)).

    Args:
        alpha: of the weights p, above 0.
        omega: how far it leans, above 0; without bound it becomes the maximum.

    Raises:
        InputError: where alpha or omega is out of range.

    Source:
        Gan, Zhang and Tan, "Stabilizing Q-learning via Soft Mellowmax operator", AAAI 2021, equation 6; Hu et al.,
        "Value-based deep multi-agent reinforcement learning with dynamic sparse training", NeurIPS 2024 (MAST).

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.targets import SoftMellowmax
        >>> q = np.array([[0.0], [0.9], [1.0]])  # actions first
        >>> SoftMellowmax(alpha=1.0, omega=10.0)(q).round(3)
        array([0.947])
        >>> SoftMellowmax(alpha=1.0, omega=10_000.0)(q).round(3)
        array([1.])
    """

    alpha: float = 1.0
    omega: float = 10.0

    def __post_init__(self) -> None:
        for name in ("alpha", "omega"):
            checks.real(f"SoftMellowmax.{name}", getattr(self, name), low=0, low_open=True)

    def __call__(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Of action values with the actions along the first axis; those of actions that are not there are -inf."""
        shifted = values - values.max(axis=0)
        weights = np.exp(self.alpha * shifted)
        total = (weights * np.exp(self.omega * shifted)).sum(axis=0) / weights.sum(axis=0)
        result: NDArray[np.floating] = values.max(axis=0) + np.log(total) / self.omega
        return result


def lambda_returns(
    rewards: NDArray[np.floating],
    discounts: NDArray[np.floating],
    next_values: NDArray[np.floating],
    last: NDArray[np.bool_],
    lambda_: float,
) -> NDArray[np.floating]:
    """The lambda-returns of sequences of transitions, cut off at each sequence's end.

    Args:
        rewards: (..., length, n_sequences), transitions in the order of time along the last axis but one.
        discounts: gamma, or 0 where the episode has terminated; as rewards.
        next_values: of the states that the transitions lead to; as rewards.
        last: whether an episode ends with the transition; what follows it belongs to another one.
        lambda_: 0 (one-step targets) to 1 (rewards up to the end of the sequence).

    Returns:
        Targets y_t = r_t + discount_t ((1 - lambda) v_t + lambda y_(t+1)), as rewards; at an end y_t = r_t +
        discount_t v_t.

    Source:
        Peng and Williams, "Incremental multi-step Q-learning" (1996); Sutton and Barto, "Reinforcement learning: an
        introduction" (2018), section 12.1 for the recursion.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.targets import lambda_returns
        >>> rewards = np.ones((3, 1))  # one sequence of three
        >>> lambda_returns(rewards, 0.5 * rewards, 0 * rewards, rewards < 0, 1.0).ravel()
        array([1.75, 1.5 , 1.  ])
    """
    returns = rewards + discounts * next_values
    for t in range(rewards.shape[-2] - 2, -1, -1):
        further = np.where(last[..., t, :], 0, returns[..., t + 1, :] - next_values[..., t, :])
        returns[..., t, :] += discounts[..., t, :] * lambda_ * further
    return returns
