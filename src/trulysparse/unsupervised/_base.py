"""What models without targets share: samples of any form, parameters of scikit-learn's kind, files, progress."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, check_X_y

from trulysparse._core import checks
from trulysparse._core.progress import Progress, silent
from trulysparse._core.texts import pack, unpack
from trulysparse.data import Scaling, as_matrix
from trulysparse.data.matrix import Matrix
from trulysparse.data.scaling import unscaled
from trulysparse.data.scaling_figures import ScalingFigures
from trulysparse.errors import InputError
from trulysparse.estimators._pickling import VersionedPickles
from trulysparse.estimators._samples import as_target, checked_samples, encoded, fitted_preprocessor
from trulysparse.estimators._threads import threads_of
from trulysparse.io import parameters as kept_parameters
from trulysparse.io.kept_models import Parts
from trulysparse.nn.activations import Activation
from trulysparse.nn.mlp import SparseMLP
from trulysparse.preprocessing import TablePreprocessor
from trulysparse.preprocessing.fitted import ARRAYS

_TABLE, _NAMES = "preprocessing.", ("feature_names.bytes", "feature_names.offsets")


class UnsupervisedModel(VersionedPickles, BaseEstimator, ABC):
    """Base of models that learn from samples alone. A subclass has the parameters `n_jobs`, `random_state`, `verbose`
    and `progress`, reads X through `_samples` (or `_samples_and_targets`), shows work through `_reporting`, and says
    with `_saved` and `_restore` what a file keeps of it.

    X may be an array, a memory map, a sparse matrix, a table of any columns, or a Matrix (samples in files); none is
    copied as a whole, but for a table, which is encoded.
    """

    _kept_by = "the model there with ts.save(model, path)"
    _fitted_by: ClassVar[str] = "n_features_in_"
    """Name of an attribute that fit sets last."""

    n_jobs: int | None
    random_state: int | np.random.RandomState | None
    verbose: bool | int
    progress: Progress | None
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    preprocessor_: TablePreprocessor | None

    # ---- what a subclass says of itself ----

    @abstractmethod
    def _saved(self) -> tuple[dict[str, SparseMLP], dict[str, NDArray[Any]], dict[str, Any]]:
        """(networks, arrays, config): what fit found out, beside parameters, names of features and preprocessing.
        Arrays are of any shape but single numbers; config is what JSON can hold."""

    @abstractmethod
    def _restore(self, networks: dict[str, SparseMLP], arrays: dict[str, NDArray[Any]], config: dict[str, Any]) -> None:
        """Takes what `_saved` gave, from a file: InputError where it does not hold together."""

    # ---- scikit-learn ----

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self._fitted_by)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "progress": None}  # a function of the moment, often with a terminal behind it

    def __sklearn_clone__(self) -> Self:
        twin: Self = super(UnsupervisedModel, copy.copy(self)).__sklearn_clone__()  # the copy is without `progress`
        twin.progress = self.progress
        return twin

    # ---- parameters ----

    def _threads(self) -> int:
        """What n_jobs stands for."""
        return threads_of(self.n_jobs)

    def _seed(self) -> int:
        """From random_state; drawn anew at each call where that is None or a generator."""
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    @contextmanager
    def _reporting(self) -> Iterator[Progress]:
        """A function that tells `progress` how far work is, and shows it on a terminal where `verbose` says so."""
        own: Callable[[str, float, float], object] | None = self.progress
        if own is not None and not callable(own):
            raise InputError(f"progress must be a function of (what, done, total), or None, not {own!r:.60}")
        shown: AbstractContextManager[Progress] = nullcontext(silent)
        if self.verbose:
            from trulysparse._core.bars import bars  # brings Rich

            shown = bars()
        with shown as show:

            def tell(what: str, done: float, total: float) -> None:
                show(what, done, total)
                if own is not None:
                    own(what, done, total)

            yield tell

    @contextmanager
    def _unchanged_by_errors(self, arrays: Sequence[NDArray[Any]] = ()) -> Iterator[None]:
        """Leaves the model as it was where what goes on inside ends with an error: its attributes, and the values of
        `arrays`, which are changed in place."""
        before, values = self.__dict__.copy(), [array.copy() for array in arrays]
        try:
            yield
        except BaseException:
            self.__dict__ = before
            for array, value in zip(arrays, values, strict=True):
                array[:] = value
            raise

    def _require_writable(self, net: SparseMLP) -> None:
        """InputError where the network's arrays are those of a file, before anything is changed."""
        if not all(array.flags.writeable for layer in net.layers for array in (layer.values, layer.bias)):
            raise InputError(
                "this model is read-only, as joblib.load with mmap_mode='r' makes it: load it without mmap_mode to "
                "train it further"
            )

    # ---- samples ----

    def _samples(self, X: Any, *, reset: bool) -> Matrix:
        """X checked and as the networks read it. Values of arrays in memory have been looked at; those in files are
        checked as they are loaded.

        Args:
            X: (n_samples, n_features); see the class.
            reset: whether the model is fitted to X: n_features_in_, feature_names_in_ and preprocessor_ are set.

        Raises:
            ValueError: where X cannot be used, or is not like the X of fit.
        """
        if not reset:
            check_is_fitted(self)
        if _in_files(X):
            return self._from_files(X, reset)
        return self._encoded(checked_samples(self, X, reset=reset, as_stored=True)[0], reset)

    def _samples_and_targets(self, X: Any, y: Any, *, reset: bool, **options: Any) -> tuple[Matrix, NDArray[Any]]:
        """As `_samples`, with one target for each sample. options: of scikit-learn's check_X_y, on y."""
        if _in_files(X):
            matrix = self._from_files(X, reset)
            y = check_X_y(np.zeros((matrix.n_samples, 1)), as_target(y), estimator=self, **options)[1]
            return matrix, y
        options = {"y_numeric": False} | options
        X, y = checked_samples(self, X, y, reset=reset, as_stored=True, **options)
        return self._encoded(X, reset), y

    def _encoded(self, X: Any, reset: bool) -> Matrix:
        if reset:
            self.preprocessor_ = fitted_preprocessor(X)
        return as_matrix(encoded(X, self.preprocessor_))

    def _from_files(self, X: Any, reset: bool) -> Matrix:
        matrix = as_matrix(X)
        if reset:
            self.n_features_in_, self.preprocessor_ = matrix.n_features, None
            self.__dict__.pop("feature_names_in_", None)
        elif self.preprocessor_ is not None:
            raise InputError("X must be a table with the columns of the fitted one, not samples in files")
        elif matrix.n_features != self.n_features_in_:
            raise InputError(
                f"X has {matrix.n_features} features, but {type(self).__name__} is expecting {self.n_features_in_} "
                "features as input"
            )
        return matrix

    def _scaling(self, figures: ScalingFigures | None, matrix: Matrix) -> Scaling | None:
        """By all samples that `figures` has seen and these; of tables, one-hot inputs stay 0 and 1."""
        if figures is None:
            return None
        scaling = figures.add(matrix)
        return scaling if self.preprocessor_ is None else unscaled(scaling, self.preprocessor_.scaled_)

    # ---- files ----

    def to_parts(self) -> Parts:
        """What a file keeps of the fitted model; see trulysparse.save.

        Returns:
            Networks, arrays and settings.

        Raises:
            InputError: where a parameter cannot be kept in a file.
            NotFittedError: before fit.
        """
        check_is_fitted(self)
        given = self.get_params(deep=False)
        given.pop("progress", None)
        networks, arrays, own = self._saved()
        config = {
            "parameters": kept_parameters.encoded(given),
            "n_features_in": int(self.n_features_in_),
            "output": getattr(self, "_sklearn_output_config", {}),
            "fitted": own,
        }
        arrays = dict(arrays)
        if self.preprocessor_ is not None:
            config["preprocessing"], columns = self.preprocessor_.state()
            arrays |= {_TABLE + name: array for name, array in columns.items()}
        if hasattr(self, "feature_names_in_"):
            arrays |= dict(zip(_NAMES, pack([str(name) for name in self.feature_names_in_]), strict=True))
        return Parts(networks, arrays, config)

    @classmethod
    def from_parts(cls, parts: Parts, threads: int | None, activation: Activation | None) -> Self:
        """The model that `to_parts` gave; see trulysparse.load.

        Args:
            parts: what a file holds.
            threads: n_jobs; None: as it was.
            activation: one of the user's own, of which files have the name alone.

        Returns:
            The model.

        Raises:
            InputError: where the parts do not hold together.
        """
        config, arrays = parts.config, dict(parts.arrays)
        given = kept_parameters.decoded(config["parameters"], activation)
        unknown = sorted(set(given) - set(cls._get_param_names()))
        if unknown:
            raise InputError(f"{cls.__name__} has no parameter {unknown[0]!r:.40} in this release")
        model = cls(**given)
        if threads is not None:
            model.n_jobs = checks.thread_count(threads)
        model.n_features_in_ = checks.integer("n_features_in", config["n_features_in"], low=1)
        if config["output"]:
            model.set_output(**config["output"])
        model.preprocessor_ = None
        if "preprocessing" in config:
            columns = {name: arrays.pop(_TABLE + name) for name in ARRAYS}
            model.preprocessor_ = TablePreprocessor.from_state(config["preprocessing"], columns)
        elif any(name.startswith(_TABLE) for name in arrays):
            raise InputError("preprocessing has arrays, but no settings")
        if _NAMES[0] in arrays:
            names = unpack(arrays.pop(_NAMES[0]), arrays.pop(_NAMES[1]), "feature_names")
            if len(names) != model.n_features_in_:
                raise InputError(f"feature_names must have {model.n_features_in_} names, not {len(names)}")
            model.feature_names_in_ = np.array(names, dtype=object)
        for net in parts.networks.values():
            net.threads = model._threads()
        model._restore(parts.networks, arrays, config["fitted"])
        return model


class UnsupervisedTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, UnsupervisedModel):
    """An UnsupervisedModel whose outputs have its name and a number; a subclass has their number as
    `_n_features_out`."""

    _n_features_out: int


class ScoresSamples(ABC):
    """A model with a score for each sample, whose mean is its score."""

    @abstractmethod
    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """(n_samples,), higher is better."""

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of score_samples: what a search over parameters makes large.

        Parameters
        ----------
        X : as for fit
        y : ignored

        Returns
        -------
        float
        """
        return float(self.score_samples(X).mean())


def _in_files(X: Any) -> bool:
    """Whether X is a memory map or a Matrix: read as it is, a batch at a time."""
    return isinstance(X, np.memmap) or (not isinstance(X, np.ndarray) and hasattr(type(X), "reader"))
