"""SparseMLPRegressor."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from trulysparse.data.moments import Moments
from trulysparse.errors import InputError
from trulysparse.estimators._base import BaseSparseMLP
from trulysparse.estimators._docs import NOTES, PARAMETERS
from trulysparse.estimators._rescaling import rescale_outputs

_LARGEST = 1e300  # of targets: what is predicted lies a little farther out


class SparseMLPRegressor(RegressorMixin, BaseSparseMLP):
    __doc__ = f"""A truly sparse multilayer perceptron for regression, one or several targets.

    Targets are standardised with the training set's (weighted) figures for training and restored at predict. Those of
    more than 1e300 are refused.

    {PARAMETERS}

    Attributes
    ----------
    network_ : the trained SparseMLP, on standardised targets
    target_mean_, target_scale_ : (n_targets,)
    history_ : History, one record per epoch
    loss_, n_iter_, n_features_in_, feature_names_in_

    {NOTES}

    Examples
    --------
    >>> import numpy as np
    >>> from trulysparse import SparseMLPRegressor
    >>> X = np.random.default_rng(0).normal(size=(120, 4))
    >>> y = X[:, 0] - X[:, 1]
    >>> model = SparseMLPRegressor((16,), batch_size=16, epochs=50, learning_rate=0.01, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> model.predict(X).shape
    (120,)
    """

    _output: ClassVar[str] = "identity"
    _monitor: ClassVar[str] = "val_r2"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Trains a fresh network.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), at least 0, or None
            Factors on the samples' losses.

        Returns
        -------
        self

        Raises
        ------
        InputError
            Where a parameter is out of range or the samples cannot be trained on.
        """
        X, targets = self._checked(X, y, reset=True)
        weight = self._weights(sample_weight, len(targets))
        self._moments = Moments(targets.shape[1])
        self._note_targets(targets, weight)
        return self._fit(X, self._to_network(targets), weight, targets.shape[1])

    def partial_fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Makes one pass over the given samples, without topology evolution.

        The figures for scaling X and y are those of all samples so far; the learning rate's schedule goes on from call
        to call, over `epochs` of them.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), at least 0, or None
            Factors on the samples' losses.

        Returns
        -------
        self
        """
        first = not hasattr(self, "network_")
        X, targets = self._checked(X, y, reset=first)
        weight = self._weights(sample_weight, len(targets))
        if first:
            self._moments = Moments(targets.shape[1])
        elif targets.shape[1] != len(self.target_mean_):
            raise InputError(
                f"y has {targets.shape[1]} targets, but the first call of partial_fit had {len(self.target_mean_)}"
            )
        old = None if first else (self.target_mean_, self.target_scale_, self._moments.deviation > 0)
        self._note_targets(targets, weight)
        if old is not None:
            self._carry_over(*old)
        return self._partial_fit(X, self._to_network(targets), weight, targets.shape[1], first)

    def predict(self, X: Any) -> NDArray[np.floating]:
        """Predicted targets, in the unit of y.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_targets) where y had two dimensions
        """
        with np.errstate(over="ignore"):
            values = self._outputs(X, activated=False) * self.target_scale_ + self.target_mean_
        wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(wrong):
            raise InputError(
                f"the prediction for X[{wrong[0]}] is beyond the range of float64; train on targets in a smaller unit"
            )
        return values.ravel() if self._flat else values

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """R^2 of the predictions, the mean over targets; see sklearn.metrics.r2_score.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), at least 0, or None

        Returns
        -------
        float, at most 1
        """
        predicted, wanted = self.predict(X), np.asarray(y)
        if self._flat or wanted.ndim == 2:  # in the unit of the targets, whose squares may be out of range
            unit = self.target_scale_[0] if self._flat else self.target_scale_
            predicted, wanted = predicted / unit, wanted / unit
        return float(r2_score(wanted, predicted, sample_weight=sample_weight))

    def _checked(self, X: Any, y: ArrayLike, *, reset: bool) -> tuple[Any, NDArray[np.float64]]:
        X, y = self._validated(X, y, reset=reset, multi_output=True, y_numeric=True)
        if sp.issparse(y):  # standardised, it would have no zeros left
            raise InputError(f"y must be dense, not a sparse matrix of shape {y.shape}; Trainer takes sparse targets")
        self._flat = y.ndim == 1
        targets = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        wrong = np.argwhere(np.abs(targets) > _LARGEST)
        if len(wrong):
            sample, target = wrong[0]
            where = f"y[{sample}]" if self._flat else f"y[{sample}, {target}]"
            raise InputError(
                f"{where} is {targets[sample, target]}; targets must lie between -{_LARGEST} and {_LARGEST}"
            )
        return X, targets

    def _note_targets(self, targets: NDArray[np.float64], weight: NDArray[np.float64] | None) -> None:
        """Updates the figures that scale the targets."""
        self._moments.add(targets, weight)
        deviation = self._moments.deviation
        self.target_mean_ = self._moments.mean
        self.target_scale_ = np.where(deviation > 0, deviation, 1.0)

    def _carry_over(self, mean: NDArray[np.float64], scale: NDArray[np.float64], varied: NDArray[np.bool_]) -> None:
        """Lets the network predict what it has predicted before the figures changed; targets that were constant until
        then are begun anew."""
        ratio = np.where(varied, scale / self.target_scale_, 1.0)
        offset = np.where(varied, (mean - self.target_mean_) / self.target_scale_, 0.0)
        rescale_outputs(self.network_.layers[-1], ratio, offset)

    def _to_network(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        return (targets - self.target_mean_) / self.target_scale_
