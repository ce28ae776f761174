"""What the classifier and the regressor share: parameters, validation, the way to a Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from trulysparse._core import checks
from trulysparse._core.sparse import check_sparse, to_csr
from trulysparse.data import as_matrix
from trulysparse.data.sample_weights import sample_weights
from trulysparse.data.scaling_figures import ScalingFigures
from trulysparse.data.sparse import AXES
from trulysparse.errors import InputError
from trulysparse.estimators._rescaling import rescale_inputs
from trulysparse.evolution import Evolution
from trulysparse.nn.activations import Activation
from trulysparse.optim import Optimizer
from trulysparse.optim.optimizer import with_schedule
from trulysparse.optim.schedules import ContinuedRate
from trulysparse.parallel import WASAP
from trulysparse.recipe import Recipe
from trulysparse.training import Callback, EarlyStopping, History, ProgressBar
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record

_SPARSE = ("csr", "csc")


def _float_types(X: Any) -> list[type] | None:
    """Arrays of small numeric types are read as they are; everything else must become floating point."""
    small = isinstance(X, np.ndarray) and X.dtype.kind in "iuf" and X.dtype.itemsize <= 4
    return None if small else [np.float64, np.float32]


def _checked_sparse(X: Any) -> Any:
    """X; a sparse one checked before anyone trusts its indices, and in a format that the network reads."""
    if not sp.issparse(X):
        return X
    if X.format not in _SPARSE:
        return to_csr(X, "X", AXES)
    check_sparse(X, "X", AXES)
    return X


@dataclass(eq=False, repr=False)
class BaseSparseMLP(BaseEstimator):
    """See the subclasses. The parameters are fields, of which the decorator makes the __init__ that scikit-learn reads
    them from. Those that a Recipe has too have its default, unless they say so here; `_docs` says why."""

    _output: ClassVar[str]
    _monitor: ClassVar[str]

    hidden_layer_sizes: int | Sequence[int] = (100, 100)
    _: KW_ONLY
    epsilon: float = Recipe.epsilon
    activation: str | Activation = Recipe.activation
    alpha: float | None = Recipe.alpha
    evolution: str | Evolution | None = Recipe.evolution
    zeta: float = Recipe.zeta
    optimizer: str | Optimizer = "adam"
    learning_rate: float = 0.001
    momentum: float = Recipe.momentum
    weight_decay: float = Recipe.weight_decay
    dropout: float = Recipe.dropout
    batch_size: int | str = "auto"
    epochs: int = 100
    scale: str = Recipe.scale
    early_stopping: bool = False
    validation_fraction: float = 0.1
    patience: int = 10
    dtype: str = "auto"
    init: str = Recipe.init
    fan: str = Recipe.fan
    n_jobs: int | None = None
    parallel: str | WASAP | None = Recipe.parallel
    random_state: int | np.random.RandomState | None = None
    verbose: bool | int = False

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # ---- pieces of fit ----

    def _validated(self, X: Any, y: ArrayLike | None, *, reset: bool, **options: Any) -> tuple[Any, NDArray[Any]]:
        """scikit-learn's own checks of X and y, whose messages its users know."""
        X = _checked_sparse(X)
        checked: tuple[Any, NDArray[Any]] = validate_data(
            self, X, y, reset=reset, accept_sparse=_SPARSE, dtype=_float_types(X), **options
        )
        return checked

    def _threads(self) -> int:
        every = checks.thread_count(None)
        number = every if self.n_jobs is None else checks.integer("n_jobs", self.n_jobs, low=-(2**31))
        if number == 0:
            raise InputError("n_jobs must be at least 1, or below 0 to count down from all threads (-1), not 0")
        return number if number > 0 else max(1, every + 1 + number)

    def _hidden(self) -> tuple[int, ...]:
        sizes: Any = self.hidden_layer_sizes
        if isinstance(sizes, Integral):
            sizes = (sizes,)
        listed = sizes.ndim == 1 if isinstance(sizes, np.ndarray) else isinstance(sizes, Sequence)
        if not listed or isinstance(sizes, str | bytes):
            raise InputError(f"hidden_layer_sizes must be an integer or a sequence of integers, not {sizes!r}")
        return tuple(checks.integer(f"hidden_layer_sizes[{i}]", size, low=1) for i, size in enumerate(sizes))

    def _batch_size(self, n_samples: int) -> int:
        """Samples per update: as given, or by the number of samples."""
        if isinstance(self.batch_size, str):
            checks.choice("batch_size", self.batch_size, ("auto",))
            return min(Recipe.batch_size, max(32, n_samples // 8))
        return checks.integer("batch_size", self.batch_size, low=1)

    def _recipe(self, seed: int, n_samples: int) -> Recipe:
        """The parameters as a recipe, checked. `patience` stays here: it counts epochs of another score."""
        names = {each.name for each in fields(Recipe)} & set(self.get_params(deep=False)) - {"patience", "batch_size"}
        workers = Recipe.workers if self.parallel is None else self._threads()
        parameters = {name: getattr(self, name) for name in names}
        size = self._batch_size(n_samples)
        recipe = Recipe(**parameters, hidden=self._hidden(), workers=workers, seed=seed, batch_size=size)
        recipe.check()
        return recipe

    def _start(self, X: Any, n_outputs: int, weight: NDArray[Any] | None) -> None:
        """A fresh network and trainer for data like X."""
        checks.choice("dtype", self.dtype, ("auto", "float32", "float64"))
        dtype = self.dtype if self.dtype != "auto" else ("float64" if X.dtype == np.float64 else "float32")
        recipe = self._recipe(int(check_random_state(self.random_state).randint(2**31 - 1)), X.shape[0])
        self.network_ = recipe.network(X.shape[1], n_outputs, output=self._output, dtype=dtype, threads=self._threads())
        self._figures = None if recipe.scale == "none" else ScalingFigures(recipe.scale, X.shape[1])
        self.network_.scaling = None if self._figures is None else self._figures.add(as_matrix(X), weight)
        self._trainer = recipe.trainer(self.network_, parallel=recipe.make_parallel())
        self._optimizer = self._trainer.optimizer

    def _fit(self, X: Any, y: NDArray[Any], weight: NDArray[np.float64] | None, n_outputs: int) -> Self:
        epochs = checks.integer("epochs", self.epochs, low=1)
        validation, callbacks = None, self._reporters()
        if self.early_stopping:
            fraction = checks.real(
                "validation_fraction", self.validation_fraction, low=0, high=1, low_open=True, high_open=True
            )
            parts = train_test_split(
                np.arange(len(y)),
                test_size=fraction,
                stratify=self._strata(y),
                random_state=check_random_state(self.random_state).randint(2**31 - 1),
            )
            inner, outer = np.sort(parts[0]), np.sort(parts[1])
            validation = (X[outer], y[outer])
            X, y, weight = X[inner], y[inner], None if weight is None else weight[inner]
            callbacks.append(EarlyStopping(self._monitor, patience=self.patience))
        self._start(X, n_outputs, weight)
        self.history_: History = self._trainer.fit(
            X, y, epochs=epochs, validation_data=validation, sample_weight=weight, callbacks=callbacks
        )
        self.n_iter_ = int(self.history_["epoch"][-1])
        self.loss_ = self.history_["loss"][-1]
        return self

    def _partial_fit(
        self, X: Any, y: NDArray[Any], weight: NDArray[np.float64] | None, n_outputs: int, first: bool
    ) -> Self:
        if first:
            self._start(X, n_outputs, weight)
            self.history_ = History()
        elif self._figures is not None and self.network_.scaling is not None:
            scaling = self._figures.add(as_matrix(X), weight)
            self.network_.scaling = rescale_inputs(self.network_.layers[0], self.network_.scaling, scaling)
        trainer, done = self._trainer, len(self.history_)
        trainer.evolution = None
        if hasattr(self._optimizer, "learning_rate"):
            epochs = max(self.epochs, done + 1)
            trainer.optimizer = with_schedule(self._optimizer, lambda rate: ContinuedRate(rate, done, epochs))
        record = trainer.fit(X, y, epochs=1, sample_weight=weight).records[-1]
        self.history_.records.append({**record, "epoch": done + 1})
        self.n_iter_ = len(self.history_)
        self.loss_ = record["loss"]
        return self

    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """What a validation split keeps the shares of."""
        return None

    def _weights(self, sample_weight: ArrayLike | None, n_samples: int) -> NDArray[np.float64] | None:
        weight = sample_weights(sample_weight, n_samples)
        if weight is not None and not weight.any():
            raise InputError("sample_weight is zero for every sample; at least one weight must be above zero")
        return weight

    def _reporters(self) -> list[Callback]:
        if not self.verbose:
            return []
        return [ProgressBar()] if self.verbose == 1 else [_PrintEpochs()]

    def _outputs(self, X: Any, *, activated: bool) -> NDArray[Any]:
        check_is_fitted(self, "network_")
        X = _checked_sparse(X)
        X = validate_data(self, X, reset=False, accept_sparse=_SPARSE, dtype=_float_types(X))
        net = self.network_
        return net.predict_proba(X) if activated else net.decision_function(X)


class _PrintEpochs(Callback):
    """verbose=2: a line per epoch."""

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        print("  ".join(f"{name} {value:.6g}" for name, value in record.items()))
