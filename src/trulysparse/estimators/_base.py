"""What the classifier and the regressor share: parameters, validation, the way to a Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from trulysparse._core import checks
from trulysparse.connectivity.counts import is_per_layer
from trulysparse.connectivity.network_patterns import AnyPattern
from trulysparse.data import Scaling, as_matrix, f_scores
from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.data.sample_weights import sample_weights
from trulysparse.data.scaling import unscaled
from trulysparse.data.scaling_figures import ScalingFigures
from trulysparse.errors import InputError
from trulysparse.estimators._fitted import FittedAttributes
from trulysparse.estimators._members import Members
from trulysparse.estimators._pickling import VersionedPickles
from trulysparse.estimators._pretrained import (
    BeginsPretrained,
    aligned,
    check_names,
    network_from,
    preprocessor_for,
    with_pretrained,
)
from trulysparse.estimators._samples import checked_samples, encoded, taken
from trulysparse.estimators._sizes import hidden_sizes
from trulysparse.estimators._threads import threads_of
from trulysparse.estimators._warm_start import check_same, joined
from trulysparse.evolution import Evolution
from trulysparse.nn.activations import Activation
from trulysparse.nn.losses import Loss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import LayerRates, Optimizer
from trulysparse.parallel import WASAP
from trulysparse.recipe import DataSize, Recipe
from trulysparse.recipe.options import F_SCORE, known
from trulysparse.training import Callback, EarlyStopping, History, ProgressBar
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record

_SPARSITY = ("epsilon", "density", "densities", "output_density", "connectivity")
# What no later call of fit changes.
_MADE_OF = (
    *_SPARSITY,
    "n_estimators",
    "activation",
    "alpha",
    "scale",
    "dtype",
    "init",
    "fan",
    "skip",
    "skip_density",
    "pretrained",
)
_KINDS = {"softmax": "classification", "sigmoid": "multilabel", "identity": "regression"}


@dataclass(eq=False, repr=False)
class BaseSparseMLP(BeginsPretrained, VersionedPickles, FittedAttributes, BaseEstimator):
    """See the subclasses. The parameters are fields, of which the decorator makes the __init__ that scikit-learn reads
    them from. Those that a Recipe has too have its default, unless they say so here; `_docs` says why."""

    _monitor: ClassVar[str]

    hidden_layer_sizes: int | Sequence[int] | None = Recipe.hidden
    _: KW_ONLY
    epsilon: float | None = Recipe.epsilon
    density: float | Sequence[float] | None = Recipe.density
    densities: str = Recipe.densities
    output_density: float | None = Recipe.output_density
    connectivity: str | AnyPattern = Recipe.connectivity
    activation: str | Activation = Recipe.activation
    alpha: float | None = Recipe.alpha
    evolution: str | Evolution | None = Recipe.evolution
    zeta: float = Recipe.zeta
    n_estimators: int | None = Recipe.n_estimators
    optimizer: str | Optimizer = Recipe.optimizer
    learning_rate: float | None = Recipe.learning_rate
    momentum: float = Recipe.momentum
    weight_decay: float | None = Recipe.weight_decay
    dropout: float | None = Recipe.dropout
    input_noise: float = Recipe.input_noise
    input_dropout: float | None = Recipe.input_dropout
    input_masking: float = Recipe.input_masking
    input_swap: float = Recipe.input_swap
    augmentation: ImageAugmentation | None = None
    batch_size: int | str | None = "auto"
    epochs: int | None = Recipe.epochs
    scale: str = Recipe.scale
    early_stopping: bool = False
    validation_fraction: float = 0.1
    patience: int = 10
    warm_start: bool = False
    dtype: str = "auto"
    init: str = Recipe.init
    fan: str = Recipe.fan
    skip: bool | None = Recipe.skip
    skip_density: float | None = Recipe.skip_density
    layer_rates: str | LayerRates | None = Recipe.layer_rates
    n_jobs: int | None = None
    parallel: str | WASAP | None = Recipe.parallel
    random_state: int | np.random.RandomState | None = None
    verbose: bool | int = False
    pretrained: SparseMLP | None = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # ---- pieces of fit ----

    def _target_loss(self) -> Loss | None:
        """The loss; None for the one of the output activation."""
        return None

    def _learn_targets(self, y: Any, weight: NDArray[np.float64] | None) -> None:
        """Takes figures of the targets that are trained on, where they are needed."""

    def _target_scaling(self) -> Scaling | None:
        """From the unit of the targets to that of the network."""
        return None

    def _threads(self) -> int:
        return threads_of(self.n_jobs)

    def _hidden(self) -> tuple[int, ...] | None:
        return None if self.hidden_layer_sizes is None else hidden_sizes(self.hidden_layer_sizes)

    def _recipe(self, seed: int, data: DataSize) -> Recipe:
        """The parameters as a recipe, checked, with a value for each that depends on the data. `patience` stays here:
        it counts epochs of another score."""
        own = {"patience", "batch_size", "loss"}
        names = {each.name for each in fields(Recipe)} & set(self.get_params(deep=False)) - own
        parameters = {name: getattr(self, name) for name in names}
        if is_per_layer(self.density):
            parameters["density"] = tuple(checks.listed("density", self.density, "numbers"))
        if isinstance(self.batch_size, str):
            checks.choice("batch_size", self.batch_size, ("auto",))
        elif self.batch_size is not None:
            parameters["batch_size"] = checks.integer("batch_size", self.batch_size, low=1)
        workers = Recipe.workers if self.parallel is None else self._threads()
        recipe = Recipe(**parameters, hidden=self._hidden(), workers=workers, seed=seed)
        given = {name for name in ("zeta", "momentum") if getattr(self, name) != getattr(Recipe, name)}
        if self.pretrained is not None:
            recipe = with_pretrained(recipe, self.pretrained)
        recipe = recipe.resolved(data, given)
        recipe.check()
        return recipe

    def _made_of(self, n_outputs: int) -> dict[str, Any]:
        """What the network depends on, by name."""
        return {
            "hidden_layer_sizes": self._hidden(),
            **{name: getattr(self, name) for name in _MADE_OF},
            "the number of outputs": n_outputs,
        }

    def _members_of(self, recipe: Recipe, networks: Sequence[SparseMLP]) -> Members:
        """A trainer for each network."""
        trainers = []
        for number, net in enumerate(networks):
            own = recipe.member(number)
            trainer = own.trainer(net, parallel=own.make_parallel())
            loss = self._target_loss()
            if loss is not None:
                trainer.loss = loss
            trainers.append(trainer)
        return Members(trainers)

    def _new_recipe(self, data: DataSize) -> Recipe:
        checks.choice("dtype", self.dtype, ("auto", "float32", "float64"))
        self._target_loss()
        return self._recipe(int(check_random_state(self.random_state).randint(2**31 - 1)), data)

    def _start(
        self, X: Any, y: Any, n_outputs: int, output: str, weight: NDArray[Any] | None, *, whole: bool = True
    ) -> None:
        """Fresh networks and trainers for data like X. whole: whether these are all samples that there will be."""
        self._data = DataSize(X.shape[0], X.shape[1], _KINDS[output], whole)
        recipe = self._new_recipe(self._data)
        dtype = self.dtype if self.dtype != "auto" else ("float64" if X.dtype == np.float64 else "float32")
        made_of, threads = self._made_of(n_outputs), self._threads()
        self._figures, pretrained = None, self.pretrained
        if recipe.scale != "none" and pretrained is None:
            self._figures = ScalingFigures(recipe.scale, X.shape[1], self.augmentation)
        scaling = self._scaling(X, weight) if pretrained is None else pretrained.scaling
        scores = f_scores(X, y, sample_weight=weight, scaling=scaling) if recipe.connectivity == F_SCORE else None
        networks = []
        for number in range(known(recipe.n_estimators)):
            own = recipe.member(number)
            made: dict[str, Any] = {"output": output, "dtype": dtype, "threads": threads}
            if pretrained is None:
                net = own.network(X.shape[1], n_outputs, samples=(X, y), scores=scores, **made)
            else:
                check_names(pretrained, getattr(self, "feature_names_in_", None))
                net = network_from(pretrained, own, n_outputs, **made)
            net.preprocessor = self.preprocessor_
            if self.preprocessor_ is None:
                net.feature_names = getattr(self, "feature_names_in_", None)
            net.target_scaling, net.scaling = self._target_scaling(), scaling
            networks.append(net)
        self._members = self._members_of(recipe, networks)
        self._network_made_of, self.recipe_ = made_of, recipe
        self.network_ = self._members.network(threads)

    def _go_on(self) -> None:
        """Trainers with this call's settings for the networks of the call before."""
        self._require_writable()
        recipe = self._new_recipe(self._data)
        for net in self._members.networks:
            net.threads = self._threads()
        self._members = self._members_of(recipe, self._members.networks).go_on_from(self._members)
        self.recipe_ = recipe

    def _require_writable(self) -> None:
        """InputError where the network's arrays are those of a file."""
        layers = [layer for net in self._members.networks for layer in net.layers]
        if not all(layer.values.flags.writeable for layer in layers):
            raise InputError(
                "this estimator is read-only, as joblib.load with mmap_mode='r' makes it: load it without mmap_mode to "
                "train it further"
            )

    def _scaling(self, X: Any, weight: NDArray[Any] | None) -> Scaling | None:
        """By all samples so far and these; of tables, one-hot inputs stay 0 and 1."""
        if self._figures is None:
            return None
        scaling = self._figures.add(as_matrix(X), weight)
        return scaling if self.preprocessor_ is None else unscaled(scaling, self.preprocessor_.scaled_)

    @property
    def _warm(self) -> bool:
        """Whether fit goes on with the network of the call before."""
        return bool(self.warm_start) and hasattr(self, "network_")

    def _fit(self, X: Any, y: Any, weight: NDArray[np.float64] | None, n_outputs: int, output: str) -> Self:
        if self.epochs is not None:
            checks.integer("epochs", self.epochs, low=1)
        warm = self._warm
        if warm:
            check_same(self._network_made_of, self._made_of(n_outputs))
        X = aligned(X, self.pretrained)
        held_out = None
        if self.early_stopping:
            fraction = checks.real(
                "validation_fraction", self.validation_fraction, low=0, high=1, low_open=True, high_open=True
            )
            parts = train_test_split(
                np.arange(y.shape[0]),
                test_size=fraction,
                stratify=self._strata(y),
                random_state=check_random_state(self.random_state).randint(2**31 - 1),
            )
            inner, outer = np.sort(parts[0]), np.sort(parts[1])
            held_out = taken(X, outer), y[outer]
            X, y, weight = taken(X, inner), y[inner], None if weight is None else weight[inner]
        if not warm:
            self.preprocessor_ = preprocessor_for(X, self.pretrained)
            self._learn_targets(y, weight)
        X = encoded(X, self.preprocessor_)
        if warm:
            self._go_on()
        else:
            self._start(X, y, n_outputs, output, weight)
        validation = None
        if held_out is not None:
            validation = encoded(held_out[0], self.preprocessor_), held_out[1]
        calls: list[list[Callback]] = [[] for _ in self._members.trainers]
        if self.early_stopping:
            calls = [[EarlyStopping(self._monitor, patience=self.patience)] for _ in calls]
        calls[0] = [*self._reporters(), *calls[0]]
        threads, epochs = self._threads(), known(self.recipe_.epochs)
        history = self._members.fit(
            X, y, calls, threads, epochs=epochs, validation_data=validation, sample_weight=weight
        )
        self.network_ = self._members.network(threads)
        self._note(joined(self.history_, history) if warm else history)
        return self

    def _partial_fit(
        self, X: Any, y: Any, weight: NDArray[np.float64] | None, n_outputs: int, output: str, first: bool
    ) -> Self:
        if first:
            X = aligned(X, self.pretrained)
            self.preprocessor_ = preprocessor_for(X, self.pretrained)
        X = encoded(X, self.preprocessor_)
        if first:
            self._start(X, y, n_outputs, output, weight, whole=False)
            self.history_ = History()
        else:
            self._require_writable()
        if not first and self._figures is not None:
            scaling = self._scaling(X, weight)
            assert scaling is not None
            self._members.rescale(scaling)
        done, threads = len(self.history_), self._threads()
        epochs = max(known(self.recipe_.epochs), done + 1)
        now = self._members.one_pass(X, y, done=done, epochs=epochs, threads=threads, weight=weight)
        self.network_ = self._members.network(threads)
        self._note(joined(self.history_, now))
        return self

    def _note(self, history: History) -> None:
        self.history_ = history
        self.n_iter_ = int(history["epoch"][-1])
        self.loss_ = history["loss"][-1]

    def _strata(self, y: Any) -> NDArray[Any] | None:
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

    def _for_prediction(self, X: Any) -> tuple[SparseMLP, Any]:
        """(the network, samples that it can read)."""
        check_is_fitted(self, "network_")
        return self.network_, encoded(checked_samples(self, X, reset=False)[0], self.preprocessor_)


class _PrintEpochs(Callback):
    """verbose=2: a line per epoch."""

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        print("  ".join(f"{name} {value:.6g}" for name, value in record.items()))
