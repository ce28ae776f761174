"""Observations of mean 0 and variance 1, by what has been seen so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError

Feature = NDArray[np.float64]

FARTHEST = 10.0
"""No value that was seen is farther from 0 than this once it is normalized."""


class RunningNormalization:
    """Mean and variance of each feature of observations, which come a few at a time.

    Networks take (x - offset) * factor. Stable-Baselines3's VecNormalize clips what is beyond 10; here the factor of a
    feature whose values have gone farther than 10 standard deviations is smaller instead, so that the farthest is at
    10. Normalization then is the same linear map in the replay buffer, in training and in a frozen policy, and a rare
    large value, such as a contact force, keeps its size.

    Args:
        n_features: of an observation, at least 1.

    Attributes:
        count: observations so far.

    Raises:
        InputError: where n_features is out of range.

    Source:
        Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983), eq. 1.5, which for single
        observations is Welford's rule.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.normalization import RunningNormalization
        >>> normalization = RunningNormalization(2)
        >>> for observations in ([[1.0, 5.0]], [[3.0, 5.0], [5.0, 5.0]]):
        ...     normalization.update(np.array(observations, np.float32))
        >>> normalization.offset.tolist(), normalization.factor.round(3).tolist()  # the second one never changed
        ([3.0, 5.0], [0.612, 0.0])
    """

    def __init__(self, n_features: int) -> None:
        self.n_features = checks.integer("n_features", n_features, low=1)
        self.count = 0
        self._mean, self._squares = np.zeros(n_features), np.zeros(n_features)  # squares: of deviations from the mean
        self._low, self._high = np.full(n_features, np.inf), np.full(n_features, -np.inf)

    def update(self, observations: NDArray[Any]) -> None:
        """Takes observations into account.

        Args:
            observations: (n, n_features), finite.

        Raises:
            InputError: where the shape is another; nothing changes then.
        """
        if observations.ndim != 2 or observations.shape[1] != self.n_features:
            raise InputError(f"observations must be of shape (n, {self.n_features}), not {observations.shape}")
        added = len(observations)
        if added == 1:
            x = observations[0].astype(np.float64)
            change = x - self._mean
            self.count += 1
            self._mean += change / self.count
            self._squares += change * (x - self._mean)
            np.minimum(self._low, x, out=self._low)
            np.maximum(self._high, x, out=self._high)
        elif added:
            values = observations.astype(np.float64)
            mean = values[0] + (values - values[0]).mean(axis=0)  # exact where all are the same
            change, together = mean - self._mean, self.count + added
            self._squares += np.square(values - mean).sum(axis=0) + change**2 * (self.count * added / together)
            self._mean += change * (added / together)
            self.count = together
            np.minimum(self._low, values.min(axis=0), out=self._low)
            np.maximum(self._high, values.max(axis=0), out=self._high)

    @property
    def offset(self) -> Feature:
        """What is subtracted: the mean of each feature; 0 before the first observation."""
        return self._mean.copy()

    @property
    def factor(self) -> Feature:
        """What is multiplied by: 1 / standard deviation, or less, see above; 0 for a feature that has never changed, 1
        before the first observation."""
        if not self.count:
            return np.ones(self.n_features)
        reach = np.maximum(self._high - self._mean, self._mean - self._low)
        least = np.maximum(np.sqrt(self._squares / self.count), reach / FARTHEST)
        factor = np.zeros(self.n_features)
        np.divide(1.0, least, out=factor, where=self._high > self._low)
        return factor

    def state(self) -> dict[str, NDArray[Any]]:
        """All that `restore` needs.

        Returns:
            Arrays by name, of which the normalization keeps none.
        """
        arrays = {"mean": self._mean, "squares": self._squares, "low": self._low, "high": self._high}
        return {"count": np.array([self.count])} | {name: array.copy() for name, array in arrays.items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from a state, with the same bits.

        Args:
            state: from `state`, of as many features.

        Raises:
            InputError: where it is not; nothing changes then.
        """
        own = self.state()
        for name, like in own.items():
            array = state.get(name)
            if not isinstance(array, np.ndarray) or array.shape != like.shape or array.dtype != like.dtype:
                raise InputError(f"state: {name!r} must be {like.dtype} of shape {like.shape}, as state() gives it")
        self.count = int(state["count"][0])
        self._mean, self._squares = state["mean"].copy(), state["squares"].copy()
        self._low, self._high = state["low"].copy(), state["high"].copy()
