"""SparseMLPClassifier."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from trulysparse import _checks
from trulysparse.errors import InputError
from trulysparse.estimators._base import BaseSparseMLP
from trulysparse.estimators._docs import PARAMETERS
from trulysparse.evolution import Evolution
from trulysparse.optimizers import Optimizer
from trulysparse.parallel import WASAP


class SparseMLPClassifier(ClassifierMixin, BaseSparseMLP):
    __doc__ = f"""A truly sparse multilayer perceptron for classification.

    {PARAMETERS}
    class_weight : None, 'balanced' or dict of class to weight
        Factors on the samples of each class.

    Attributes
    ----------
    classes_ : (n_classes,) labels, of any type, in the order of predict_proba's columns
    network_ : the trained SparseMLP
    history_ : History, one record an epoch
    loss_, n_iter_, n_features_in_, feature_names_in_
    """

    _output = "softmax"
    _monitor = "val_accuracy"

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (100, 100),
        *,
        epsilon: float = 20.0,
        activation: str = "all_relu",
        alpha: float | None = None,
        evolution: str | Evolution | None = "set",
        zeta: float = 0.3,
        optimizer: str | Optimizer = "adam",
        learning_rate: float = 0.001,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        dropout: float = 0.0,
        batch_size: int = 128,
        epochs: int = 100,
        scale: str = "standard",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        dtype: str = "auto",
        init: str = "he_uniform",
        fan: str = "dense",
        class_weight: str | dict[Any, float] | None = None,
        n_jobs: int | None = None,
        parallel: str | WASAP | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            epsilon=epsilon,
            activation=activation,
            alpha=alpha,
            evolution=evolution,
            zeta=zeta,
            optimizer=optimizer,
            learning_rate=learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            dropout=dropout,
            batch_size=batch_size,
            epochs=epochs,
            scale=scale,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            dtype=dtype,
            init=init,
            fan=fan,
            n_jobs=n_jobs,
            parallel=parallel,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Trains a fresh network. X: (n_samples, n_features), dense or sparse. y: (n_samples,), labels of any
        type. sample_weight: (n_samples,), at least 0."""
        X, y = self._validated(X, y, reset=True)
        check_classification_targets(y)
        weight = self._weights(sample_weight, len(y))
        present = y if weight is None else y[weight > 0]
        if len(np.unique(present)) < 2:
            raise InputError(f"y has only one class, {_checks.plain(present[0])!r}; a classifier needs at least two")
        self.classes_, coded = np.unique(y, return_inverse=True)
        self._fit(X, coded, self._with_class_weights(coded, weight), len(self.classes_))
        self.network_.labels = self.classes_
        return self

    def partial_fit(
        self, X: Any, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """One pass over the given samples, without topology evolution. classes: all labels that will ever come;
        needed at the first call, where the scaling's figures are taken too."""
        first = not hasattr(self, "network_")
        X, y = self._validated(X, y, reset=first)
        check_classification_targets(y)
        if first:
            if classes is None:
                raise InputError("classes must be given at the first call of partial_fit")
            self.classes_ = np.unique(np.asarray(classes))
            if len(self.classes_) < 2:
                raise InputError(
                    f"classes has only one class, {_checks.plain(self.classes_[0])!r}; a classifier needs at least two"
                )
        elif classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            raise InputError("classes differ from those of the first call of partial_fit")
        coded = np.searchsorted(self.classes_, y)
        unknown = (coded == len(self.classes_)) | (self.classes_[np.minimum(coded, len(self.classes_) - 1)] != y)
        if unknown.any():
            at = int(np.flatnonzero(unknown)[0])
            raise InputError(f"y[{at}] is {_checks.plain(y[at])!r}, which is not among classes")
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
        """(n_samples, n_classes), columns in the order of classes_."""
        return self._outputs(X, activated=True)

    def predict_log_proba(self, X: Any) -> NDArray[np.floating]:
        """Logarithm of predict_proba."""
        logarithm: NDArray[np.floating] = np.log(self.predict_proba(X))
        return logarithm

    def predict(self, X: Any) -> NDArray[Any]:
        """(n_samples,) labels."""
        check_is_fitted(self, "network_")
        labels: NDArray[Any] = self.classes_[self._outputs(X, activated=False).argmax(axis=1)]
        return labels
