"""What a network is besides its layers."""

from __future__ import annotations

from dataclasses import dataclass, field

from trulysparse.nn.activations import Activation
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.storage import StorageConfig


@dataclass(frozen=True)
class NetworkSettings:
    """What a network is besides its layers: the arguments of SparseMLP of the same names.

    Args:
        epsilon: Erdős-Rényi sparsity that the network started with, of all layers or one each, or None.
        activation: of the hidden layers.
        output: 'softmax', 'sigmoid' or 'identity'.
        init: how new weights are drawn.
        dtype: 'float32' or 'float64'.
        seed: of connectivity and weights.
        threads: None: all of this machine's.
        storage_config: how layers are stored; None: indexed, in memory.
        skip: whether the last of the layers goes from the inputs to the outputs, beside the others.
        tied: whether the last layer has the first one's connections and weights, transposed.
    """

    epsilon: float | tuple[float, ...] | None = None
    activation: Activation | str = "all_relu"
    output: str = "softmax"
    init: WeightInit = field(default_factory=WeightInit)
    dtype: str = "float32"
    seed: int = 0
    threads: int | None = None
    storage_config: StorageConfig | None = None
    skip: bool = False
    tied: bool = False
