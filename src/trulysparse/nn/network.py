"""Network: sparse layers in a row, and what they consist of. Their passes: network_passes.py."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from trulysparse._core import checks
from trulysparse._core.arrays import HELD
from trulysparse.connectivity.indexed import MAX_WIDTH
from trulysparse.data import Scaling
from trulysparse.errors import InputError
from trulysparse.nn import activations, losses
from trulysparse.nn.frozen import FrozenMLP
from trulysparse.nn.layers.base import Layer
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.nn.layers.tied import TiedLayer, check_tied
from trulysparse.nn.network_passes import NetworkPasses
from trulysparse.nn.settings import NetworkSettings
from trulysparse.nn.skip import check_skip_layer, layer_pairs, sizes_of
from trulysparse.nn.soft_update import check_fit, soft_update
from trulysparse.nn.soft_update_all import mixed_in_place
from trulysparse.nn.take_topology import take_topology
from trulysparse.nn.tape_memory import TapePool
from trulysparse.nn.tile_pass import CheckedLayers


class Network(NetworkPasses):
    """Sparse layers in a row, each the input of the next, and where there is a skip layer, one from the inputs to the
    outputs beside them, whose product is added to the last one's before the output activation.

    Args:
        layer_sizes: neurons per layer, input first, output last, each 1 to 2^31 - 1.
        settings: everything else. The network has no layers at first; they are appended to `layers`.

    Attributes:
        layers: the layers, first to last; a skip layer comes after them.
        skip: whether there is a skip layer.
        tied: whether the last layer has the first one's connections and weights, transposed; see TiedLayer.
        scaling: of the input, or None.
        labels: names of the classes in the order of the output neurons, or None for 0, 1, ...
        preprocessor: a fitted TablePreprocessor, which DataFrames go through, or None.
        target_scaling: of output='identity' or 'sigmoid': targets are given, and predictions made, in their own unit,
            and the network is trained on (y - offset) * factor; see fit_target_scaling. That of an autoencoder is its
            `scaling`: trained on (X, X), it learns the scaled samples as they are loaded. None: on y itself.
    """

    epsilon: float | tuple[float, ...] | None
    skip = tied = False  # of networks that were pickled before there were such layers

    def __init__(self, layer_sizes: Sequence[int], settings: NetworkSettings) -> None:
        sizes = checks.listed("layer_sizes", layer_sizes, "integers")
        if len(sizes) < 2:
            raise InputError(f"layer_sizes must name at least an input and an output layer, not {tuple(sizes)}")
        self.layer_sizes = tuple(
            checks.integer(f"layer_sizes[{i}]", n, low=1, high=MAX_WIDTH) for i, n in enumerate(sizes)
        )
        self.activation = activations.make_activation(settings.activation)
        self.output = checks.choice("output", settings.output, tuple(losses.BY_OUTPUT))
        self.init = settings.init
        dtype = checks.choice("dtype", settings.dtype, ("float32", "float64"))
        self.dtype: np.dtype[np.floating] = np.dtype(dtype)
        self.seed = checks.integer("seed", settings.seed, low=0)
        self.threads = checks.thread_count(settings.threads)
        self.storage_config = settings.storage_config or StorageConfig.create("indexed", None, None, None, dtype)
        self.epsilon = _epsilon_of(settings.epsilon, len(self.layer_sizes) - 1)
        self.skip = settings.skip
        self.tied = settings.tied
        if self.tied:
            check_tied(self.layer_sizes, skip=self.skip, tiled=self.storage_config.tiled)
        if self.skip and self.storage_config.folder is not None:
            raise InputError("skip must be False where layers live in a folder")
        self.layers: list[Any] = []  # of Layer; what they offer beyond its common part depends on the storage
        self.scaling = None
        self.labels = None
        self.preprocessor = None
        self.target_scaling = None
        self.checked = CheckedLayers()
        self.tape_pool = TapePool()
        self.n_updates = 0

    @property
    def settings(self) -> NetworkSettings:
        """What a network of other layers needs to be like this one."""
        return NetworkSettings(
            self.epsilon,
            self.activation,
            self.output,
            self.init,
            str(self.dtype),
            self.seed,
            self.threads,
            self.storage_config,
            self.skip,
            self.tied,
        )

    @property
    def chain(self) -> list[Any]:
        """The layers of which each is the input of the next: all but the skip layer."""
        return self.layers[:-1] if self.skip else self.layers

    @property
    def skip_layer(self) -> Any:
        """The layer from the inputs to the outputs, or None."""
        return self.layers[-1] if self.skip else None

    @property
    def n_connections(self) -> int:
        """Stored weights, biases not counted."""
        return sum(layer.n_connections for layer in self.layers)

    @property
    def n_neurons(self) -> int:
        """Neurons that compute: hidden and output ones."""
        return sum(self.layer_sizes[1:])

    @property
    def keeps_pre_activations(self) -> bool:
        """Whether training keeps the hidden layers' pre-activations, for the derivative of their activation."""
        return any(activations.needs_pre_activation(layer.activation) for layer in self.layers)

    @property
    def density(self) -> float:
        """Connections as a share of those of the dense network of these sizes."""
        return float(self.n_connections / sum(layer.n_in * layer.n_out for layer in self.layers))

    @property
    def sizes_text(self) -> str:
        """The layer sizes as '784-1000-10'."""
        return "-".join(map(str, self.layer_sizes))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.sizes_text}, {self.n_connections} connections, density {self.density:.3g}, "
            f"{self.activation}, output={self.output!r}, {self.dtype})"
        )

    # ---- layers ----

    def with_layers(self, layers: Sequence[Layer], storage_config: StorageConfig | None = None) -> Self:
        """A network like this one with other layers.

        Args:
            layers: at least one; a skip layer, where this network has one, last.
            storage_config: how they are stored; None: as this network's.

        Returns:
            The new network; settings, scaling and labels are shared. Of tied ends it has either both, or one as a layer
            of its own that uses the same arrays.

        Raises:
            InputError: where the layers do not fit together.
        """
        if len(layers) <= self.skip:
            raise InputError("layers must have at least one layer" + (" beside the skip layer" if self.skip else ""))
        twin = copy.copy(self)
        twin.checked, twin.tape_pool = CheckedLayers(), TapePool()
        twin.layers, twin.storage_config = list(layers), storage_config or self.storage_config
        twin.tied = self.tied and len(layers) > 1 and isinstance(layers[-1], TiedLayer)
        twin.tied = twin.tied and layers[-1].follows(layers[0])  # type: ignore[attr-defined]
        if self.tied and not twin.tied:
            twin.layers = [layer.untied() if isinstance(layer, TiedLayer) else layer for layer in layers]
        twin.layer_sizes = sizes_of(twin.chain)
        twin.epsilon = _epsilon_of(self.epsilon, len(twin.chain))
        if twin.layer_sizes[0] != self.layer_sizes[0]:
            twin.feature_names = None
        twin.check_layers()
        return twin

    def check_layers(self) -> None:
        """InputError where the layers or the scaling, which may be set from outside, do not fit layer_sizes, the
        storage or each other. Called at each step: what has passed is not looked at again until it is replaced."""
        sizes, config = self.layer_sizes, self.storage_config
        if self.checked.are(self):
            return
        pairs = layer_pairs(sizes, self.skip)
        if len(self.layers) != len(pairs):
            raise InputError(f"layers must have {len(pairs)} entries, not {len(self.layers)}")
        held = HELD[config.weights]
        for number, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise InputError(f"layers[{number}] must be a layer, not {type(layer).__name__}")
            if layer.tiled != config.tiled:
                raise InputError(f"layers[{number}] is not stored as storage={config.kind!r} says")
            if problem := layer.problem(*pairs[number], held, config.weights):
                raise InputError(f"layers[{number}]{'' if problem[0] == '.' else ' '}{problem}")
        if self.skip:
            check_skip_layer(self.layers[-1], len(pairs) - 1)
        if self.tied and not (isinstance(self.layers[-1], TiedLayer) and self.layers[-1].follows(self.layers[0])):
            number = len(pairs) - 1
            raise InputError(f"layers[{number}] is tied to layers[0] but has other weights: let it follow(layers[0])")
        if self.scaling is not None:
            _check_scaling("scaling", self.scaling, sizes[0])
        if self.target_scaling is not None:
            self._check_target_scaling(self.target_scaling)
        if self.preprocessor is not None and getattr(self.preprocessor, "n_features_out_", None) != sizes[0]:
            raise InputError(f"preprocessor must be a fitted TablePreprocessor of {sizes[0]} outputs, one per input")
        self.checked = CheckedLayers(self)

    def _check_target_scaling(self, scaling: Any) -> None:
        if self.output == "softmax":
            raise InputError("target_scaling is for output='identity' or 'sigmoid', not 'softmax'")
        _check_scaling("target_scaling", scaling, self.layer_sizes[-1])
        if not (scaling.factor >= 0).all():
            raise InputError("target_scaling.factor must be at least 0")

    def copy(self) -> Self:
        """A network with weights and biases of its own, in memory.

        Returns:
            The copy. Connectivity, which never changes, is shared.

        Example:
            >>> import trulysparse as ts
            >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
            >>> twin = net.copy()
            >>> twin.layers[0].values[:] = 0
            >>> bool(net.layers[0].values.any())
            True
        """
        return self.with_layers([layer.copy() for layer in self.layers], replace(self.storage_config, folder=None))

    def indexed(self) -> Self:
        """A copy with storage='indexed', for what needs connections indexed by neuron.

        That is analysis, freezing, gradient-based evolution and parallel training.

        Returns:
            The copy, with float32 weights where this network's are bfloat16.

        Example:
            >>> import trulysparse as ts
            >>> net = ts.SparseMLP((4, 8, 2), epsilon=1, storage="compact")
            >>> net.indexed().layers[0].connectivity.by_input.ptr.tolist()[-1] == net.layers[0].n_connections
            True
        """
        return self.with_layers([layer.indexed(self.threads) for layer in self.layers], self.storage_config.indexed())

    soft_updates = 0
    """Soft updates so far. It names the random stream of their rounding where weights are bfloat16."""

    def soft_update(self, source: Network, tau: float) -> None:
        """Draws the weights towards those of another network, as a target network follows the one that learns.

        Each weight becomes w + tau * (w_source - w), where a connection that one of the two networks lacks counts as 0,
        and each bias likewise. Where topologies differ, the connections of both are mixed, and of each layer as many as
        the source has are kept, the largest in magnitude; of equal ones the later in the order of `layer.values`.

        With equal topologies weights are written in place and what is equal stays as it is; with tau=1 the network
        becomes an exact copy. tau=0 changes no weight, but a layer of another topology is still cut to the source's
        number of connections, or filled up to it with weights of 0. Weights in bfloat16 are rounded up or down at
        random, without bias, so that small steps are not lost; the network's seed and `soft_updates`, which counts
        the calls, name the random stream. Works with networks in memory.

        Args:
            source: of the same layer sizes, types and storage; it is not changed, and no weight array is shared with
                it.
            tau: 0 to 1, the share of the source.

        Raises:
            InputError: where the networks do not fit together, or layers lie in files. Nothing has changed then.

        Source:
            Lillicrap et al., "Continuous control with deep reinforcement learning", ICLR 2016, algorithm 1. Sokar et
            al., "Dynamic sparse training for deep reinforcement learning", IJCAI 2022: networks that evolve.

        Example:
            >>> import trulysparse as ts
            >>> online, target = (ts.SparseMLP((4, 8, 2), epsilon=1, seed=seed) for seed in (0, 1))
            >>> target.soft_update(online, 0.005)
            >>> target.n_connections == online.n_connections
            True
            >>> target.soft_update(online, 1)
            >>> bool((target.layers[0].values == online.layers[0].values).all())
            True
        """
        tau = checks.real("tau", tau, low=0, high=1)
        if mixed_in_place((self,), (source,), tau):
            return
        self.check_source(source)
        soft_update(self.layers, source.layers, tau, self.seed, self.soft_updates, self.threads)
        self.soft_updates += 1

    def check_source(self, source: Any) -> None:
        """InputError where a network cannot be the source of a soft update, or of a topology.

        Args:
            source: the network.
        """
        if not isinstance(source, Network):
            raise InputError(f"source must be a network, not {type(source).__name__}")
        self.check_layers()
        source.check_layers()
        if self.tied or source.tied:
            raise InputError("a soft update works on networks without tied ends, and so does taking a topology")
        if self.skip != source.skip:
            raise InputError(f"source must {'have a' if self.skip else 'be without a'} skip layer, as this network")
        check_fit(self.layers, source.layers)

    def take_topology(self, source: Network) -> int:
        """Takes the topology of another network, as a target network does when the one that it follows has evolved.

        Each layer gets the connectivity object of the source's layer. Weights stay where a connection stays, new
        connections start at 0, and biases stay. Optimizer state along the connections of before does not fit any more.

        Args:
            source: of the same layer sizes, types and storage; it is not changed.

        Returns:
            How many connections are new.

        Raises:
            InputError: where the networks do not fit together, have tied ends or are not stored as
                storage='indexed'. Nothing has changed then.

        Source:
            Tan et al., "RLx2: training a sparse deep reinforcement learning model from scratch", ICLR 2023, section 4:
            targets under the mask of the network that learns.

        Example:
            >>> import trulysparse as ts
            >>> online, target = (ts.SparseMLP((4, 8, 2), epsilon=1, seed=seed) for seed in (0, 1))
            >>> new = target.take_topology(online)
            >>> target.layers[0].connectivity is online.layers[0].connectivity
            True
            >>> new == sum(int((layer.values == 0).sum()) for layer in target.layers)
            True
        """
        self.check_source(source)
        return take_topology(self.layers, source.layers, self.threads)

    def freeze(self, *, threads: int = 1) -> FrozenMLP:
        """A copy of this network for inference on single samples.

        Args:
            threads: over samples, at least 1; one sample is always computed by one thread.

        Returns:
            A FrozenMLP. Later changes of this network do not reach it.

        Raises:
            NotIndexedError: of a network with storage='compact'; freeze net.indexed().

        Example:
            >>> import numpy as np, trulysparse as ts
            >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
            >>> X = np.eye(4, dtype=np.float32)
            >>> np.allclose(net.freeze().decision_function(X), net.decision_function(X), atol=1e-6)
            True
        """
        self.check_layers()
        return FrozenMLP(self, threads)


def _epsilon_of(epsilon: float | tuple[float, ...] | None, n_layers: int) -> float | tuple[float, ...] | None:
    """What remains of an epsilon where layers were put together anew: one per layer is that of as many layers."""
    return None if isinstance(epsilon, tuple) and len(epsilon) != n_layers else epsilon


def _check_scaling(name: str, scaling: Any, width: int) -> None:
    """InputError where `scaling` is none of `width` features."""
    if not isinstance(scaling, Scaling):
        raise InputError(f"{name} must be a Scaling or None, not {type(scaling).__name__}")
    for part, array in (("offset", scaling.offset), ("factor", scaling.factor)):
        if not isinstance(array, np.ndarray) or array.shape != (width,) or array.dtype != np.float64:
            given = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise InputError(f"{name}.{part} must be float64 of shape {(width,)}, not {given}")
        if not array.flags.c_contiguous or not np.isfinite(array).all():
            raise InputError(f"{name}.{part} must be contiguous and hold finite numbers")
