"""SparseMLPClassifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.estimators._base import BaseSparseMLP
from trulysparse.estimators._docs import ATTRIBUTES, NOTES, PARAMETERS
from trulysparse.estimators._samples import checked_samples, n_columns
from trulysparse.estimators._warm_start import check_same

_FORMS = "one class per sample", "columns of labels"


@dataclass(eq=False, repr=False)
class SparseMLPClassifier(ClassifierMixin, BaseSparseMLP):
    __doc__ = f"""A truly sparse multilayer perceptron for classification.

    A sample has one class of several, or, with y of shape (n_samples, n_labels), any number of labels.

    {PARAMETERS}
    class_weight : None, 'balanced' or dict of class to weight
        Factors on the samples of each class; not for several labels per sample.

    Attributes
    ----------
    classes_ : (n_classes,) labels, of any type, in the order of predict_proba's columns; (n_labels,) numbers of the
        labels, where a sample may have several
    multilabel_ : whether a sample may have several labels
    {ATTRIBUTES}

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

    _monitor: ClassVar[str] = "val_accuracy"

    _: KW_ONLY
    class_weight: str | dict[Any, float] | None = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Trains a fresh network or, with warm_start, goes on with that of the call before.

        Parameters
        ----------
        X : array-like, sparse matrix or table (of pandas, polars or pyarrow) of shape (n_samples, n_features)
            The columns of a table may hold texts, categories, booleans and gaps; see trulysparse.TablePreprocessor.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels of any type, of at least two classes; or 0 and 1, dense or sparse, where a sample may have several.
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
        X, y, multilabel = self._checked(X, y, reset=not warm)
        weight = self._weights(sample_weight, y.shape[0])
        if multilabel:
            classes, coded = np.arange(y.shape[1]), y
        else:
            present = y if weight is None else y[weight > 0]
            if len(np.unique(present)) < 2:
                raise InputError(f"y has only one class, {checks.plain(present[0])!r}; a classifier needs at least two")
            classes, coded = np.unique(y, return_inverse=True)
        if warm:
            known, now = (
                {"y's form": _FORMS[a], "y's set of classes": b}
                for a, b in ((self.multilabel_, self.classes_), (multilabel, classes))
            )
            check_same(known, now)
        weight = self._with_class_weights(coded, weight, classes, multilabel)
        self.multilabel_, self.classes_ = multilabel, classes
        self._fit(X, coded, weight, len(classes), "sigmoid" if multilabel else "softmax")
        self._name_outputs()
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Makes one pass over the given samples, without topology evolution.

        The scaling's figures are those of all samples so far; the learning rate's schedule goes on from call to call,
        over `epochs` of them. How the columns of a table are encoded follows from the first call's samples.

        Parameters
        ----------
        X : as for fit
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels, each among `classes`; or 0 and 1, where a sample may have several.
        classes : array-like or None
            All labels that will ever come; needed at the first call, but not where a sample may have several.
        sample_weight : array-like of shape (n_samples,), at least 0, or None
            Factors on the samples' losses.

        Returns
        -------
        self
        """
        first = not hasattr(self, "network_")
        X, y, multilabel = self._checked(X, y, reset=first)
        if first:
            given = np.arange(y.shape[1]) if multilabel and classes is None else classes
            if given is None:
                raise InputError("classes must be given at the first call of partial_fit")
            self.multilabel_, self.classes_ = multilabel, np.unique(np.asarray(given))
            if len(self.classes_) < 2:
                raise InputError(
                    f"classes has only one class, {checks.plain(self.classes_[0])!r}; a classifier needs at least two"
                )
        elif multilabel != self.multilabel_:
            raise InputError(
                f"y has {_FORMS[multilabel]}, but the first call of partial_fit had {_FORMS[self.multilabel_]}"
            )
        elif classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            raise InputError("classes differ from those of the first call of partial_fit")
        coded = self._label_columns(y) if multilabel else self._coded(y)
        weight = self._weights(sample_weight, y.shape[0])
        weight = self._with_class_weights(coded, weight, self.classes_, multilabel)
        self._partial_fit(X, coded, weight, len(self.classes_), "sigmoid" if multilabel else "softmax", first)
        self._name_outputs()
        return self

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any, bool]:
        """(X, y, whether y has several labels per sample)."""
        several = sp.issparse(y) or n_columns(y) > 1
        X, y = checked_samples(self, X, y, reset=reset, multi_output=several)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise InputError(
                f"y must have one column of classes, or columns of 0 and 1, not {y.shape[1]} columns of classes: wrap "
                "this in sklearn.multioutput.MultiOutputClassifier"
            )
        if kind == "multilabel-indicator":
            return X, y, True
        if sp.issparse(y):
            raise InputError("y may be sparse only where it has at least two columns of 0 and 1, one for each label")
        check_classification_targets(y)
        return X, column_or_1d(y), False

    def _coded(self, y: NDArray[Any]) -> NDArray[np.int64]:
        """Labels as numbers of classes."""
        coded = np.searchsorted(self.classes_, y)
        unknown = (coded == len(self.classes_)) | (self.classes_[np.minimum(coded, len(self.classes_) - 1)] != y)
        if unknown.any():
            at = int(np.flatnonzero(unknown)[0])
            raise InputError(f"y[{at}] is {checks.plain(y[at])!r}, which is not among classes")
        return coded

    def _label_columns(self, y: Any) -> Any:
        if y.shape[1] != len(self.classes_):
            raise InputError(f"y has {y.shape[1]} columns of labels, but there are {len(self.classes_)} labels")
        return y

    def _name_outputs(self) -> None:
        self.network_.labels = None if self.multilabel_ else self.classes_

    def _with_class_weights(
        self, coded: Any, weight: NDArray[np.float64] | None, classes: NDArray[Any], multilabel: bool
    ) -> NDArray[np.float64] | None:
        if self.class_weight is None:
            return weight
        if multilabel:
            raise InputError("class_weight must be None where a sample may have several labels; give sample_weight")
        names = classes[coded]
        if isinstance(self.class_weight, Mapping):
            for name, factor in self.class_weight.items():
                checks.real(f"class_weight[{checks.plain(name)!r}]", factor, low=0)
        factors = compute_class_weight(self.class_weight, classes=np.unique(names), y=names, sample_weight=weight)
        by_class = np.ones(len(classes))
        by_class[np.unique(coded)] = factors
        of_samples: NDArray[np.float64] = by_class[coded]
        return of_samples if weight is None else weight * of_samples

    def _strata(self, y: Any) -> NDArray[Any] | None:
        return y if y.ndim == 1 and np.bincount(y).min() > 1 else None

    def predict_proba(self, X: Any) -> NDArray[np.floating]:
        """Probabilities of the classes, or of each label where a sample may have several.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples, n_classes), columns in the order of classes_
        """
        net, samples = self._for_prediction(X)
        return net.predict_proba(samples)

    def predict_log_proba(self, X: Any) -> NDArray[np.floating]:
        """Logarithm of predict_proba.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):  # of 0: -infinity
            logarithm: NDArray[np.floating] = np.log(self.predict_proba(X))
        return logarithm

    def decision_function(self, X: Any) -> NDArray[np.floating]:
        """The output layer's values before their activation.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples, n_classes); of two classes (n_samples,), the logarithm of the odds of the second
        """
        net, samples = self._for_prediction(X)
        values = net.decision_function(samples)
        return values[:, 1] - values[:, 0] if len(self.classes_) == 2 and not self.multilabel_ else values

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each sample, or its labels where it may have several.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples,), labels of classes_; or (n_samples, n_labels), 1 where a label is more probable than
        not, else 0
        """
        net, samples = self._for_prediction(X)
        return net.predict(samples)
