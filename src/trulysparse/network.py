"""SparseMLP: sparse layers in a row."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _checks, _kernels, activations, losses, memory
from trulysparse._arrays import Floats
from trulysparse._random import stream_key
from trulysparse._workspace import InferenceWorkspace, TrainingWorkspace
from trulysparse.activations import Activation
from trulysparse.connectivity import PATTERNS, Connectivity, Pattern, epsilon_counts, erk_counts, from_matrix, largest
from trulysparse.connectivity._connectivity import MAX_WIDTH
from trulysparse.errors import InputError
from trulysparse.frozen import FrozenMLP
from trulysparse.initialization import WeightInit
from trulysparse.layers import Signal, SparseLayer
from trulysparse.predictor import Predictor


class SparseMLP(Predictor):
    """A multilayer perceptron whose weights exist only where a connection exists.

    layer_sizes: neurons a layer, input first, output last, each 1 to 2^31 - 1.
    epsilon: Erdős-Rényi sparsity; layer n_in x n_out gets round(epsilon * (n_in + n_out)) connections. density: in its
    place, connections of the whole network as a share of the dense one's, dealt out to layers by erk_counts.
    connectivity: where they go, 'erdos_renyi', 'fixed_fan_in', 'small_world', 'scale_free', 'block_local' or a function
    such as functools.partial(small_world, rewiring=0.3).
    activation: of the hidden layers, an object or a name. output: 'softmax' (classes), 'sigmoid' (several
    labels) or 'identity' (regression). init, fan, balance: see WeightInit. dtype: 'float32' or 'float64'. seed: of
    connectivity and weights, the same bits whatever threads. threads: None for all of this machine's.
    Raises InputError for an argument out of range and NotEnoughMemoryError, before anything is allocated,
    where the network would not fit.

    Attributes: layers; scaling (of the input, or None); labels (names of the classes in the order of the
    output neurons, or None for 0, 1, ...).
    """

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
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self._set_up(layer_sizes, activation, output, WeightInit(init, fan, balance), dtype, seed, threads)
        self.epsilon = _checks.real("epsilon", epsilon, low=0, low_open=True)
        counts = epsilon_counts(self.layer_sizes, epsilon) if density is None else erk_counts(self.layer_sizes, density)
        memory.require(
            memory.network_bytes(self.layer_sizes, counts, self.dtype.itemsize),
            f"a network of layers {self._sizes_text()} at "
            + (f"epsilon {epsilon:g}" if density is None else f"density {density:g}"),
            f"choose a smaller {'epsilon' if density is None else 'density'} or smaller layers",
        )
        if isinstance(connectivity, str):
            connectivity = PATTERNS[_checks.choice("connectivity", connectivity, tuple(PATTERNS))]
        power = 1.0  # mean square of the signal, for inputs of unit variance
        for number, (n_in, n_out) in enumerate(pairwise(self.layer_sizes)):
            key = stream_key(seed, "connectivity", number)
            con = connectivity(n_in, n_out, counts[number], seed=key, threads=self.threads)
            last = number == len(self.layer_sizes) - 2
            scale = self.init.output_scale(con, power) if last else self.init.scale(con)
            values = self.init.draw(
                con.n_connections, scale, self.dtype, stream_key(seed, "weights", number), self.threads
            )
            self._append(con, values, np.zeros(n_out, self.dtype))
            if not last:
                power = self.init.power_after(con, power, self.layers[-1].activation)

    @classmethod
    def from_layers(
        cls,
        connectivities: Sequence[Connectivity],
        values: Sequence[Floats],
        biases: Sequence[Floats],
        *,
        epsilon: float,
        activation: Activation | str,
        output: str,
        init: WeightInit,
        seed: int,
        threads: int | None = None,
    ) -> Self:
        """A network of given connectivity, weights (in the order of by_input) and biases."""
        net = cls.__new__(cls)
        sizes = [connectivities[0].n_in, *(c.n_out for c in connectivities)]
        net._set_up(sizes, activation, output, init, str(biases[0].dtype), seed, threads)
        net.epsilon = epsilon
        for con, weight, bias in zip(connectivities, values, biases, strict=True):
            net._append(con, weight, bias)
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
        cons: list[Connectivity] = []
        values, offsets = [], []
        for number, matrix in enumerate(matrices):
            name = f"matrices[{number}]"
            kept = matrix if density is None else largest(matrix, density, name=name)
            con, weight = from_matrix(kept, name=name, threads=threads)
            if cons and con.n_in != cons[-1].n_out:
                raise InputError(f"{name} has {con.n_in} inputs, but the layer before has {cons[-1].n_out} outputs")
            bias = np.zeros(con.n_out) if biases is None else np.asarray(biases[number], dtype=np.float64)
            if bias.shape != (con.n_out,):
                raise InputError(f"biases[{number}] must have shape ({con.n_out},), not {bias.shape}")
            cons.append(con)
            values.append(weight.astype(dtype))
            offsets.append(bias.astype(dtype))
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
    ) -> None:
        sizes = list(layer_sizes)
        if len(sizes) < 2:
            raise InputError(f"layer_sizes must name at least an input and an output layer, not {tuple(sizes)}")
        self.layer_sizes = tuple(
            _checks.integer(f"layer_sizes[{i}]", n, low=1, high=MAX_WIDTH) for i, n in enumerate(sizes)
        )
        self.activation = activations.make(activation)
        self.output = _checks.choice("output", output, tuple(losses.BY_OUTPUT))
        self.init = init
        self.dtype: np.dtype[np.floating] = np.dtype(_checks.choice("dtype", dtype, ("float32", "float64")))
        self.seed = _checks.integer("seed", seed, low=0)
        self.threads = _checks.thread_count(threads)
        self.epsilon = 0.0
        self.layers: list[SparseLayer] = []
        self.scaling = None
        self.labels = None

    def with_layers(self, layers: Sequence[SparseLayer]) -> Self:
        """A network like this one, of other layers."""
        twin = copy.copy(self)
        twin.layers = list(layers)
        twin.layer_sizes = (layers[0].n_in, *(layer.n_out for layer in layers))
        return twin

    def copy(self) -> Self:
        """A network with weights and biases of its own; connectivity, which never changes, is shared."""
        return self.with_layers(
            [SparseLayer(x.connectivity, x.values.copy(), x.bias.copy(), x.activation) for x in self.layers]
        )

    def _append(self, con: Connectivity, values: Floats, bias: Floats) -> None:
        number = len(self.layers) + 1
        last = number == len(self.layer_sizes) - 1
        self.layers.append(SparseLayer(con, values, bias, (0, 0.0) if last else self.activation.kernel(number)))

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
        return self.n_connections / sum(layer.n_in * layer.n_out for layer in self.layers)

    def __repr__(self) -> str:
        return (
            f"SparseMLP({self._sizes_text()}, {self.n_connections} connections, density {self.density:.3g}, "
            f"{self.activation}, output={self.output!r}, {self.dtype})"
        )

    def output_batches(
        self, X: Any, batch_size: int = 256, *, activated: bool = True
    ) -> Iterator[tuple[slice, Floats]]:
        matrix = self.matrix(X)
        batch_size = min(_checks.integer("batch_size", batch_size, low=1), matrix.n_samples)
        # Memory of this call's own: the kernels release the interpreter lock, and threads may predict side by side.
        work = InferenceWorkspace(self.layer_sizes, self.dtype, batch_size)
        signals = [work.signal(0, (0, 0.0))]
        signals += [work.signal(number, layer.activation) for number, layer in enumerate(self.layers, start=1)]
        for start in range(0, matrix.n_samples, batch_size):
            stop = min(matrix.n_samples, start + batch_size)
            matrix.load(np.arange(start, stop), signals[0].values, self.scaling, self.threads)
            for layer, x, y in zip(self.layers, signals, signals[1:], strict=False):
                layer.forward(x, y, 0, self.threads)
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
        work = TrainingWorkspace(self.layer_sizes, [layer.activation for layer in self.layers], self.dtype)
        for start in range(0, matrix.n_samples, batch_size):
            stop = min(matrix.n_samples, start + batch_size)
            signals = work.signals(stop - start, 1.0)
            matrix.load(np.arange(start, stop), signals[0].values, self.scaling, self.threads)
            self.forward(signals, [0] * len(self.layers), self.threads)
            yield slice(start, stop), [signal.values for signal in signals[1:-1]]

    def freeze(self, *, threads: int = 1) -> FrozenMLP:
        """A copy of this network for inference on single samples; see FrozenMLP."""
        return FrozenMLP(self, threads)

    def forward(self, signals: Sequence[Signal], keys: Sequence[int], threads: int) -> None:
        """Fills signals[1:] from signals[0]; keys[l] names the dropout stream of layer l."""
        for layer, x, y, key in zip(self.layers, signals, signals[1:], keys, strict=False):
            layer.forward(x, y, key, threads)


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
