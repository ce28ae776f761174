"""SparseMLPRegressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from trulysparse.errors import InputError
from trulysparse.estimators._base import BaseSparseMLP
from trulysparse.estimators._docs import PARAMETERS


class SparseMLPRegressor(RegressorMixin, BaseSparseMLP):
    __doc__ = f"""A truly sparse multilayer perceptron for regression, one or several targets.

    Targets are standardised with the training set's (weighted) figures for training and restored at predict.

    {PARAMETERS}

    Attributes
    ----------
    network_ : the trained SparseMLP, on standardised targets
    target_mean_, target_scale_ : (n_targets,)
    history_ : History, one record an epoch
    loss_, n_iter_, n_features_in_, feature_names_in_
    """

    _output = "identity"
    _monitor = "val_r2"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Trains a fresh network. X: (n_samples, n_features), dense or sparse. y: (n_samples,) or (n_samples,
        n_targets). sample_weight: (n_samples,), at least 0."""
        X, targets = self._checked(X, y, reset=True)
        weight = self._weights(sample_weight, len(targets))
        self._set_target_scale(targets, weight)
        return self._fit(X, self._to_network(targets), weight, targets.shape[1])

    def partial_fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """One pass over the given samples, without topology evolution. The figures for scaling X and y are
        taken at the first call."""
        first = not hasattr(self, "network_")
        X, targets = self._checked(X, y, reset=first)
        weight = self._weights(sample_weight, len(targets))
        if first:
            self._set_target_scale(targets, weight)
        elif targets.shape[1] != len(self.target_mean_):
            raise InputError(
                f"y has {targets.shape[1]} targets, but the first call of partial_fit had {len(self.target_mean_)}"
            )
        return self._partial_fit(X, self._to_network(targets), weight, targets.shape[1], first)

    def predict(self, X: Any) -> NDArray[np.floating]:
        """(n_samples,), or (n_samples, n_targets) where y had two dimensions."""
        values = self._outputs(X, activated=False) * self.target_scale_ + self.target_mean_
        return values.ravel() if self._flat else values

    def _checked(self, X: Any, y: ArrayLike, *, reset: bool) -> tuple[Any, NDArray[np.float64]]:
        X, y = self._validated(X, y, reset=reset, multi_output=True, y_numeric=True)
        self._flat = y.ndim == 1
        return X, np.asarray(y, dtype=np.float64).reshape(len(y), -1)

    def _set_target_scale(self, targets: NDArray[np.float64], weight: NDArray[np.float64] | None) -> None:
        self.target_mean_ = np.average(targets, axis=0, weights=weight)
        deviation = np.sqrt(np.average((targets - self.target_mean_) ** 2, axis=0, weights=weight))
        self.target_scale_ = np.where(deviation > 0, deviation, 1.0)

    def _to_network(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        return (targets - self.target_mean_) / self.target_scale_
