"""Normalisation of the observations of many agents, each by what it has seen itself."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from trulysparse.errors import InputError
from trulysparse.rl.normalization import Feature, RunningNormalization


class FleetNormalization(RunningNormalization):
    """Mean and variance of each feature of each agent's observations; see RunningNormalization.

    Args:
        n_agents: how many, at least 1.
        n_features: of an observation, at least 1.

    Attributes:
        shape: (n_agents, n_features), that of `offset` and `factor`.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.fleet_normalization import FleetNormalization
        >>> normalization = FleetNormalization(2, 1)
        >>> for observations in ([[1], [10]], [[3], [50]]):
        ...     normalization.update(np.array(observations, np.float32))
        >>> normalization.offset.tolist(), normalization.factor.tolist()
        ([[2.0], [30.0]], [[1.0], [0.05]])
    """

    def __init__(self, n_agents: int, n_features: int) -> None:
        super().__init__(n_agents * n_features)
        self.shape = n_agents, n_features

    def update(self, observations: NDArray[Any]) -> None:
        """Takes one observation of each agent into account.

        Args:
            observations: (n_agents, n_features), finite.

        Raises:
            InputError: where the shape is another; nothing changes then.
        """
        if observations.shape != self.shape:
            raise InputError(f"observations must be of shape {self.shape}, not {observations.shape}")
        super().update(observations.reshape(1, -1))

    @property
    def offset(self) -> Feature:
        """What is subtracted, (n_agents, n_features)."""
        return super().offset.reshape(self.shape)

    @property
    def factor(self) -> Feature:
        """What is multiplied by, (n_agents, n_features)."""
        return super().factor.reshape(self.shape)
