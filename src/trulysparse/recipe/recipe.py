"""Recipe: a network, its optimizer, its evolution and its training as one value.

The command line makes its options of the fields (name, type, default, help), the estimators make a Recipe of their
parameters, and config.json holds one; so an option is written in options.py and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.progress import Progress, silent
from trulysparse._core.typed import checked_fields
from trulysparse.connectivity import FScore
from trulysparse.connectivity.network_patterns import FROM_SAMPLES
from trulysparse.errors import InputError
from trulysparse.nn import activations
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import OptimizerState
from trulysparse.parallel import WASAP
from trulysparse.planning.plan import PlanRequest
from trulysparse.recipe.combinations import CheckedRecipe
from trulysparse.recipe.defaults import DataSize
from trulysparse.recipe.options import F_SCORE, known
from trulysparse.recipe.presets import preset
from trulysparse.training import Trainer
from trulysparse.training.options import TrainingOptions

# What earlier versions did, whose recipes do not name these options.
EARLIER = {"fresh": "init", "n_estimators": 1, "skip": False, "input_dropout": 0.0, "evolve_until": 1.0}


class Recipe(CheckedRecipe):
    """A network and how it is trained; nothing about data, files or this machine.

    The fields are the options of `trulysparse train`, whose help texts (in each field's metadata) say what they mean.
    In Python, activation, optimizer, evolution and parallel may also be objects, which bring their own settings: an
    optimizer object its learning rate, for instance. evolution=None is 'none'.

    Example:
        >>> import numpy as np
        >>> recipe = Recipe(hidden=(16,), epochs=5, batch_size=8, learning_rate=0.1)
        >>> recipe.check()
        >>> net = recipe.network(2, 2, threads=1)
        >>> X = np.random.default_rng(0).normal(size=(64, 2))
        >>> history = recipe.trainer(net).fit(X, X[:, 0] > 0, epochs=recipe.epochs)
        >>> len(history)
        5
        >>> Recipe.from_json(recipe.to_json()) == recipe
        True
    """

    def network(
        self,
        n_inputs: int,
        n_outputs: int,
        *,
        output: str = "softmax",
        samples: tuple[Any, Any] | None = None,
        dtype: str = "float32",
        folder: str | PathLike[str] | None = None,
        threads: int | None = None,
        progress: Progress = silent,
        scores: NDArray[np.float64] | None = None,
    ) -> SparseMLP:
        """A fresh network.

        Args:
            n_inputs: features, at least 1.
            n_outputs: classes or targets, at least 1.
            output: 'softmax', 'sigmoid' or 'identity'.
            samples: (X, y) of the training, for a connectivity that is made of samples; others do not look at them.
            dtype: 'float32' or 'float64'.
            folder: where layers live on disk, if on_disk.
            threads: of the kernels; None: all of this machine's.
            progress: told how many connections are made.
            scores: (n_inputs,), of the features, for connectivity='f_score'; see data.f_scores.

        Returns:
            The network, without labels and scaling.
        """
        own = self.resolved()
        connectivity = own.connectivity
        if connectivity == F_SCORE:
            if scores is None:
                raise InputError(f"{self.spelled('connectivity', F_SCORE)} needs scores of the training samples")
            connectivity = FScore(scores)
        return SparseMLP(
            (n_inputs, *known(own.hidden), n_outputs),
            **self.sparsity,
            connectivity=connectivity,
            X=samples[0] if samples is not None and connectivity in FROM_SAMPLES else None,
            activation=self.make_activation(),
            output=output,
            init=self.init,
            fan=own.fan,
            balance=self.balance,
            skip=known(own.skip),
            skip_density=self.skip_density,
            dtype=dtype,
            storage=self.storage,
            weights=self.weights,
            signals=self.weights,
            folder=folder if self.on_disk else None,
            seed=self.seed,
            threads=threads,
            progress=progress,
        )

    def training_options(self) -> TrainingOptions:
        """What a Trainer of this recipe is given, and workers of it are."""
        own = self.resolved()
        made: dict[str, Any] = {
            "optimizer": self.make_optimizer(),
            "layer_rates": self.make_layer_rates(),
            "evolution": self.make_evolution(),
            "augmentation": self.make_augmentation(),
        }
        given = {each.name: getattr(own, each.name) for each in fields(TrainingOptions) if each.name not in made}
        return TrainingOptions(**made, **given)

    def trainer(
        self,
        net: SparseMLP,
        *,
        parallel: WASAP | None = None,
        optimizer_state: Sequence[OptimizerState] | None = None,
        threads: int | None = None,
    ) -> Trainer:
        """A trainer of `net`.

        Args:
            net: the network, whose parameters change in place.
            parallel: how workers share the training; see make_parallel.
            optimizer_state: state of an earlier trainer to go on with; None: zero.
            threads: of the kernels; None: the network's.

        Returns:
            The trainer, which has made no update yet.
        """
        options = self.training_options().as_arguments()
        return Trainer(net, **options, parallel=parallel, optimizer_state=optimizer_state, threads=threads)

    def plan_request(self, layer_sizes: Sequence[int]) -> PlanRequest:
        """What to ask trulysparse.planning for, with layers from input to output."""
        sparsity = self.sparsity
        return PlanRequest(
            tuple(layer_sizes),
            sparsity.pop("epsilon"),
            known(self.resolved().batch_size),
            self.storage,
            self.precision,
            self.precision,
            self.make_optimizer(),
            self.recompute,
            self.on_disk,
            activations.needs_pre_activation(activations.on_layer(self.make_activation(), 1)),
            self.micro_batch_size,
            **sparsity,
            skip=known(self.resolved().skip),
            skip_density=self.skip_density,
        )

    @classmethod
    def for_data(cls, X: Any, y: Any, **changes: Any) -> Self:
        """The recipe that the defaults give for these samples; see recipe.defaults.

        Args:
            X: (n_samples, n_features), NumPy, SciPy sparse or DataFrame.
            y: labels (n_samples,), integers or texts; or targets: numbers, or 0 and 1 of several labels (n_samples, k).
            **changes: fields that are to have another value.

        Returns:
            The recipe, with a value for each option.

        Example:
            >>> import numpy as np
            >>> X, y = np.random.default_rng(0).normal(size=(60, 500)), np.arange(60) % 3
            >>> recipe = Recipe.for_data(X, y, epochs=5)
            >>> recipe.n_estimators, recipe.epochs, recipe.batch_size
            (5, 5, 16)
        """
        if len(getattr(X, "shape", ())) != 2:
            raise InputError("X must have shape (n_samples, n_features)")
        targets = y if hasattr(y, "dtype") and hasattr(y, "ndim") else np.asarray(y)
        if targets.ndim == 2 and targets.shape[1] > 1 and targets.dtype.kind in "iub":
            kind = "multilabel"
        else:
            kind = "regression" if targets.dtype.kind == "f" else "classification"
        return cls(**changes).resolved(DataSize(X.shape[0], X.shape[1], kind), tuple(changes))

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """The recipe of a preset; see presets.PRESETS.

        Args:
            name: of the preset.
            **changes: fields that are to have another value.

        Returns:
            The recipe.

        Raises:
            InputError: where there is no preset of that name.

        Example:
            >>> recipe = Recipe.preset("fashion-mnist-5min", epochs=2)
            >>> recipe.epochs
            2
        """
        return cls(**{**preset(name).values, **changes})

    # ---- JSON ----

    def to_json(self) -> dict[str, Any]:
        """The fields as values that JSON knows, by name.

        Raises:
            InputError: where a field is an object (an optimizer, say) in the place of a name.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in values.items():
            if not isinstance(value, str | int | float | tuple | None):
                raise InputError(f"{self.spelled(name)} must be a name to be written as JSON, not {value!r}")
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The recipe that `to_json` gave, or that an earlier version did: names that are no fields are passed over,
        and what is missing has its default, or what took its place in those versions.

        Raises:
            ValueError: where a value is of another type than the field.
        """
        return cls(**checked_fields(cls, {**EARLIER, **values}))
