"""SparseMLPRegressor."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from trulysparse._core import checks
from trulysparse.data import Scaling
from trulysparse.data.moments import Moments
from trulysparse.data.target_scaling import LARGEST_TARGET
from trulysparse.errors import InputError
from trulysparse.estimators._base import BaseSparseMLP
from trulysparse.estimators._docs import ATTRIBUTES, NOTES, PARAMETERS
from trulysparse.estimators._rescaling import rescale_outputs
from trulysparse.estimators._samples import as_target, checked_samples
from trulysparse.estimators._warm_start import check_same
from trulysparse.nn.losses import AnyLoss, Loss, make_loss


@dataclass(eq=False, repr=False)
class SparseMLPRegressor(RegressorMixin, BaseSparseMLP):
    __doc__ = f"""A truly sparse multilayer perceptron for regression, one or several targets.

    Targets are standardised with the training set's (weighted) figures for training and restored at predict. Those of
    more than 1e300 are refused.

    {PARAMETERS}
    loss : 'squared_error', 'huber' (also 'smooth_l1'), or a loss such as Huber(delta=0.5)
        Of standardised targets. 'huber' gives single targets far from all others less weight.

    Attributes
    ----------
    target_mean_, target_scale_ : (n_targets,)
    {ATTRIBUTES}

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

    _monitor: ClassVar[str] = "val_r2"

    _: KW_ONLY
    loss: str | AnyLoss = "squared_error"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Trains a fresh network or, with warm_start, goes on with that of the call before.

        Parameters
        ----------
        X : array-like, sparse matrix or table (of pandas, polars or pyarrow) of shape (n_samples, n_features)
            The columns of a table may hold texts, categories, booleans and gaps; see trulysparse.TablePreprocessor.
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
        warm = self._warm
        X, targets, flat = self._checked(X, y, reset=not warm)
        weight = self._weights(sample_weight, len(targets))
        if warm:
            wanted = {"the number of y's dimensions": 1 if self._flat else 2}
            check_same(wanted, {"the number of y's dimensions": 1 if flat else 2})
        self._flat = flat
        return self._fit(X, targets, weight, targets.shape[1], "identity")

    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Makes one pass over the given samples, without topology evolution.

        The figures for scaling X and y are those of all samples so far; the learning rate's schedule goes on from call
        to call, over `epochs` of them. How the columns of a table are encoded follows from the first call's samples.

        Parameters
        ----------
        X : as for fit
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), at least 0, or None
            Factors on the samples' losses.

        Returns
        -------
        self
        """
        first = not hasattr(self, "network_")
        X, targets, flat = self._checked(X, y, reset=first)
        weight = self._weights(sample_weight, len(targets))
        if first:
            self._flat = flat
            self._learn_targets(targets, weight)
        elif targets.shape[1] != len(self.target_mean_):
            raise InputError(
                f"y has {targets.shape[1]} targets, but the first call of partial_fit had {len(self.target_mean_)}"
            )
        else:
            self._require_writable()
            self._flat = flat
            old = self.target_mean_, self.target_scale_, self._moments.deviation > 0
            self._note_targets(targets, weight)
            self._carry_over(*old)
            for net in self._members.networks:
                net.target_scaling = self._target_scaling()
        return self._partial_fit(X, targets, weight, targets.shape[1], "identity", first)

    def predict(self, X: Any) -> NDArray[np.floating]:
        """Predicted targets, in the unit of y.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_targets) where y had two dimensions
        """
        net, samples = self._for_prediction(X)
        values = net.predict(samples)
        return values.ravel() if self._flat else values

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """R^2 of the predictions, the mean over targets; see sklearn.metrics.r2_score.

        Parameters
        ----------
        X : as for fit
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), at least 0, or None

        Returns
        -------
        float, at most 1
        """
        predicted, wanted = self.predict(X), np.asarray(as_target(y))
        if self._flat or wanted.ndim == 2:  # in the unit of the targets, whose squares may be out of range
            unit = self.target_scale_[0] if self._flat else self.target_scale_
            predicted, wanted = predicted / unit, wanted / unit
        return float(r2_score(wanted, predicted, sample_weight=sample_weight))

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, NDArray[np.float64], bool]:
        """(X, targets with two dimensions, whether y has one)."""
        X, y = checked_samples(self, X, y, reset=reset, multi_output=True, y_numeric=True)
        if sp.issparse(y):  # standardised, it would have no zeros left
            raise InputError(f"y must be dense, not a sparse matrix of shape {y.shape}; Trainer takes sparse targets")
        flat = y.ndim == 1
        targets = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        wrong = np.argwhere(np.abs(targets) > LARGEST_TARGET)
        if len(wrong):
            sample, target = wrong[0]
            where = f"y[{sample}]" if flat else f"y[{sample}, {target}]"
            raise InputError(
                f"{where} is {targets[sample, target]}; targets must lie between -{LARGEST_TARGET} and {LARGEST_TARGET}"
            )
        return X, targets, flat

    def _target_loss(self) -> Loss:
        names = {"squared_error": None, "smooth_l1": "huber"}
        if isinstance(self.loss, str):
            checks.choice("loss", self.loss, ("squared_error", "huber", "smooth_l1"))
            return make_loss(names.get(self.loss, self.loss), "identity")
        return make_loss(self.loss, "identity")

    def _learn_targets(self, y: NDArray[np.float64], weight: NDArray[np.float64] | None) -> None:
        self._moments = Moments(y.shape[1])
        self._note_targets(y, weight)

    def _note_targets(self, targets: NDArray[np.float64], weight: NDArray[np.float64] | None) -> None:
        """Updates the figures that scale the targets."""
        self._moments.add(targets, weight)
        deviation = self._moments.deviation
        self.target_mean_ = self._moments.mean
        with np.errstate(over="ignore", divide="ignore"):
            usable = np.isfinite(1 / deviation)
        self.target_scale_ = np.where(usable, deviation, 1.0)

    def _carry_over(self, mean: NDArray[np.float64], scale: NDArray[np.float64], varied: NDArray[np.bool_]) -> None:
        """Lets the network predict what it has predicted before the figures changed; targets that were constant until
        then are begun anew."""
        ratio = np.where(varied, scale / self.target_scale_, 1.0)
        offset = np.where(varied, (mean - self.target_mean_) / self.target_scale_, 0.0)
        for net in self._members.networks:
            rescale_outputs(net, ratio, offset)

    def _target_scaling(self) -> Scaling:
        return Scaling("standard", self.target_mean_, 1 / self.target_scale_)
