"""The fields of a recipe: every option once, with its default and its help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trulysparse.connectivity import CONNECTIVITY_NAMES
from trulysparse.connectivity.counts import DEFAULT_EPSILON, DIVISIONS
from trulysparse.connectivity.network_patterns import AnyPattern
from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.data.scaling_figures import KINDS
from trulysparse.evolution import NAMES, WITH_ZETA, Evolution
from trulysparse.nn import activations
from trulysparse.nn.activations import Activation
from trulysparse.nn.losses.make import BY_NAME
from trulysparse.optim import LayerRates, Optimizer, SuPar
from trulysparse.optim.adam import Adam
from trulysparse.parallel import WASAP


def option(default: Any, help: str, *flags: str, **more: Any) -> Any:
    """A field with what the command line needs to know of it. flags: its names there, where not --the-fields-name."""
    return field(default=default, metadata={"help": help, "flags": flags, **more})


@dataclass(frozen=True)
class RecipeOptions:
    """The options of a network and its training; see Recipe."""

    scale: str = option("standard", f"{', '.join(KINDS)}: scaling of inputs with the training set's figures.")
    hidden: tuple[int, ...] = option((1000, 1000, 1000), "Hidden layer sizes.")
    epsilon: float = option(DEFAULT_EPSILON, "A layer n_in x n_out has epsilon * (n_in + n_out) connections.")
    density: float | tuple[float, ...] | None = option(
        None,
        "In the place of epsilon: share of the dense network's connections, or one per layer: 0.01,0.01,1.",
        numbers=True,
    )
    densities: str = option("erk", f"How one density is divided among layers: {' or '.join(DIVISIONS)}.")
    output_density: float | None = option(
        None, "The output layer's own density, 1: dense; density or epsilon is then that of the others."
    )
    connectivity: str | AnyPattern = option("erdos_renyi", f"At the start: {', '.join(CONNECTIVITY_NAMES)}.")
    activation: str | Activation = option("all_relu", f"{', '.join(activations.NAMES)}.")
    alpha: float | None = option(None, "Left slope of all_relu (default 0.6) and leaky_relu (0.01).")
    init: str = option("he_uniform", "he_uniform, xavier_uniform or normal.")
    fan: str = option("dense", "Fan of the initial weights: dense (n_in) or sparse (inputs of each neuron).")
    balance: bool = option(True, "Scale the output layer's initial weights to make up for what hidden layers lose.")
    skip: bool = option(False, "A sparse layer from the inputs straight to the outputs, beside the hidden layers.")
    skip_density: float | None = option(None, "Of --skip: share of its possible connections. Default: by epsilon.")
    storage: str = option("indexed", "indexed, or compact: for millions of neurons, half the memory and time.")
    precision: str = option("float32", "Of weights and activations: float32 or, with compact storage, bfloat16.")
    on_disk: bool = option(False, "Layers live in files in the run folder (compact storage).")
    evolution: str | Evolution | None = option("set", f"{', '.join(NAMES)}: how the topology changes.")
    zeta: float = option(0.3, f"{', '.join(WITH_ZETA)}: fraction of connections replaced after each epoch.")
    evolve_until: float = option(1.0, f"{', '.join(WITH_ZETA)}: share of the training after which the topology stays.")
    percolate: bool = option(
        False, "Evolution also removes connections that no path from an input to an output goes through."
    )
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
    layer_rates: str | LayerRates | None = option(
        None, "supar: the learning rate of a layer falls with its neurons' inputs. Default: one rate."
    )
    base_fan_in: float = option(SuPar.base_fan_in, "supar: inputs of a neuron at which the learning rate holds.")
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
    def weights(self) -> str | None:
        """The type of weights and activations where it is not the default."""
        return None if self.precision == "float32" else self.precision

    @property
    def is_parallel(self) -> bool:
        """Whether workers share the training."""
        return self.workers > 1 or self.parallel is not None

    @property
    def sparsity(self) -> dict[str, Any]:
        """What says how many connections layers get, as SparseMLP takes it."""
        epsilon = None if self.density is not None else self.epsilon
        names = "density", "densities", "output_density"
        return {"epsilon": epsilon, **{name: getattr(self, name) for name in names}}

    @property
    def monitor(self) -> str:
        """The loss whose improvement `patience` waits for."""
        return "loss"

    def spelled(self, name: str, value: str | None = None) -> str:
        """How users write an option (with a value): here as an argument; see cli._settings for the command line."""
        return name if value is None else f"{name}={value!r}"
