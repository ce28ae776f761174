"""SparseMLP: sparse layers in a row."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import checks, memory
from trulysparse._core.arrays import HELD, Floats, Stored, widened
from trulysparse._core.progress import Progress, silent
from trulysparse._core.random import stream_key
from trulysparse.connectivity import (
    PATTERNS,
    Connectivity,
    Pattern,
    TiledConnectivity,
    epsilon_counts,
    erk_counts,
    from_matrix,
    largest,
)
from trulysparse.connectivity.indexed import MAX_WIDTH
from trulysparse.data import Matrix
from trulysparse.errors import InputError
from trulysparse.nn import activations, losses, memory_use
from trulysparse.nn.activations import Activation
from trulysparse.nn.activations_buffer import InferenceWorkspace, TrainingWorkspace, largest_batch
from trulysparse.nn.frozen import FrozenMLP
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.indexed import Activations, IndexedLayer
from trulysparse.nn.layers.storage import Layer, StorageConfig, signal_types
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.nn.predictor import Predictor
from trulysparse.nn.sinks import Sink


class SparseMLP(Predictor):
    """A multilayer perceptron whose weights exist only where a connection exists.

    layer_sizes: neurons a layer, input first, output last, each 1 to 2^31 - 1.
    epsilon: Erdős-Rényi sparsity; layer n_in x n_out gets round(epsilon * (n_in + n_out)) connections. density: in its
    place, connections of the whole network as a share of the dense one's, dealt out to layers by erk_counts; the
    attribute epsilon is None then.
    connectivity: where they go, 'erdos_renyi', 'fixed_fan_in', 'small_world', 'scale_free', 'block_local' or a function
    such as functools.partial(small_world, rewiring=0.3).
    activation: of the hidden layers, an object or a name. output: 'softmax' (classes), 'sigmoid' (several
    labels) or 'identity' (regression). init, fan, balance: see WeightInit. dtype: 'float32' or 'float64'. seed: of
    connectivity and weights, the same bits whatever threads. threads: None for all of this machine's.
    storage: 'indexed', connections indexed by input and by output neuron, 16 bytes each with a float32 weight; or
    'compact', in tiles, 6 to 8 bytes, for networks of millions of neurons (Erdős-Rényi connectivity, Static and SET
    evolution). weights, signals: types of weights and of hidden activations, 'float32' or, in compact networks,
    'bfloat16'; None: float32. folder: of a compact network whose layers live in memory-mapped files there, for those
    that do not fit into memory; new, empty, or of an earlier such network, whose layers go with the first checkpoint
    of this one. progress: called as layers are made, see trulysparse._core.progress. Raises InputError for an
    argument out of range and NotEnoughMemoryError, before anything is allocated, where the network would not fit.

    Attributes: layers; scaling (of the input, or None); labels (names of the classes in the order of the
    output neurons, or None for 0, 1, ...).
    """

    epsilon: float | None

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        epsilon: float = 20.0,
        density: float | None = None,
        connectivity: str | Pattern = "erdos_renyi",
        activation: Activation | str = "all_relu",
        output: str = "softmax",
        init: str = "he_uniform",
        fan: str = "dense",
        balance: bool = True,
        dtype: str = "float32",
        storage: str = "indexed",
        weights: str | None = None,
        signals: str | None = None,
        folder: str | PathLike[str] | None = None,
        seed: int = 0,
        threads: int | None = None,
        progress: Progress = silent,
    ) -> None:
        storage_config = StorageConfig.create(storage, weights, signals, folder, dtype)
        self._set_up(
            layer_sizes, activation, output, WeightInit(init, fan, balance), dtype, seed, threads, storage_config
        )
        checks.real("epsilon", epsilon, low=0, low_open=True)
        self.epsilon = float(epsilon) if density is None else None
        counts = epsilon_counts(self.layer_sizes, epsilon) if density is None else erk_counts(self.layer_sizes, density)
        if storage_config.tiled and connectivity != "erdos_renyi":
            raise InputError(f"connectivity must be 'erdos_renyi' where storage='compact', not {connectivity!r}")
        memory.require(
            memory_use.network_bytes(self.layer_sizes, counts, storage_config),
            f"a network of layers {self._sizes_text()} at "
            + (f"epsilon {epsilon:g}" if density is None else f"density {density:g}"),
            f"choose a smaller {'epsilon' if density is None else 'density'} or smaller layers",
        )
        if isinstance(connectivity, str):
            connectivity = PATTERNS[checks.choice("connectivity", connectivity, tuple(PATTERNS))]
        power = 1.0  # mean square of the signal, for inputs of unit variance
        total = sum(counts)
        for number, (n_in, n_out) in enumerate(pairwise(self.layer_sizes)):
            progress("building", sum(counts[:number]), total)
            key = stream_key(seed, "connectivity", number)
            con: Connectivity | TiledConnectivity
            if storage_config.tiled:
                con = TiledConnectivity.draw(n_in, n_out, counts[number], seed=key, threads=self.threads)
                con = storage_config.settled(con, f"layer{number}")
            else:
                con = connectivity(n_in, n_out, counts[number], seed=key, threads=self.threads)
                if connectivity not in PATTERNS.values():
                    _check_pattern(con, n_in, n_out, counts[number])
            last = number == len(self.layer_sizes) - 2
            scale = self.init.output_scale(con, power) if last else self.init.scale(con)
            values = storage_config.empty(f"layer{number}.weight", con.n_connections)
            self.init.fill(values, scale, stream_key(seed, "weights", number), self.threads)
            self._append(con, values, storage_config.zeros(f"layer{number}.bias", n_out))
            self.layers[-1].release()
            if not last:
                power = self.init.power_after(con, power, self.layers[-1].activation)
        progress("building", total, total)

    @classmethod
    def from_layers(
        cls,
        connectivities: Sequence[Connectivity | TiledConnectivity],
        values: Sequence[Stored],
        biases: Sequence[Stored],
        *,
        epsilon: float | None,
        activation: Activation | str,
        output: str,
        init: WeightInit,
        seed: int,
        threads: int | None = None,
        storage_config: StorageConfig | None = None,
    ) -> Self:
        """A network of given connectivity, weights (in the order of by_input, or of the tiles) and biases; InputError
        where they do not fit together."""
        kind = TiledConnectivity if storage_config is not None and storage_config.tiled else Connectivity
        lists = (("connectivities", connectivities), ("values", values), ("biases", biases))
        for name, given in lists:
            if len(given) != len(connectivities) or not len(given):
                raise InputError(f"{name} must have one entry for each of at least one layer, not {len(given)}")
        for number, con in enumerate(connectivities):
            if not isinstance(con, kind):
                raise InputError(f"connectivities[{number}] must be a {kind.__name__}, not {type(con).__name__}")
        sizes = [connectivities[0].n_in, *(c.n_out for c in connectivities)]
        dtype = "float32" if storage_config is not None and storage_config.tiled else str(biases[0].dtype)
        storage_config = storage_config or StorageConfig.create("indexed", None, None, None, dtype)
        net = cls.of_settings(
            sizes,
            epsilon=epsilon,
            activation=activation,
            output=output,
            init=init,
            dtype=dtype,
            seed=seed,
            threads=threads,
            storage_config=storage_config,
        )
        for con, weight, bias in zip(connectivities, values, biases, strict=True):
            net._append(con, weight, bias)
        net.check_layers()
        return net

    @classmethod
    def of_settings(
        cls,
        layer_sizes: Sequence[int],
        *,
        epsilon: float | None,
        activation: Activation | str,
        output: str,
        init: WeightInit,
        dtype: str,
        seed: int,
        threads: int | None,
        storage_config: StorageConfig,
    ) -> Self:
        """A network that has no layers yet."""
        net = cls.__new__(cls)
        net._set_up(layer_sizes, activation, output, init, dtype, seed, threads, storage_config)
        net.epsilon = epsilon
        return net

    @classmethod
    def from_matrices(
        cls,
        matrices: Sequence[Any],
        biases: Sequence[ArrayLike] | None = None,
        *,
        density: float | None = None,
        activation: Activation | str = "all_relu",
        output: str = "softmax",
        init: WeightInit | None = None,
        dtype: str = "float32",
        seed: int = 0,
        threads: int | None = None,
    ) -> Self:
        """A network with the given weights.

        matrices: one a layer, (n_out, n_in), SciPy sparse (a connection for each stored value) or NumPy (for each value
        that is not 0). density: of dense matrices, say of a trained network, keep only this share of each layer, the
        largest in magnitude (torch: [layer.weight.detach().numpy()]; scikit-learn: [w.T for w in mlp.coefs_]).
        biases: (n_out,) each; None for 0. init: of connections that evolution grows.
        """
        if not matrices:
            raise InputError("matrices must name at least one layer")
        checks.choice("dtype", dtype, ("float32", "float64"))
        if biases is not None and len(biases) != len(matrices):
            raise InputError(f"biases must have one entry for each of {len(matrices)} matrices, not {len(biases)}")
        cons: list[Connectivity] = []
        values, offsets = [], []
        for number, matrix in enumerate(matrices):
            name = f"matrices[{number}]"
            kept = matrix if density is None else largest(matrix, density, name=name)
            con, weight = from_matrix(kept, name=name, threads=threads)
            if cons and con.n_in != cons[-1].n_out:
                raise InputError(f"{name} has {con.n_in} inputs, but the layer before has {cons[-1].n_out} outputs")
            bias = np.zeros(con.n_out) if biases is None else _numbers(f"biases[{number}]", biases[number])
            if bias.shape != (con.n_out,):
                raise InputError(f"biases[{number}] must have shape ({con.n_out},), not {bias.shape}")
            cons.append(con)
            values.append(_cast(name, weight, dtype))
            offsets.append(_cast(f"biases[{number}]", bias, dtype))
        return cls.from_layers(
            cons,
            values,
            offsets,
            epsilon=sum(c.n_connections for c in cons) / sum(c.n_in + c.n_out for c in cons),
            activation=activation,
            output=output,
            init=init or WeightInit(),
            seed=seed,
            threads=threads,
        )

    def _set_up(
        self,
        layer_sizes: Sequence[int],
        activation: Activation | str,
        output: str,
        init: WeightInit,
        dtype: str,
        seed: int,
        threads: int | None,
        storage_config: StorageConfig,
    ) -> None:
        sizes = list(layer_sizes)
        if len(sizes) < 2:
            raise InputError(f"layer_sizes must name at least an input and an output layer, not {tuple(sizes)}")
        self.layer_sizes = tuple(
            checks.integer(f"layer_sizes[{i}]", n, low=1, high=MAX_WIDTH) for i, n in enumerate(sizes)
        )
        self.activation = activations.make_activation(activation)
        self.output = checks.choice("output", output, tuple(losses.BY_OUTPUT))
        self.init = init
        self.dtype: np.dtype[np.floating] = np.dtype(checks.choice("dtype", dtype, ("float32", "float64")))
        self.seed = checks.integer("seed", seed, low=0)
        self.threads = checks.thread_count(threads)
        self.storage_config = storage_config
        self.epsilon = None
        self.layers: list[Any] = []  # of Layer; what they offer beyond its common part depends on the storage
        self.scaling = None
        self.labels = None

    def with_layers(self, layers: Sequence[Layer], storage_config: StorageConfig | None = None) -> Self:
        """A network like this one, of other layers, stored as `storage_config` says (None: as these); InputError where they do
        not fit together."""
        if not len(layers):
            raise InputError("layers must have at least one layer")
        twin = copy.copy(self)
        twin.layers, twin.storage_config = list(layers), storage_config or self.storage_config
        twin.layer_sizes = (layers[0].n_in, *(layer.n_out for layer in layers))
        twin.check_layers()
        return twin

    def check_layers(self) -> None:
        """InputError where the layers, which may be set from outside, do not fit layer_sizes, or a layer's weights and
        biases do not fit its connections. No look at single connections: whoever makes a connectivity checks it."""
        if len(self.layers) != len(self.layer_sizes) - 1:
            raise InputError(f"layers must have {len(self.layer_sizes) - 1} entries, not {len(self.layers)}")
        kind = HELD[self.storage_config.weights]
        for number, (layer, n_in, n_out) in enumerate(
            zip(self.layers, self.layer_sizes[:-1], self.layer_sizes[1:], strict=True)
        ):
            con, values, bias = layer.connectivity, layer.values, layer.bias
            if isinstance(layer, TiledLayer) != self.storage_config.tiled:
                raise InputError(f"layers[{number}] is not stored as storage={self.storage_config.storage!r} says")
            if (con.n_in, con.n_out) != (n_in, n_out):
                raise InputError(f"layers[{number}] connects {con.n_in} x {con.n_out} neurons, not {n_in} x {n_out}")
            for name, array, size in (("values", values, con.n_connections), ("bias", bias, n_out)):
                if not isinstance(array, np.ndarray) or array.shape != (size,) or array.dtype != kind:
                    there = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
                    raise InputError(
                        f"layers[{number}].{name} must be {self.storage_config.weights} of shape ({size},), not {there}"
                    )

    def matrix(self, X: Any, name: str = "X") -> Matrix:
        self.check_layers()
        return super().matrix(X, name)

    def copy(self) -> Self:
        """A network with weights and biases of its own, in memory; connectivity, which never changes, is shared."""
        storage_config = replace(self.storage_config, folder=None)
        return self.with_layers(
            [
                storage_config.layer(x.connectivity, np.array(x.values), np.array(x.bias), x.activation, "")
                for x in self.layers
            ],
            storage_config,
        )

    def indexed(self) -> Self:
        """A copy with storage='indexed', for what needs connections indexed by neuron: analysis, freezing,
        gradient-based evolution, parallel training."""
        if not self.storage_config.tiled:
            return self.copy()
        layers: list[Layer] = []
        for layer in self.layers:
            csr = layer.weight
            con, order = Connectivity.from_outputs(
                layer.n_in, layer.n_out, csr.indptr.astype(np.int64), csr.indices.astype(np.int32), self.threads
            )
            layers.append(IndexedLayer(con, csr.data[order], np.array(widened(layer.bias)), layer.activation))
        return self.with_layers(layers, StorageConfig.create("indexed", None, None, None, "float32"))

    def _append(self, con: Connectivity | TiledConnectivity, values: Stored, bias: Stored) -> None:
        number = len(self.layers) + 1
        last = number == len(self.layer_sizes) - 1
        activation = activations.IDENTITY if last else self.activation.kernel(number)
        self.layers.append(self.storage_config.layer(con, values, bias, activation, f"layer{number - 1}"))

    def _sizes_text(self) -> str:
        return "-".join(map(str, self.layer_sizes))

    @property
    def n_connections(self) -> int:
        """Stored weights, biases not counted."""
        return sum(layer.n_connections for layer in self.layers)

    @property
    def n_neurons(self) -> int:
        """Neurons that compute: hidden and output ones."""
        return sum(self.layer_sizes[1:])

    @property
    def density(self) -> float:
        """Connections as a share of those of the dense network of these sizes."""
        return float(self.n_connections / sum(layer.n_in * layer.n_out for layer in self.layers))

    def __repr__(self) -> str:
        return (
            f"SparseMLP({self._sizes_text()}, {self.n_connections} connections, density {self.density:.3g}, "
            f"{self.activation}, output={self.output!r}, {self.dtype})"
        )

    def output_batches(
        self, X: Any, batch_size: int = 256, *, activated: bool = True
    ) -> Iterator[tuple[slice, Floats]]:
        matrix = self.matrix(X)
        batch_size = min(checks.integer("batch_size", batch_size, low=1), matrix.n_samples)
        batch_size = largest_batch(self.layer_sizes, self.signal_types(), batch_size)
        # Memory of this call's own: the kernels release the interpreter lock, and threads may predict side by side.
        work = InferenceWorkspace(self.layer_sizes, self.signal_types(), batch_size)
        signals = [work.signal(0, activations.IDENTITY)]
        signals += [work.signal(number, layer.activation) for number, layer in enumerate(self.layers, start=1)]
        with matrix.reader(np.arange(matrix.n_samples)) as reader:
            for start in range(0, matrix.n_samples, batch_size):
                stop = min(matrix.n_samples, start + batch_size)
                reader.load(np.arange(start, stop), signals[0].values, self.scaling, self.threads)
                self.forward(signals, [0] * len(self.layers), self.threads)
                z = signals[-1].values
                if activated and self.output == "softmax":
                    _kernels.softmax(z, self.threads)
                elif activated and self.output == "sigmoid":
                    _kernels.sigmoid(z, self.threads)
                yield slice(start, stop), z[:, : stop - start]

    def hidden_batches(self, X: Any, batch_size: int = 256) -> Iterator[tuple[slice, list[Floats]]]:
        """(samples, activations of each hidden layer) batch by batch; the activations are neurons x stride, views that
        the next batch overwrites. Without dropout."""
        matrix = self.matrix(X)
        kinds = [layer.activation for layer in self.layers]
        work = TrainingWorkspace(self.layer_sizes, kinds, self.signal_types(), tiled=self.storage_config.tiled)
        with matrix.reader(np.arange(matrix.n_samples)) as reader:
            for start in range(0, matrix.n_samples, batch_size):
                stop = min(matrix.n_samples, start + batch_size)
                signals = work.signals(stop - start, 1.0)
                reader.load(np.arange(start, stop), signals[0].values, self.scaling, self.threads)
                self.forward(signals, [0] * len(self.layers), self.threads)
                yield slice(start, stop), [widened(signal.values) for signal in signals[1:-1]]

    def freeze(self, *, threads: int = 1) -> FrozenMLP:
        """A copy of this network for inference on single samples; see FrozenMLP."""
        return FrozenMLP(self, threads)

    def signal_types(self) -> list[np.dtype[Any]]:
        """How the values of each layer's signal are held, the input first: input and output in the network's type."""
        return signal_types(self.storage_config, len(self.layer_sizes))

    def forward(self, signals: Sequence[Activations], keys: Sequence[int], threads: int, first: int = 0) -> None:
        """Fills signals[1:] from signals[0]; keys[l] names the dropout stream of layer l. first: number of the first
        layer."""
        layers = self.layers[first : first + len(signals) - 1]
        for number, (layer, x, y) in enumerate(zip(layers, signals, signals[1:], strict=False)):
            for coming in layers[number + 1 : number + 2]:
                coming.fetch()
            layer.forward(x, y, keys[first + number], threads)
            layer.release()

    def backward(
        self,
        signals: Sequence[Activations],
        dy: Stored,
        sink: Sink,
        *,
        threads: int,
        input_gradient: Stored | None = None,
        keys: Sequence[int] = (),
        every: int = 1,
    ) -> None:
        """Takes the loss gradient dy at the output's pre-activation (n_outputs x stride) down to the first layer, and
        hands each layer's to `sink` (Update or Gradients, see sinks.py). signals: as `forward` left them; each is
        overwritten by the gradient at its pre-activation. input_gradient: where to write the gradient at the network's
        input, (n_inputs x stride), or None. every: of the signals only each every-th was kept; those between are
        computed again, with the `keys` of the forward pass."""
        last = len(self.layers) - 1
        for number in range(last, -1, -1):
            # What the last layers left is still there; later layers have overwritten that of others.
            if every > 1 and number % every == every - 1 and number + 1 < last:
                first = number + 1 - every
                self.forward(signals[first : number + 1], keys, threads, first)
            layer, x = self.layers[number], signals[number]
            layer.fetch()
            sink.take(number, layer, dy, x, x.values if number else input_gradient, threads)
            layer.release()
            dy = x.values


def _check_pattern(con: Any, n_in: int, n_out: int, count: int) -> None:
    """InputError where a function of the user's does not return a layer's connectivity."""
    if not isinstance(con, Connectivity):
        raise InputError(f"connectivity must return a Connectivity, not {type(con).__name__}")
    con.check()
    if (con.n_in, con.n_out) != (n_in, n_out):
        raise InputError(f"connectivity must return a layer {n_in} x {n_out}, not {con.n_in} x {con.n_out}")
    if con.n_connections == 0 and count > 0:
        raise InputError(f"connectivity must return about {count} connections, at least one, not none")


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be an array of numbers") from None


def _cast(name: str, values: NDArray[Any], dtype: str) -> Floats:
    """The values in the network's type, or InputError where it cannot hold them."""
    with np.errstate(over="ignore"):
        found: Floats = values.astype(dtype)
    if not np.isfinite(found).all():
        raise InputError(f"{name} holds NaN, infinity or a value beyond {dtype}; weights and biases must be finite")
    return found


def sample_weights(sample_weight: ArrayLike | None, n_samples: int) -> NDArray[np.float64] | None:
    """sample_weight as float64, (n_samples,), each finite and at least 0, or InputError."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_samples,):
        raise InputError(f"sample_weight must have shape ({n_samples},), one value a sample, not {weight.shape}")
    wrong = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
    if len(wrong):
        raise InputError(f"sample_weight[{wrong[0]}] is {weight[wrong[0]]}; weights must be finite and at least 0")
    return weight
