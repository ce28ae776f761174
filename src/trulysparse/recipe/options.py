"""The fields of a recipe: every option once, with its default and its help."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, TypeVar

from trulysparse._core.random import stream_key
from trulysparse.connectivity import CONNECTIVITY_NAMES
from trulysparse.connectivity.counts import DIVISIONS
from trulysparse.connectivity.network_patterns import AnyPattern
from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.data.scaling_figures import KINDS
from trulysparse.evolution import NAMES, WITH_ZETA, Evolution
from trulysparse.nn import activations
from trulysparse.nn.activations import Activation
from trulysparse.nn.initialization import RULES
from trulysparse.nn.losses.make import BY_NAME
from trulysparse.optim import LayerRates, Optimizer, SuPar
from trulysparse.optim.adam import Adam
from trulysparse.parallel import WASAP
from trulysparse.recipe.defaults import DataSize, defaults

_T = TypeVar("_T")


def option(default: Any, help: str, *flags: str, **more: Any) -> Any:
    """A field with what the command line needs to know of it. flags: its names there, where not --the-fields-name."""
    return field(default=default, metadata={"help": help, "flags": flags, **more})


def known(value: _T | None) -> _T:
    """The value of an option that depends on the data, of a recipe that is resolved."""
    assert value is not None
    return value


F_SCORE = "f_score"  # first layers drawn by what features say of the targets
BY_DATA = "Default: by the data."
# The options that depend on the data, and those of them that are names, where None is a value.
_NAMED = ("scale", "connectivity", "activation", "fan", "evolution", "optimizer")
DEPENDENT = (
    *_NAMED,
    "hidden",
    "epsilon",
    "evolve_until",
    "n_estimators",
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "dropout",
    "input_dropout",
    "skip",
)


@dataclass(frozen=True)
class RecipeOptions:
    """The options of a network and its training; see Recipe. Those that are None or 'auto' by default and depend on the
    data are chosen in defaults.py."""

    scale: str = option("auto", f"{', '.join(KINDS)}, or auto: scaling of inputs with the training set's figures.")
    hidden: tuple[int, ...] | None = option(None, f"Hidden layer sizes. {BY_DATA}", numbers=True)
    epsilon: float | None = option(None, f"A layer n_in x n_out has epsilon * (n_in + n_out) connections. {BY_DATA}")
    density: float | tuple[float, ...] | None = option(
        None,
        "In the place of epsilon: share of the dense network's connections, or one per layer: 0.01,0.01,1.",
        numbers=True,
    )
    densities: str = option("erk", f"How one density is divided among layers: {' or '.join(DIVISIONS)}.")
    output_density: float | None = option(
        None, "The output layer's own density, 1: dense; density or epsilon is then that of the others."
    )
    connectivity: str | AnyPattern = option(
        "auto", f"At the start: {', '.join(CONNECTIVITY_NAMES)}, {F_SCORE} (by what features say alone) or auto."
    )
    activation: str | Activation = option("auto", f"{', '.join(activations.NAMES)}, or auto.")
    alpha: float | None = option(None, "Left slope of all_relu (default 0.6) and leaky_relu (0.01).")
    init: str = option("he_uniform", f"{', '.join(RULES[:-1])} or {RULES[-1]}.")
    fan: str = option("auto", "Fan of the initial weights: dense (n_in), sparse (inputs of each neuron), or auto.")
    balance: bool = option(True, "Scale the output layer's initial weights to make up for what hidden layers lose.")
    skip: bool | None = option(
        None, f"A sparse layer from the inputs straight to the outputs, beside the hidden layers. {BY_DATA}"
    )
    skip_density: float | None = option(None, "Of --skip: share of its possible connections. Default: by epsilon.")
    storage: str = option("indexed", "indexed, or compact: for millions of neurons, half the memory and time.")
    precision: str = option("float32", "Of weights and activations: float32 or, with compact storage, bfloat16.")
    on_disk: bool = option(False, "Layers live in files in the run folder (compact storage).")
    evolution: str | Evolution | None = option("auto", f"{', '.join(NAMES)}, or auto: how the topology changes.")
    zeta: float = option(0.3, f"{', '.join(WITH_ZETA)}: fraction of connections replaced after each epoch.")
    evolve_until: float | None = option(
        None, f"{', '.join(WITH_ZETA)}: share of the training after which the topology stays. {BY_DATA}"
    )
    fresh: str = option("zero", "set: weights of new connections: zero, or init: drawn as at the start.")
    percolate: bool = option(
        False, "Evolution also removes connections that no path from an input to an output goes through."
    )
    importance_pruning: float = option(
        0.0, "Percentile of hidden neurons to remove at each importance pruning; 0: none."
    )
    importance_start: int = option(200, "First epoch after which to prune by importance.")
    importance_every: int = option(10, "Epochs between prunings by importance.")
    n_estimators: int | None = option(
        None, f"Networks of other seeds whose outputs are averaged: they become one network in the end. {BY_DATA}"
    )
    epochs: int | None = option(None, f"Passes over the training samples. {BY_DATA}")
    batch_size: int | None = option(None, f"Samples per update. {BY_DATA}")
    micro_batch_size: int | None = option(
        None, "Samples taken at a time; their gradients add up to the batch's. Default: as kernels are fastest."
    )
    max_gradient_norm: float | None = option(None, "Scale gradients of a greater norm down to this. Default: never.")
    recompute: int = option(1, "Keep each n-th layer's activations, compute others again on the way back; 1: keep all.")
    loss: str | None = option(None, f"{', '.join(BY_NAME)}. Default: by what is predicted.")
    optimizer: str | Optimizer = option("auto", "sgd, adam or auto.")
    learning_rate: float | None = option(None, f"Learning rate. {BY_DATA}")
    layer_rates: str | LayerRates | None = option(
        None, "supar: the learning rate of a layer falls with its neurons' inputs. Default: one rate."
    )
    base_fan_in: float = option(SuPar.base_fan_in, "supar: inputs of a neuron at which the learning rate holds.")
    rate_exponent: float = option(
        SuPar.exponent, "supar: 1 divides by the inputs, 0.5 by their root (adam, low density)."
    )
    schedule: str = option("constant", "constant or cosine.")
    warmup: float = option(0.0, "Epochs of linear warm-up (cosine).")
    momentum: float = option(0.9, "Momentum (sgd); 0: none, and no optimizer state.")
    momentum_precision: str | None = option(None, "Of optimizer state: float32 or, with compact storage, bfloat16.")
    nesterov: bool = option(False, "Nesterov momentum (sgd).")
    weight_decay: float | None = option(None, f"Weight decay. {BY_DATA}")
    weight_decay_mode: str | None = option(
        None, "l2 (default of sgd), decoupled (of adam), or direct: not multiplied by the learning rate."
    )
    fresh_state: str = option(Adam.fresh_state, "Adam's state of connections that evolution adds: zero or typical.")
    dropout: float | None = option(None, f"Share of hidden activations dropped. {BY_DATA}")
    input_noise: float = option(
        0.0, "Deviation of normal noise added to the inputs in training, in units of the scaled features."
    )
    input_dropout: float | None = option(None, f"Share of the inputs set to 0 in training. {BY_DATA}")
    input_masking: float = option(0.0, "As input dropout, but the other inputs are not scaled up.")
    input_swap: float = option(0.0, "Share of the inputs that become those of another sample of the batch in training.")
    redraw_input_noise: bool = option(
        True, "Draw noise, dropout and masking of inputs anew for each batch, or once for each sample."
    )
    augmentation: str | ImageAugmentation | None = option(
        None,
        "rotation=DEGREES, shift=SHARE, flip, with commas between: images are turned, shifted (as a share of their "
        "height and width) and mirrored at random each time they are trained on.",
        "--augment",
        "--augmentation",
    )
    image_shape: tuple[int, ...] = option(
        (), "Of the samples that are augmented: 28,28 or, with channels, 3,32,32 or 32,32,3."
    )
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

    @property
    def is_open(self) -> bool:
        """Whether options are left that depend on the size of the data (scale='auto' depends on its values)."""
        return any(self._is_open(name) for name in DEPENDENT if name != "scale")

    def _is_open(self, name: str) -> bool:
        value = getattr(self, name)
        if name == "epsilon" and self.density is not None:  # which takes its place
            return False
        return value is None if name not in _NAMED else isinstance(value, str) and value == "auto"

    def resolved(self, data: DataSize | None = None, given: Collection[str] = ()) -> Self:
        """This recipe with a value for each option that depends on the data; see recipe.defaults for the rule.

        Args:
            data: what is known of the data; None: nothing, as for many samples.
            given: names of options that the user wrote, from which others may follow.

        Returns:
            The recipe; options that were given stay.

        Example:
            >>> from trulysparse.recipe import DataSize, Recipe
            >>> recipe = Recipe(epochs=7).resolved(DataSize(n_samples=72, n_features=7129))
            >>> recipe.epochs, recipe.hidden, recipe.optimizer
            (7, (1000,), 'adam')
        """
        if not self.is_open:
            return self
        values = {each.name: getattr(self, each.name) for each in fields(RecipeOptions)}
        chosen = defaults(data, values, given)
        changes = {name: chosen[name] for name in DEPENDENT if self._is_open(name)}
        if "weight_decay" in changes and self.weight_decay_mode is None:
            changes["weight_decay_mode"] = chosen["weight_decay_mode"]
        return replace(self, **changes)

    def member(self, number: int) -> Self:
        """The recipe of one network of an ensemble: of another seed, but for the first.

        Args:
            number: of the network, from 0.

        Example:
            >>> from trulysparse.recipe import Recipe
            >>> [Recipe(seed=5).member(number).seed for number in range(2)]
            [5, 603286250]
        """
        seed = self.seed if number == 0 else stream_key(self.seed, "member", number) >> 33
        return replace(self, seed=seed, n_estimators=1)

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

    @property
    def sparsity(self) -> dict[str, Any]:
        """What says how many connections layers get, as SparseMLP takes it."""
        epsilon = self.resolved().epsilon
        names = "density", "densities", "output_density"
        return {"epsilon": epsilon, **{name: getattr(self, name) for name in names}}

    def spelled(self, name: str, value: str | None = None) -> str:
        """How users write an option (with a value): here as an argument; see cli._settings for the command line."""
        return name if value is None else f"{name}={value!r}"
