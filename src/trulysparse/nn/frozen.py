"""A copy of a network for inference on one sample at a time, in microseconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.data.matrix import DenseMatrix
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.nn.predictor import Predictor

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
    def n_connections(self) -> int:
        """Stored weights."""


class FrozenMLP(Predictor):
    """A copy of a SparseMLP for inference only, made by `net.freeze()`.

    Weights lie in the order in which one sample is computed, indices take 16 bits where a layer has no more than 65,536
    inputs, and all layers run in one call. Faster than the network itself for a few samples at a time, slower for large
    batches. Later changes of the network do not reach it. Threads may predict at the same time. Its outputs differ from
    the network's by the rounding of another order of summation.

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

    def __init__(self, net: Freezable, threads: int = 1) -> None:
        self.layer_sizes = net.layer_sizes
        self.output = net.output
        self.dtype = net.dtype
        self.scaling = net.scaling
        self.labels = net.labels
        self.preprocessor = net.preprocessor
        self.target_scaling = net.target_scaling
        self._feature_names = net._feature_names
        self.n_connections = net.n_connections
        self.threads = checks.thread_count(threads)
        kind = _kernels.FrozenNetwork32 if net.dtype == np.float32 else _kernels.FrozenNetwork64
        self._network = kind(net.layer_sizes[0])
        for number, layer in enumerate(net.layers):
            if not isinstance(layer.activation, tuple):
                raise InputError(
                    f"a frozen network has built-in activations only, not {type(layer.activation).__name__}; predict "
                    "with the network itself"
                )
            con = layer.connectivity
            rows = con.by_output
            bias = layer.bias if layer.bias.size else np.zeros(layer.n_out, layer.bias.dtype)
            side = number >= len(net.layer_sizes) - 1  # the skip layer
            self._network.append(rows.ptr, rows.index, con.position, layer.values, bias, layer.activation, side)

    def __repr__(self) -> str:
        return f"FrozenMLP({'-'.join(map(str, self.layer_sizes))}, {self.n_connections} connections, {self.dtype})"

    def output_batches(
        self, X: Any, batch_size: int = 256, *, activated: bool = True
    ) -> Iterator[tuple[slice, Floats]]:
        matrix = self.matrix(X)
        batch_size = min(checks.integer("batch_size", batch_size, low=1), matrix.n_samples)
        offset, factor = self.scaling.arrays() if self.scaling else (None, None)
        softmax = activated and self.output == "softmax"
        z = np.empty((batch_size, self.layer_sizes[-1]), self.dtype)
        with matrix.reader(np.arange(matrix.n_samples) if matrix.streamed else None) as reader:
            for start in range(0, matrix.n_samples, batch_size):
                stop = min(matrix.n_samples, start + batch_size)
                out = z[: stop - start]
                if isinstance(matrix, DenseMatrix) and matrix.array is not None:
                    bad = self._network.run(matrix.array[start:stop], offset, factor, out, softmax, self.threads)
                    if bad >= 0:
                        sample, feature = divmod(bad, matrix.n_features)
                        raise matrix.refuse(start + sample, feature, self.dtype)
                else:
                    loaded = np.empty((matrix.n_features, _kernels.padded_batch(stop - start)), self.dtype)
                    reader.load(np.arange(start, stop), loaded, self.scaling, self.threads)
                    self._network.run(loaded[:, : stop - start].T, None, None, out, softmax, self.threads)
                if activated and self.output == "sigmoid":
                    _kernels.sigmoid(out, self.threads)
                yield slice(start, stop), out.T
