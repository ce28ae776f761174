"""Recipe: a network, its optimizer, its evolution and its training as one value.

The command line makes its options of the fields (name, type, default, help), the estimators make a Recipe of their
parameters, and config.json holds one; so an option is written here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import Any, Self

from trulysparse._core import checks
from trulysparse._core.progress import Progress, silent
from trulysparse._core.typed import checked_fields
from trulysparse.connectivity import PATTERNS
from trulysparse.data.scaling_figures import KINDS
from trulysparse.errors import InputError
from trulysparse.evolution import NAMES, Evolution, make_evolution
from trulysparse.nn import activations
from trulysparse.nn.activations import Activation
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.nn.losses.make import BY_NAME
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import Optimizer, OptimizerState, check_optimizer
from trulysparse.optim.adam import FRESH_STATES, Adam
from trulysparse.optim.schedules import CosineRate, LearningRate
from trulysparse.optim.sgd import SGD
from trulysparse.parallel import WASAP, WASSP
from trulysparse.planning.plan import PlanRequest
from trulysparse.pruning import ImportancePruning
from trulysparse.training import Callback, EarlyStopping, Trainer
from trulysparse.training.options import TrainingOptions


def option(default: Any, help: str, *flags: str, **more: Any) -> Any:
    """A field with what the command line needs to know of it. flags: its names there, where not --the-fields-name."""
    return field(default=default, metadata={"help": help, "flags": flags, **more})


@dataclass(frozen=True)
class Recipe:
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

    scale: str = option("standard", f"{', '.join(KINDS)}: scaling of inputs with the training set's figures.")
    hidden: tuple[int, ...] = option((1000, 1000, 1000), "Hidden layer sizes.")
    epsilon: float = option(20.0, "A layer n_in x n_out has epsilon * (n_in + n_out) connections.")
    density: float | None = option(None, "In the place of epsilon: share of the dense network's connections.")
    connectivity: str = option("erdos_renyi", f"At the start: {', '.join(PATTERNS)}.")
    activation: str | Activation = option("all_relu", f"{', '.join(activations.NAMES)}.")
    alpha: float | None = option(None, "Left slope of all_relu (default 0.6) and leaky_relu (0.01).")
    init: str = option("he_uniform", "he_uniform, xavier_uniform or normal.")
    fan: str = option("dense", "Fan of the initial weights: dense (n_in) or sparse (connections per neuron).")
    balance: bool = option(True, "Scale the output layer's initial weights to make up for what hidden layers lose.")
    skip: bool = option(False, "A sparse layer from the inputs straight to the outputs, beside the hidden layers.")
    skip_density: float | None = option(None, "Of --skip: share of its possible connections. Default: by epsilon.")
    storage: str = option("indexed", "indexed, or compact: for millions of neurons, half the memory and time.")
    precision: str = option("float32", "Of weights and activations: float32 or, with compact storage, bfloat16.")
    on_disk: bool = option(False, "Layers live in files in the run folder (compact storage).")
    evolution: str | Evolution | None = option("set", f"{', '.join(NAMES)}: how the topology changes.")
    zeta: float = option(0.3, "set: fraction of connections replaced after each epoch.")
    evolve_until: float = option(1.0, "set: share of the training after which the topology stays.")
    importance_pruning: float = option(
        0.0, "Percentile of hidden neurons to remove at each importance pruning; 0: none."
    )
    importance_start: int = option(200, "First epoch after which to prune by importance.")
    importance_every: int = option(10, "Epochs between prunings by importance.")
    epochs: int = option(50, "Passes over the training samples.")
    batch_size: int = option(128, "Samples per update.")
    micro_batch_size: int | None = option(
        None, "Samples taken at a time; their gradients add up to the batch's. Default: as kernels are fastest."
    )
    max_gradient_norm: float | None = option(None, "Scale gradients of a greater norm down to this. Default: never.")
    recompute: int = option(1, "Keep each n-th layer's activations, compute others again on the way back; 1: keep all.")
    loss: str | None = option(None, f"{', '.join(BY_NAME)}. Default: by what is predicted.")
    optimizer: str | Optimizer = option("sgd", "sgd or adam.")
    learning_rate: float = option(0.01, "Learning rate.")
    schedule: str = option("constant", "constant or cosine.")
    warmup: float = option(0.0, "Epochs of linear warm-up (cosine).")
    momentum: float = option(0.9, "Momentum (sgd); 0: none, and no optimizer state.")
    momentum_precision: str | None = option(None, "Of optimizer state: float32 or, with compact storage, bfloat16.")
    nesterov: bool = option(False, "Nesterov momentum (sgd).")
    weight_decay: float = option(0.0, "Weight decay.")
    weight_decay_mode: str | None = option(
        None, "l2 (default of sgd), decoupled (of adam), or direct: not multiplied by the learning rate."
    )
    fresh_state: str = option(Adam.fresh_state, "Adam's state of connections that evolution adds: zero or typical.")
    dropout: float = option(0.0, "Share of hidden activations dropped.")
    input_noise: float = option(
        0.0, "Deviation of normal noise added to the inputs in training, in units of the scaled features."
    )
    input_dropout: float = option(0.0, "Share of the inputs set to 0 in training.")
    patience: int | None = option(
        None, "Stop after this many epochs without a better loss of training or, where held out, validation samples."
    )
    seed: int = option(0, "Same seed, same network, whatever the number of threads.")
    workers: int = option(1, "More than one: parallel training, on one thread each.")
    parallel: str | WASAP | None = option(
        None, "wasap (asynchronous, default with several workers) or wassp (synchronous)."
    )
    phase1_epochs: int | None = option(None, "Epochs that workers train together. Default: 70 %; then each alone.")
    backend: str = option("threads", "Where workers run: threads or ray (extra 'ray').")

    # ---- what it stands for ----

    @property
    def weights(self) -> str | None:
        """The type of weights and activations where it is not the default."""
        return None if self.precision == "float32" else self.precision

    @property
    def is_parallel(self) -> bool:
        """Whether workers share the training."""
        return self.workers > 1 or self.parallel is not None

    @property
    def monitor(self) -> str:
        """The loss whose improvement `patience` waits for."""
        return "loss"

    def make_activation(self) -> Activation:
        """The hidden layers' activation."""
        return activations.make_activation(self.activation, self.alpha)

    def make_optimizer(self) -> Optimizer:
        """The optimizer, with its schedule."""
        if not isinstance(self.optimizer, str):
            check_optimizer(self.optimizer, self.spelled("optimizer"))
            return self.optimizer
        name = checks.choice(self.spelled("optimizer"), self.optimizer, ("sgd", "adam"))
        rate: LearningRate | float = self.learning_rate
        if checks.choice(self.spelled("schedule"), self.schedule, ("constant", "cosine")) == "cosine":
            rate = CosineRate(self.learning_rate, warmup=self.warmup)
        decay, state = self.weight_decay, self.momentum_precision
        if name == "adam":
            mode = self.weight_decay_mode or Adam.weight_decay_mode
            return Adam(rate, weight_decay=decay, weight_decay_mode=mode, state=state, fresh_state=self.fresh_state)
        mode = self.weight_decay_mode or SGD.weight_decay_mode
        return SGD(rate, self.momentum, self.nesterov, decay, mode, state)

    def make_evolution(self) -> Evolution | None:
        """How the topology changes, or None."""
        if self.evolution is None or isinstance(self.evolution, Evolution):
            return self.evolution
        until = None if self.evolve_until == 1 else self.evolve_until
        return make_evolution(self.evolution, zeta=self.zeta, until=until, argument=self.spelled("evolution"))

    def make_parallel(
        self, *, address: str | None = None, data: Callable[[], tuple[Any, Any]] | None = None
    ) -> WASAP | None:
        """How workers share the training, or None.

        Args:
            address: of a running Ray cluster; None: a local one is started.
            data: what workers on a cluster call for their samples; None: arrays travel.

        Returns:
            The configuration, or None where one process trains alone.
        """
        if isinstance(self.parallel, WASAP):
            return self.parallel
        if not self.is_parallel:
            return None
        name = checks.choice(self.spelled("parallel"), self.parallel or "wasap", ("wasap", "wassp"))
        kind = WASSP if name == "wassp" else WASAP
        data = data if self.backend == "ray" else None
        return kind(self.workers, self.phase1_epochs, backend=self.backend, address=address, data=data)

    def make_callbacks(self) -> list[Callback]:
        """Importance pruning and early stopping, where they are asked for."""
        callbacks: list[Callback] = []
        if self.importance_pruning:
            start, every = self.importance_start, self.importance_every
            callbacks.append(ImportancePruning(self.importance_pruning, start=start, every=every))
        if self.patience is not None:
            callbacks.append(EarlyStopping(self.monitor, patience=self.patience))
        return callbacks

    def network(
        self,
        n_inputs: int,
        n_outputs: int,
        *,
        output: str = "softmax",
        dtype: str = "float32",
        folder: str | PathLike[str] | None = None,
        threads: int | None = None,
        progress: Progress = silent,
    ) -> SparseMLP:
        """A fresh network.

        Args:
            n_inputs: features, at least 1.
            n_outputs: classes or targets, at least 1.
            output: 'softmax', 'sigmoid' or 'identity'.
            dtype: 'float32' or 'float64'.
            folder: where layers live on disk, if on_disk.
            threads: of the kernels; None: all of this machine's.
            progress: told how many connections are made.

        Returns:
            The network, without labels and scaling.
        """
        return SparseMLP(
            (n_inputs, *self.hidden, n_outputs),
            epsilon=self.epsilon,
            density=self.density,
            connectivity=self.connectivity,
            activation=self.make_activation(),
            output=output,
            init=self.init,
            fan=self.fan,
            balance=self.balance,
            skip=self.skip,
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
        made: dict[str, Any] = {"optimizer": self.make_optimizer(), "evolution": self.make_evolution()}
        given = {each.name: getattr(self, each.name) for each in fields(TrainingOptions) if each.name not in made}
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
        """What to ask trulysparse.planning for, with layers from input to output.

        Raises:
            InputError: where density takes epsilon's place, for which there is no plan.
        """
        if self.density is not None:
            raise InputError(f"{self.spelled('density')} has no plan; give epsilon")
        return PlanRequest(
            tuple(layer_sizes),
            self.epsilon,
            self.batch_size,
            self.storage,
            self.precision,
            self.precision,
            self.make_optimizer(),
            self.recompute,
            self.on_disk,
            activations.needs_pre_activation(activations.on_layer(self.make_activation(), 1)),
            self.micro_batch_size,
            self.skip,
            self.skip_density,
        )

    # ---- checks ----

    def spelled(self, name: str, value: str | None = None) -> str:
        """How users write an option (with a value): here as an argument; see cli._settings for the command line."""
        return name if value is None else f"{name}={value!r}"

    def check(self, given: Collection[str] = ()) -> None:
        """Refuses options that are out of range or do not go together.

        Args:
            given: names of the options that the user wrote; none of those may be without effect.

        Raises:
            InputError: a sentence that names the option.
        """
        for size in self.hidden:
            checks.integer(self.spelled("hidden"), size, low=1)
        for name, low in (("epochs", 1), ("seed", 0), ("workers", 1)):
            checks.integer(self.spelled(name), getattr(self, name), low=low)
        checks.real(self.spelled("zeta"), self.zeta, low=0, high=1)
        checks.real(self.spelled("evolve_until"), self.evolve_until, low=0, high=1, low_open=True)
        checks.real(self.spelled("input_noise"), self.input_noise, low=0)
        checks.real(self.spelled("input_dropout"), self.input_dropout, low=0, high=1, high_open=True)
        if self.skip_density is not None:
            checks.real(self.spelled("skip_density"), self.skip_density, low=0, high=1, low_open=True)
        checks.choice(self.spelled("backend"), self.backend, ("threads", "ray"))
        checks.choice(self.spelled("scale"), self.scale, KINDS)
        if self.loss is not None:
            checks.choice(self.spelled("loss"), self.loss, tuple(BY_NAME))
        checks.choice(self.spelled("fresh_state"), self.fresh_state, FRESH_STATES)
        self._check_combinations()
        for name, need, met in self._needs():
            if name in given and not met:
                raise InputError(f"{self.spelled(name)} {need}")
        self.make_optimizer()
        self.make_evolution()
        self.make_activation()
        self.make_callbacks()
        WeightInit(self.init, self.fan, self.balance)
        StorageConfig.create(self.storage, self.weights, self.weights, None, "float32")

    def _check_combinations(self) -> None:
        compact, spelled = self.storage == "compact", self.spelled
        if self.parallel is not None and not isinstance(self.parallel, WASAP):
            checks.choice(spelled("parallel"), self.parallel, ("wasap", "wassp"))
        if self.on_disk and not compact:
            raise InputError(f"{spelled('on_disk')} needs {spelled('storage', 'compact')}")
        if self.on_disk and self.skip:
            raise InputError(f"{spelled('skip')} cannot be combined with {spelled('on_disk')}")
        if self.skip_density is not None and not self.skip:
            raise InputError(f"{spelled('skip_density')} needs {spelled('skip')}")
        if self.momentum_precision == "bfloat16" and not compact:
            raise InputError(f"{spelled('momentum_precision', 'bfloat16')} needs {spelled('storage', 'compact')}")
        if self.importance_pruning and compact:
            raise InputError(
                f"{spelled('importance_pruning')} needs {spelled('storage', 'indexed')}: a compact network keeps its "
                "neurons"
            )
        if self.importance_pruning and self.importance_start > self.epochs:
            raise InputError(
                f"{spelled('importance_pruning')} would begin after epoch {self.importance_start} only "
                f"({spelled('importance_start')}), but {spelled('epochs')} is {self.epochs}"
            )

    def _needs(self) -> list[tuple[str, str, bool]]:
        """(option, what is to be said where it has no effect, whether it has one), of those that depend on others."""
        spelled, sgd = self.spelled, self.optimizer == "sgd"
        workers = f"is for parallel training: give {spelled('workers')} too"
        pruning = f"needs {spelled('importance_pruning')} above 0", bool(self.importance_pruning)
        sloped = self.activation in ("all_relu", "leaky_relu")
        return [
            ("backend", workers, self.is_parallel),
            ("phase1_epochs", workers, self.is_parallel),
            ("epsilon", f"cannot be combined with {spelled('density')}, which takes its place", self.density is None),
            ("alpha", f"needs an {spelled('activation')} with a slope: all_relu or leaky_relu", sloped),
            ("fan", f"needs {spelled('init', 'he_uniform')} or xavier_uniform", self.init != "normal"),
            ("zeta", f"needs {spelled('evolution', 'set')}", self.evolution == "set"),
            ("evolve_until", f"needs {spelled('evolution', 'set')}", self.evolution == "set"),
            ("importance_start", *pruning),
            ("importance_every", *pruning),
            ("warmup", f"needs {spelled('schedule', 'cosine')}", self.schedule == "cosine"),
            ("momentum", f"needs {spelled('optimizer', 'sgd')}", sgd),
            ("nesterov", f"needs {spelled('optimizer', 'sgd')}", sgd),
            ("momentum_precision", f"needs a {spelled('momentum')} above 0", not sgd or self.momentum > 0),
            ("weight_decay_mode", f"needs {spelled('weight_decay')} above 0", self.weight_decay > 0),
            ("fresh_state", f"needs {spelled('optimizer', 'adam')}", self.optimizer == "adam"),
            ("fresh_state", f"needs an {spelled('evolution')} other than none", self.evolution not in (None, "none")),
        ]

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
        and what is missing has its default.

        Raises:
            ValueError: where a value is of another type than the field.
        """
        return cls(**checked_fields(cls, values))
