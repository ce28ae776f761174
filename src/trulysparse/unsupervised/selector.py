"""SparseFeatureSelector: features chosen by how a sparse network uses them, in scikit-learn's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted

from trulysparse._core import checks
from trulysparse._core.progress import Progress
from trulysparse._core.random import stream_key
from trulysparse.data.matrix import Matrix, chunks
from trulysparse.errors import InputError
from trulysparse.estimators._samples import checked_samples
from trulysparse.io.parameters import allow
from trulysparse.unsupervised._base import UnsupervisedModel
from trulysparse.unsupervised._epochs import part_of
from trulysparse.unsupervised.selection import METHODS, SelectionData, SelectionMethod, make_method
from trulysparse.unsupervised.selection.ranking import best_of_columns, ranked, stability_of_scores
from trulysparse.unsupervised.selection.settings import number_to_keep
from trulysparse.unsupervised.selection.targets import encoded_targets

allow(*METHODS.values())


class SparseFeatureSelector(SelectorMixin, UnsupervisedModel):
    """Keeps the features that a sparse network, trained on the samples, uses most.

    Features are standardised inside; constant ones have the lowest score. A table's column of categories, read as
    several inputs, has the score of the best of them: a sum would favour columns of many categories.

    Parameters
    ----------
    n_features_to_select : int, float or None
        How many features are kept: a number of at least 1 (of a table, of columns), or a share in (0, 1] of them,
        rounded down to at least one. None: 50, but no more than half of them.
    method : str or a method of trulysparse.unsupervised.selection
        Without labels: 'quickselection' (strength of the inputs of a denoising autoencoder) or 'wast' (the same with
        importance that steers where connections grow, batch by batch). With labels or values: 'gradient' (how much
        the loss changes with a feature, batch by batch), 'attribution' (how much the outputs do, over the training) or
        'neurofs' (strength, in a network whose input neurons are removed as it learns).
    accumulate : bool
        Whether 'quickselection' scores by strength as input times strength as output, summed over the epochs. With
        noise=1.0 that finds more of what is hidden among many noise features, but does worse on images and texts.
    epochs, hidden_layer_sizes, epsilon, density, batch_size, learning_rate, zeta, noise
        Settings of the method; None: as its source has them. One that the method does not have is refused.
    scale : 'standard', 'minmax', 'moderated' or 'auto'
        Scaling of the features; see trulysparse.data.scaling_figures.fit_scaling.
    task : 'auto', 'classification' or 'regression'
        What y is, for methods that look at it; 'auto': labels unless y has fractions. Several columns of 0 and 1 are
        several labels per sample.
    n_repeats : int, at least 1
        Trainings with seeds of their own, whose scores are averaged; stability_ says how far their choices agree.
    n_jobs : int or None
        Threads; None or -1 for all. Results do not depend on it.
    random_state : int, RandomState or None
        Seed; None: another one at each fit.
    verbose : bool
        Whether progress is shown on a terminal.
    progress : function of (what, done, total), or None
        Called as training goes on.

    Attributes
    ----------
    scores_ : (n_features_in_,) float64, higher is better
    ranking_ : (n_features_in_,) int64, 1 for the best feature, 2 for the next
    support_ : (n_features_in_,) bool, the features that are kept
    n_features_ : how many that are
    repeat_scores_ : (n_repeats, n_features_in_), scores of each training
    stability_ : agreement of the trainings' choices, 1 where all are the same and about 0 where they are by chance
        (Nogueira et al. 2018); None with n_repeats=1
    method_ : the method with its settings
    preprocessor_ : the TablePreprocessor of a table's columns; None where they are plain numbers
    n_features_in_, feature_names_in_

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> rng = np.random.default_rng(0)
        >>> X = rng.standard_normal((500, 20))
        >>> X[:, :4] = X[:, :1] + 0.1 * X[:, :4]  # these four say the same, the others nothing
        >>> selector = ts.SparseFeatureSelector(
        ...     4, hidden_layer_sizes=10, epsilon=3, noise=1.0, accumulate=True, epochs=60, n_repeats=5, random_state=0
        ... )
        >>> selector.fit_transform(X).shape, selector.get_support(indices=True).tolist()
        ((500, 4), [0, 1, 2, 3])
        >>> selector.stability_ > 0.5
        True
    """

    _fitted_by = "scores_"
    support_: NDArray[np.bool_]
    repeat_scores_: NDArray[np.float64]
    _constant: NDArray[np.bool_]

    def __init__(
        self,
        n_features_to_select: int | float | None = None,
        *,
        method: str | SelectionMethod = "quickselection",
        accumulate: bool = False,
        epochs: int | None = None,
        hidden_layer_sizes: int | Sequence[int] | None = None,
        epsilon: float | None = None,
        density: float | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        zeta: float | None = None,
        noise: float | None = None,
        scale: str = "standard",
        task: str = "auto",
        n_repeats: int = 1,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
        progress: Progress | None = None,
    ) -> None:
        self.n_features_to_select = n_features_to_select
        self.method = method
        self.accumulate = accumulate
        self.epochs = epochs
        self.hidden_layer_sizes = hidden_layer_sizes
        self.epsilon = epsilon
        self.density = density
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.zeta = zeta
        self.noise = noise
        self.scale = scale
        self.task = task
        self.n_repeats = n_repeats
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.progress = progress

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        try:
            tags.target_tags.required = self._method().needs_y
        except InputError:  # which fit raises
            tags.target_tags.required = False
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Scores the features.

        Args:
            X: (n_samples, n_features), at least two samples: an array, a sparse matrix, a memory map, a table, or
                samples in files.
            y: labels of any type or values, (n_samples,) or (n_samples, n_outputs); methods without labels ignore it.

        Returns:
            The fitted selector.

        Raises:
            ValueError: where X or y cannot be used, or a parameter is out of range.
            DivergenceError: where training diverges.
        """
        with self._unchanged_by_errors():
            return self._fit(X, y)

    def transform(self, X: Any) -> Any:
        """The chosen features.

        Args:
            X: (n_samples, n_features_in_), in any form that fit takes.

        Returns:
            (n_samples, n_features_): an array, a sparse matrix where X is one, a DataFrame where X is a table of mixed
            columns.

        Raises:
            ValueError: where X is not like that of fit.
        """
        check_is_fitted(self)
        if self.preprocessor_ is not None:
            frame, _ = checked_samples(self, X, reset=False)
            return frame.iloc[:, np.flatnonzero(self.support_)]
        if not isinstance(X, np.ndarray) and hasattr(type(X), "reader"):
            parts = [chunk[:, self.support_] for _, chunk in chunks(self._samples(X, reset=False))]
            return sp.vstack(parts, format="csr") if sp.issparse(parts[0]) else np.concatenate(parts)
        return super().transform(X)

    def inverse_transform(self, X: Any) -> Any:
        """Samples with 0 in place of the features that were left out.

        Args:
            X: (n_samples, n_features_), as transform returns them.

        Returns:
            (n_samples, n_features_in_).

        Raises:
            ValueError: where X has another number of features, or the selector was fitted to a table of mixed columns.
        """
        check_is_fitted(self)
        if self.preprocessor_ is not None:
            raise InputError("inverse_transform needs columns that are plain numbers: 0 stands for what was left out")
        return super().inverse_transform(X)

    # ---- pieces of fit ----

    def _fit(self, X: Any, y: Any) -> Self:
        method, threads = self._method(), self._threads()
        checks.choice("scale", self.scale, ("standard", "minmax", "moderated", "auto"))
        checks.choice("task", self.task, ("auto", "classification", "regression"))
        n_repeats = checks.integer("n_repeats", self.n_repeats, low=1)
        number_to_keep(self.n_features_to_select)
        matrix, targets = self._data(X, y, method)
        if matrix.n_samples < 2:
            raise InputError(f"X has 1 sample; {type(self).__name__} needs a minimum of 2")
        n_keep = number_to_keep(self.n_features_to_select, self.n_features_in_)
        scaled = None if self.preprocessor_ is None else self.preprocessor_.scaled_
        data = SelectionData.of(matrix, targets, scale=self.scale, scaled=scaled)
        seed, found = self._seed(), []
        with self._reporting() as progress:
            for repeat in range(n_repeats):
                scores = method.scores(
                    data,
                    n_keep=self._inputs_of(n_keep, data.n_features),
                    seed=seed if not repeat else stream_key(seed, "repeat", repeat) >> 33,
                    threads=threads,
                    progress=part_of(progress, repeat, n_repeats),
                )
                found.append(self._of_columns(scores))
        self.method_, self._constant = method, data.constant
        if self.preprocessor_ is not None:
            varied = np.bincount(self.preprocessor_.sources_, ~data.constant, self.n_features_in_)
            self._constant = varied == 0
        self._choose(np.stack(found), n_keep)
        return self

    def _method(self) -> SelectionMethod:
        """The method with the settings that are given."""
        accumulate = checks.flag("accumulate", self.accumulate)
        names = ("epochs", "hidden_layer_sizes", "epsilon", "density", "batch_size", "learning_rate", "zeta", "noise")
        given = {name: getattr(self, name) for name in names}
        return make_method(self.method, **given, accumulate=accumulate or None)

    def _data(self, X: Any, y: Any, method: SelectionMethod) -> tuple[Matrix, NDArray[Any] | None]:
        if not method.needs_y:
            return self._samples(X, reset=True), None
        if y is None:
            raise InputError(
                f"method {method.name!r} requires y to be passed, but the target y is None; 'quickselection' and "
                "'wast' do without"
            )
        matrix, y = self._samples_and_targets(X, y, reset=True, multi_output=True)
        return matrix, encoded_targets(y, self.task)

    def _inputs_of(self, n_keep: int, n_inputs: int) -> int:
        """How many inputs of the network so many features are, as a share of a table's."""
        return max(1, min(n_inputs, round(n_keep * n_inputs / self.n_features_in_)))

    def _of_columns(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of inputs to columns: each has the score of its best input."""
        if self.preprocessor_ is None:
            return scores
        return best_of_columns(scores, self.preprocessor_.sources_, self.n_features_in_)

    def _choose(self, repeat_scores: NDArray[np.float64], n_keep: int) -> None:
        """Sets what follows from the scores."""
        self.repeat_scores_, self.n_features_ = repeat_scores, n_keep
        scores = repeat_scores.mean(axis=0)
        order = ranked(scores, self._constant)
        self.ranking_ = np.empty(len(scores), np.int64)
        self.ranking_[order] = np.arange(1, len(scores) + 1)
        self.support_ = self.ranking_ <= n_keep
        self.stability_ = stability_of_scores(repeat_scores, self._constant, n_keep)
        self.scores_ = scores

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        return self.support_

    @property
    def constant_(self) -> NDArray[np.bool_]:
        """(n_features_in_,), the features that had one value in every sample."""
        check_is_fitted(self)
        return self._constant

    # ---- files ----

    def _saved(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]], dict[str, Any]]:
        arrays: dict[str, NDArray[Any]] = {
            "repeat_scores": self.repeat_scores_,
            "constant": self._constant.astype(np.uint8),
        }
        return {}, arrays, {"n_features": int(self.n_features_)}

    def _restore(self, networks: dict[str, Any], arrays: dict[str, NDArray[Any]], config: dict[str, Any]) -> None:
        scores, n = arrays["repeat_scores"], self.n_features_in_
        if scores.ndim != 2 or scores.shape[1] != n or not len(scores) or arrays["constant"].shape != (n,):
            raise InputError(f"repeat_scores and constant must have {n} columns, one per feature")
        self.method_, self._constant = self._method(), arrays["constant"].astype(np.bool_)
        self._choose(scores.astype(np.float64), checks.integer("n_features", config["n_features"], low=1, high=n))
