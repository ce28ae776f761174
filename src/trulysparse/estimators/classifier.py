"""SparseMLPClassifier."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.estimators._base import BaseSparseMLP
from trulysparse.estimators._docs import NOTES, PARAMETERS


@dataclass(eq=False, repr=False)
class SparseMLPClassifier(ClassifierMixin, BaseSparseMLP):
    __doc__ = f"""A truly sparse multilayer perceptron for classification.

    {PARAMETERS}
    class_weight : None, 'balanced' or dict of class to weight
        Factors on the samples of each class.

    Attributes
    ----------
    classes_ : (n_classes,) labels, of any type, in the order of predict_proba's columns
    network_ : the trained SparseMLP
    history_ : History, one record per epoch
    loss_, n_iter_, n_features_in_, feature_names_in_

    {NOTES}

    Examples
    --------
    >>> import numpy as np
    >>> from trulysparse import SparseMLPClassifier
    >>> X = np.random.default_rng(0).normal(size=(120, 4))
    >>> y = np.where(X[:, 0] > 0, "right", "left")
    >>> model = SparseMLPClassifier((16,), batch_size=16, epochs=30, learning_rate=0.01, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> model.predict([[3, 0, 0, 0], [-3, 0, 0, 0]]).tolist()
    ['right', 'left']
    """

    _output: ClassVar[str] = "softmax"
    _monitor: ClassVar[str] = "val_accuracy"

    _: KW_ONLY
    class_weight: str | dict[Any, float] | None = None

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Trains a fresh network.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels of any type, of at least two classes.
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
        X, y = self._validated(X, y, reset=True)
        check_classification_targets(y)
        weight = self._weights(sample_weight, len(y))
        present = y if weight is None else y[weight > 0]
        if len(np.unique(present)) < 2:
            raise InputError(f"y has only one class, {checks.plain(present[0])!r}; a classifier needs at least two")
        self.classes_, coded = np.unique(y, return_inverse=True)
        self._fit(X, coded, self._with_class_weights(coded, weight), len(self.classes_))
        self.network_.labels = self.classes_
        return self

    def partial_fit(
        self, X: Any, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Makes one pass over the given samples, without topology evolution.

        The scaling's figures are those of all samples so far; the learning rate's schedule goes on from call to call,
        over `epochs` of them.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels, each among `classes`.
        classes : array-like or None
            All labels that will ever come; needed at the first call.
        sample_weight : array-like of shape (n_samples,), at least 0, or None
            Factors on the samples' losses.

        Returns
        -------
        self
        """
        first = not hasattr(self, "network_")
        X, y = self._validated(X, y, reset=first)
        check_classification_targets(y)
        if first:
            if classes is None:
                raise InputError("classes must be given at the first call of partial_fit")
            self.classes_ = np.unique(np.asarray(classes))
            if len(self.classes_) < 2:
                raise InputError(
                    f"classes has only one class, {checks.plain(self.classes_[0])!r}; a classifier needs at least two"
                )
        elif classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            raise InputError("classes differ from those of the first call of partial_fit")
        coded = np.searchsorted(self.classes_, y)
        unknown = (coded == len(self.classes_)) | (self.classes_[np.minimum(coded, len(self.classes_) - 1)] != y)
        if unknown.any():
            at = int(np.flatnonzero(unknown)[0])
            raise InputError(f"y[{at}] is {checks.plain(y[at])!r}, which is not among classes")
        weight = self._with_class_weights(coded, self._weights(sample_weight, len(y)))
        self._partial_fit(X, coded, weight, len(self.classes_), first)
        self.network_.labels = self.classes_
        return self

    def _with_class_weights(
        self, coded: NDArray[np.int64], weight: NDArray[np.float64] | None
    ) -> NDArray[np.float64] | None:
        if self.class_weight is None:
            return weight
        names = self.classes_[coded]
        factors = compute_class_weight(self.class_weight, classes=np.unique(names), y=names, sample_weight=weight)
        by_class = np.ones(len(self.classes_))
        by_class[np.unique(coded)] = factors
        return by_class[coded] if weight is None else weight * by_class[coded]

    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        return y if np.bincount(y).min() > 1 else None

    def predict_proba(self, X: Any) -> NDArray[np.floating]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes), columns in the order of classes_
        """
        return self._outputs(X, activated=True)

    def predict_log_proba(self, X: Any) -> NDArray[np.floating]:
        """Logarithm of predict_proba.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        logarithm: NDArray[np.floating] = np.log(self.predict_proba(X))
        return logarithm

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,), labels of classes_
        """
        check_is_fitted(self, "network_")
        labels: NDArray[Any] = self.classes_[self._outputs(X, activated=False).argmax(axis=1)]
        return labels
