"""A copy of a network for inference on one sample at a time, in microseconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.data.matrix import DenseMatrix
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.nn.predictor import Predictor
from trulysparse.nn.settings import NetworkSettings

if TYPE_CHECKING:
    from trulysparse.preprocessing import TablePreprocessor


class Freezable(Protocol):
    """What can be frozen: a network whose layers are indexed."""

    layer_sizes: tuple[int, ...]
    output: str
    dtype: np.dtype[np.floating]
    scaling: Scaling | None
    labels: NDArray[Any] | None
    preprocessor: TablePreprocessor | None
    target_scaling: Scaling | None
    _feature_names: tuple[str, ...] | None
    layers: list[Any]

    @property
    def settings(self) -> NetworkSettings:
        """What it is besides its layers."""

    @property
    def n_connections(self) -> int:
        """Stored weights."""


class FrozenMLP(Predictor):
    """A copy of a SparseMLP for inference only, made by `net.freeze()`.

    Weights lie in the order in which one sample is computed, indices take 16 bits where a layer has no more than 65,536
    inputs, and all layers run in one call. Faster than the network itself for a few samples at a time, slower for large
    batches. Later changes of the network reach it by `refresh` alone. Threads may predict at the same time, and while
    one refreshes. Its outputs differ from the network's by the rounding of another order of summation.

    Args:
        net: a network whose layers are indexed.
        threads: over samples, at least 1; one sample is always computed by one thread.

    Raises:
        NotIndexedError: of a network with storage='compact'; freeze net.indexed().
        InputError: of a network with an activation of the user's own.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> frozen = ts.SparseMLP.from_matrices([np.eye(2)]).freeze()
        >>> frozen.predict(np.array([[1.0, 3.0]])).tolist()
        [1]
    """

    _prepared: bool  # whether the kernels know the order of weights that a refresh brings

    def __init__(self, net: Freezable, threads: int = 1) -> None:
        self.layer_sizes = net.layer_sizes
        self.output = net.output
        self.dtype = net.dtype
        self.threads = checks.thread_count(threads)
        self._network = self.new_network(net)
        self._take(net)
        self._remember(net)

    def refresh(self, net: Freezable) -> None:
        """Takes the weights, biases and scaling that a network has now.

        While its topology stands (the connectivity objects are those of the last time) only weights and biases are
        written; else all is laid out anew.

        Args:
            net: a network of the same layer sizes, output and type, such as the one that this was made from.

        Raises:
            InputError: where the network is another one, or has an activation of the user's own. Nothing has changed
                then.

        Example:
            >>> import numpy as np, trulysparse as ts
            >>> net = ts.SparseMLP((4, 8, 2), epsilon=1, output="identity")
            >>> frozen = net.freeze()
            >>> net.layers[-1].bias[:] = 3
            >>> frozen.refresh(net)
            >>> frozen.predict(np.zeros((1, 4))).tolist()
            [[3.0, 3.0]]
        """
        self.check_alike(net)
        if self.stands(net):
            self._network.refresh(*parameters_of(net))
        else:
            self._network = self.new_network(net)
            self._remember(net)
        self._take(net)

    def check_alike(self, net: Any) -> None:
        """InputError where `refresh` cannot take a network."""
        for name in ("layer_sizes", "output", "dtype"):
            own, other = getattr(self, name), getattr(net, name, None)
            if own is not other and own != other:
                raise InputError(f"net must have {name} {own}, as the network that was frozen, not {other}")

    def stands(self, net: Freezable) -> bool:
        """Whether a network has the topology that this was laid out for; its weights can then be refreshed."""
        layers = net.layers
        if len(layers) != len(self._topology):
            return False
        for layer, (known, activation) in zip(layers, self._topology, strict=True):
            if layer.connectivity is not known() or layer.activation != activation:
                return False
        if not self._prepared:
            for number, layer in enumerate(layers):
                rows = layer.connectivity.by_output
                self._network.prepare_refresh(number, rows.ptr, rows.index, layer.connectivity.position)
            self._prepared = True
        return True

    @property
    def kernels(self) -> _kernels.FrozenNetwork32:
        """The network as the kernels have it."""
        return self._network

    def layer(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats, Floats]:
        """A layer as it was frozen: CSR by output neuron, its weights, and its biases, 0 where it has none.

        Args:
            number: from 0; a skip layer comes last.

        Returns:
            (indptr, indices, weights, biases), copies.
        """
        return self._network.layer(number)

    def new_network(self, net: Freezable) -> _kernels.FrozenNetwork32:
        """A network laid out for the kernels; InputError where it cannot be."""
        kind = _kernels.FrozenNetwork32 if net.dtype == np.float32 else _kernels.FrozenNetwork64
        network = kind(net.layer_sizes[0])
        for number, layer in enumerate(net.layers):
            if not isinstance(layer.activation, tuple):
                raise InputError(
                    f"a frozen network has built-in activations only, not {type(layer.activation).__name__}; predict "
                    "with the network itself"
                )
            con = layer.connectivity
            rows = con.by_output
            side = number >= len(net.layer_sizes) - 1  # the skip layer
            network.append(rows.ptr, rows.index, con.position, layer.values, _bias(layer), layer.activation, side)
        return network

    def _take(self, net: Freezable) -> None:
        self.scaling = net.scaling
        self.labels = net.labels
        self.preprocessor = net.preprocessor
        self.target_scaling = net.target_scaling
        self._feature_names = net._feature_names
        self.n_connections = net.n_connections

    def _remember(self, net: Freezable) -> None:
        """Notes the topology, without holding on to its arrays: this copy has its own."""
        self._topology = [(ref(layer.connectivity), layer.activation) for layer in net.layers]
        self.settings = net.settings
        self.has_biases = [bool(layer.bias.size) for layer in net.layers]
        self._prepared = False

    def __repr__(self) -> str:
        return f"FrozenMLP({'-'.join(map(str, self.layer_sizes))}, {self.n_connections} connections, {self.dtype})"

    def output_batches(
        self, X: Any, batch_size: int = 256, *, activated: bool = True
    ) -> Iterator[tuple[slice, Floats]]:
        matrix = self.matrix(X)
        batch_size = min(checks.integer("batch_size", batch_size, low=1), matrix.n_samples)
        network = self._network
        offset, factor = self.scaling.arrays() if self.scaling else (None, None)
        softmax = activated and self.output == "softmax"
        z = np.empty((batch_size, self.layer_sizes[-1]), self.dtype)
        with matrix.reader(np.arange(matrix.n_samples) if matrix.streamed else None) as reader:
            for start in range(0, matrix.n_samples, batch_size):
                stop = min(matrix.n_samples, start + batch_size)
                out = z[: stop - start]
                if isinstance(matrix, DenseMatrix) and matrix.array is not None:
                    bad = network.run(matrix.array[start:stop], offset, factor, out, softmax, self.threads)
                    if bad >= 0:
                        sample, feature = divmod(bad, matrix.n_features)
                        raise matrix.refuse(start + sample, feature, self.dtype)
                else:
                    loaded = np.empty((matrix.n_features, _kernels.padded_batch(stop - start)), self.dtype)
                    reader.load(np.arange(start, stop), loaded, self.scaling, self.threads)
                    network.run(loaded[:, : stop - start].T, None, None, out, softmax, self.threads)
                if activated and self.output == "sigmoid":
                    _kernels.sigmoid(out, self.threads)
                yield slice(start, stop), out.T


def parameters_of(net: Freezable) -> tuple[list[Floats], list[Floats]]:
    """Weights and biases of each layer, as a refresh takes them."""
    return [layer.values for layer in net.layers], [_bias(layer) for layer in net.layers]


def _bias(layer: Any) -> Floats:
    """The layer's biases, 0 where it has none."""
    bias: Floats = layer.bias
    return bias if bias.size else np.zeros(layer.n_out, bias.dtype)
