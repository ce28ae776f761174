"""How an autoencoder comes to its network: parameters, training, more training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.progress import Progress
from trulysparse.connectivity.counts import is_per_layer
from trulysparse.data import Matrix
from trulysparse.data.scaling_figures import ScalingFigures
from trulysparse.errors import InputError
from trulysparse.estimators._members import Members
from trulysparse.estimators._rescaling import rescale_outputs
from trulysparse.estimators._sizes import hidden_sizes
from trulysparse.estimators._warm_start import check_same, joined
from trulysparse.io.parameters import require_same
from trulysparse.nn.activations import make_activation
from trulysparse.nn.losses import BinaryCrossEntropy
from trulysparse.nn.mlp import SparseMLP
from trulysparse.training import History, Trainer
from trulysparse.unsupervised import _autoencoder_settings as settings
from trulysparse.unsupervised._base import UnsupervisedTransformer
from trulysparse.unsupervised._epochs import EpochProgress
from trulysparse.unsupervised._trainer_state import restore_trainer, trainer_arrays, trainer_settings
from trulysparse.unsupervised.boltzmann.ranges import check_shares

# What no later call of fit changes.
_MADE_OF = ("hidden_layer_sizes", "epsilon", "density", "tied", "activation", "alpha", "output", "scale", "dtype")


class _Start(NamedTuple):
    """What a training begins with."""

    net: SparseMLP
    members: Members
    figures: ScalingFigures | None


class AutoencoderTraining(UnsupervisedTransformer):
    """The training of a SparseAutoencoder, which has the parameters."""

    hidden_layer_sizes: int | Sequence[int]
    epsilon: float | None
    density: float | Sequence[float] | None
    tied: bool
    activation: Any
    alpha: float | None
    output: str
    loss: Any
    reduction: str
    corruption: str | None
    noise: float
    redraw: bool
    evolution: Any
    zeta: float
    optimizer: Any
    learning_rate: float | None
    momentum: float
    weight_decay: float
    dropout: float
    batch_size: int
    epochs: int | None
    scale: str
    init: str
    fan: str
    dtype: str
    warm_start: bool

    network_: SparseMLP
    history_: History
    n_iter_: int
    loss_: float
    _members: Members
    _figures: ScalingFigures | None

    def _fit(self, X: Any) -> Self:
        warm = checks.flag("warm_start", self.warm_start) and hasattr(self, "network_")
        made_of = self._made_of()
        if warm:
            check_same(self._network_made_of, made_of)
            self._require_writable(self.network_)
        self._check()
        with self._unchanged_by_errors():
            matrix = self._samples(X, reset=not warm)
            with self._reporting() as tell:
                self._check_targets(matrix)
                start = self._go_on(self._seed()) if warm else self._start(matrix, tell)
                trainer = start.members.trainers[0]
                epochs = self.epochs
                if epochs is None:
                    epochs = settings.default_epochs(matrix.n_samples, trainer.batch_size)
                samples: Any = matrix  # targets are the very samples
                history = trainer.fit(samples, samples, epochs=epochs, callbacks=[EpochProgress(tell)])
            self._take(start, joined(self.history_, history) if warm else history)
        return self

    def _partial_fit(self, X: Any) -> Self:
        self._check()
        if hasattr(self, "network_"):
            return self._one_more_pass(X)
        with self._unchanged_by_errors():
            matrix = self._samples(X, reset=True)
            self._check_targets(matrix)
            with self._reporting() as tell:
                start = self._start(matrix, tell)
            self._pass(start, matrix, History())
        return self

    def _one_more_pass(self, X: Any) -> Self:
        """A call of partial_fit after others."""
        require_same(self._network_made_of, self._made_of())
        net, trainer = self.network_, self._members.trainers[0]
        self._require_writable(net)
        matrix = self._samples(X, reset=False)
        self._check_targets(matrix)
        learned = [*trainer_arrays(trainer).values(), *(each for a in net.layers for each in (a.values, a.bias))]
        scaling, figures = (net.scaling, net.target_scaling), copy.deepcopy(self._figures)
        with self._unchanged_by_errors(learned):
            self._figures = figures
            try:
                self._rescale(matrix)
                self._pass(self._go_on(trainer.seed), matrix, self.history_)
            except BaseException:
                net.scaling, net.target_scaling = scaling
                raise
        return self

    def _pass(self, start: _Start, matrix: Matrix, before: History) -> None:
        """One epoch without evolution, after those of `before`."""
        done, epochs = len(before), max(self.epochs or 0, len(before) + 1)
        now = start.members.one_pass(matrix, matrix, done=done, epochs=epochs, threads=self._threads())
        self._take(start, joined(before, now))

    # ---- pieces ----

    def _check(self) -> None:
        """Refuses parameters that are out of range, before anything is changed."""
        if self.epochs is not None:
            checks.integer("epochs", self.epochs, low=1)
        checks.choice("dtype", self.dtype, ("auto", "float32", "float64"))
        if self.epsilon is not None:
            checks.real("epsilon", self.epsilon, low=0, low_open=True)
        if self.density is not None and self.epsilon not in (None, type(self).epsilon):
            raise InputError("epsilon must be left as it is where density is given, which takes its place")
        settings.loss_of(self.loss, self.output, self.reduction)
        settings.scale_of(self.scale, self.output)
        settings.corruption_of(self.corruption, self.noise, self.redraw, self.batch_size)
        settings.optimizer_of(self.optimizer, self.learning_rate, self.momentum, self.weight_decay)
        settings.evolution_of(self.evolution, self.zeta, self.tied)
        make_activation(self.activation, self.alpha)
        checks.integer("batch_size", self.batch_size, low=1)
        self._threads()

    def _made_of(self) -> dict[str, Any]:
        """What the network depends on, by name."""
        return {name: getattr(self, name) for name in _MADE_OF} | {"hidden_layer_sizes": self._hidden()}

    def _hidden(self) -> tuple[int, ...]:
        """The layers up to the code."""
        sizes = hidden_sizes(self.hidden_layer_sizes)
        if not sizes:
            raise InputError("hidden_layer_sizes must name at least one layer, the code")
        return sizes

    def _network(self, matrix: Matrix, seed: int, tell: Progress) -> SparseMLP:
        """A fresh network for samples like these."""
        hidden, n = self._hidden(), matrix.n_features
        dtype = self.dtype
        if dtype == "auto":
            given = getattr(matrix.x, "dtype", None)
            dtype = "float64" if given == np.float64 else "float32"
        density = self.density
        if is_per_layer(density):
            density = tuple(checks.listed("density", density, "numbers"))
        net = SparseMLP(
            (n, *hidden, *hidden[-2::-1], n),
            epsilon=self.epsilon if density is None else None,
            density=density,
            activation=make_activation(self.activation, self.alpha),
            output=self.output,
            init=self.init,
            fan=self.fan,
            tied=self.tied,
            dtype=dtype,
            seed=seed,
            threads=self._threads(),
            progress=tell,
        )
        net.preprocessor = self.preprocessor_
        if self.preprocessor_ is None:
            net.feature_names = getattr(self, "feature_names_in_", None)
        return net

    def _trainer(self, net: SparseMLP, seed: int) -> Trainer:
        return Trainer(
            net,
            optimizer=settings.optimizer_of(self.optimizer, self.learning_rate, self.momentum, self.weight_decay),
            loss=settings.loss_of(self.loss, self.output, self.reduction),
            evolution=settings.evolution_of(self.evolution, self.zeta, self.tied),
            batch_size=self.batch_size,
            dropout=self.dropout,
            seed=seed,
            **settings.corruption_of(self.corruption, self.noise, self.redraw, self.batch_size),
        )

    def _start(self, matrix: Matrix, tell: Progress) -> _Start:
        """A fresh network and its trainer."""
        seed = self._seed()
        net = self._network(matrix, seed, tell)
        trainer = self._trainer(net, seed)
        kind = settings.scale_of(self.scale, self.output)
        figures = None if kind == "none" else ScalingFigures(kind, matrix.n_features)
        net.scaling = net.target_scaling = self._scaling(figures, matrix)
        return _Start(net, Members([trainer]), figures)

    def _check_targets(self, matrix: Matrix) -> None:
        """InputError where unscaled samples are no targets of the cross-entropy."""
        loss = settings.loss_of(self.loss, self.output, self.reduction)
        if self.output == "sigmoid" and self.scale == "none" and isinstance(loss, BinaryCrossEntropy):
            check_shares(matrix, "outputs of output='sigmoid' lie from 0 to 1: give scale='auto'")

    def _take(self, start: _Start, history: History) -> None:
        """Keeps what a training has made, once it has ended well."""
        self._members, self._figures, self._network_made_of = start.members, start.figures, self._made_of()
        self._n_features_out, self.network_ = self._hidden()[-1], start.net
        self._note(history)

    def _go_on(self, seed: int) -> _Start:
        """A trainer with this call's settings for the network of the call before."""
        self.network_.threads = self._threads()
        members = Members([self._trainer(self.network_, seed)])
        return _Start(self.network_, members.go_on_from(self._members), self._figures)

    def _rescale(self, matrix: Matrix) -> None:
        """Takes the samples into the figures of the scaling, and carries over what was learned."""
        net, old, figures = self.network_, self.network_.scaling, self._figures
        if old is None or figures is None:
            return
        new = self._scaling(figures, matrix)
        assert new is not None
        if not self.tied:
            self._members.rescale(new)
            assert net.scaling is not None
            new = net.scaling
            if net.output == "identity":
                learned = old.factor > 0
                ratio = np.where(learned, new.factor / np.where(learned, old.factor, 1.0), 1.0)
                offset = np.where(learned, (old.offset - new.offset) * new.factor, 0.0)
                rescale_outputs(net, ratio, offset)
        net.scaling = net.target_scaling = new

    def _note(self, history: History) -> None:
        self.history_ = history
        self.n_iter_ = int(history["epoch"][-1])
        self.loss_ = history["loss"][-1]

    # ---- files ----

    def _saved(self) -> tuple[dict[str, SparseMLP], dict[str, NDArray[Any]], dict[str, Any]]:
        trainer, figures = self._members.trainers[0], self._figures
        problem = "has changed since the training: call fit before, or set it back"
        require_same(self._network_made_of, self._made_of(), problem)
        optimizer = settings.optimizer_of(self.optimizer, self.learning_rate, self.momentum, self.weight_decay)
        was, now = ({"optimizer": (type(each).__name__, each.n_slots)} for each in (trainer.optimizer, optimizer))
        require_same(was, now, problem)
        arrays = trainer_arrays(trainer)
        config: dict[str, Any] = {"trainer": trainer_settings(trainer), "scale": None}
        if figures is not None:
            arrays |= {f"figures.{name}": array for name, array in figures.arrays().items()}
            config["scale"] = figures.kind
        return {"network": self.network_}, arrays, {**config, "history": self.history_.records}

    def _restore(self, networks: dict[str, SparseMLP], arrays: dict[str, NDArray[Any]], config: dict[str, Any]) -> None:
        net = networks["network"]
        hidden = self._hidden()
        n = net.layer_sizes[0]
        if net.layer_sizes != (n, *hidden, *hidden[-2::-1], n):
            raise InputError(f"the network must be one of hidden_layer_sizes={hidden}, not {net.sizes_text}")
        net.preprocessor = self.preprocessor_
        figures = None
        if config["scale"] is not None:
            found = {name.removeprefix("figures."): array for name, array in arrays.items()}
            figures = ScalingFigures.of(config["scale"], found, n)
        trainer = self._trainer(net, checks.integer("seed", config["trainer"]["seed"], low=0))
        restore_trainer(trainer, arrays, config["trainer"])
        self._take(_Start(net, Members([trainer]), figures), History(config["history"]))
