"""Derivatives of all outputs of a network at its inputs, in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.sinks import InputGradient
from trulysparse.nn.tile_pass import TilePass
from trulysparse.training.batch import Batch


class Jacobian:
    """Each sample takes as many columns of a pass as there are outputs, and each of them goes back from another output.

    Args:
        net: the network.
        probabilities: whether outputs are taken after the output activation.
        threads: at least 1.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.training.passes import checked_batch
        >>> from trulysparse.unsupervised.selection.jacobian import Jacobian
        >>> net = ts.SparseMLP.from_matrices([[[1.0, -2.0], [0.0, 3.0]]])
        >>> batch = checked_batch(net, ts.SoftmaxCrossEntropy(), np.ones((1, 2)), np.array([0]))
        >>> Jacobian(net, False, threads=1).mean_magnitude(batch).tolist()  # |1| + |0|, |-2| + |3|
        [1.0, 5.0]
    """

    def __init__(self, net: SparseMLP, probabilities: bool, threads: int) -> None:
        self._net = net
        self._probabilities = probabilities and net.output != "identity"
        self._threads = threads
        self._work = net.workspace()
        self._tiles: dict[int, tuple[TilePass, Floats, Floats, Floats]] = {}

    def mean_magnitude(self, batch: Batch) -> NDArray[np.float64]:
        """The sum over outputs of the mean over samples of |d output / d x|, of x as standardised.

        Args:
            batch: the samples.

        Returns:
            (n_inputs,).
        """
        net, n, outputs = self._net, len(batch.rows), self._net.layer_sizes[-1]
        tile, samples, dy, dx = self._memory(n)
        batch.reader.load(batch.rows, samples, net.scaling, self._threads)
        x, z = tile.signals[0].values, tile.signals[-1].values
        x[:, : n * outputs].reshape(len(x), outputs, n)[:] = samples[:, None, :n]
        tile.forward(0, self._threads)
        if self._probabilities:
            net.activate_output(z, self._threads)
            self._through_activation(z[:, : n * outputs], dy, n)
        tile.backward(dy, InputGradient(), self._threads, dx)
        total: NDArray[np.float64] = np.abs(dx, out=dx).sum(axis=1).astype(np.float64)
        return total / n

    def _through_activation(self, p: Floats, dy: Floats, n: int) -> None:
        """Fills dy with the derivatives of outputs p, each column's own, by the values before the activation."""
        outputs = len(p)
        own = np.repeat(np.arange(outputs), n), np.arange(outputs * n)
        chosen = p[own]
        if self._net.output == "softmax":
            np.multiply(p, -chosen, out=dy[:, : outputs * n])
            dy[own] += chosen
        else:
            dy[own] = chosen * (1 - chosen)

    def _memory(self, n: int) -> tuple[TilePass, Floats, Floats, Floats]:
        """For n samples: the pass, the samples, the gradient at the output, which is 1 in each column's own output, and
        at the input."""
        found = self._tiles.get(n)
        if found is not None:
            return found
        sizes, dtype, before = self._net.layer_sizes, self._net.dtype, self._work.stride
        outputs = sizes[-1]
        signals = self._work.signals(n * outputs, 1.0)
        if self._work.stride != before:
            self._tiles = {}  # they hold on to the smaller memory
        stride, width = signals[0].values.shape[1], int(_kernels.padded_batch(n))
        signals[0].values[:] = 0
        dy = np.zeros((outputs, stride), dtype)
        dy[np.repeat(np.arange(outputs), n), np.arange(outputs * n)] = 1
        samples = empty(sizes[0] * width, dtype).reshape(sizes[0], width)
        dx = empty(sizes[0] * stride, dtype).reshape(sizes[0], stride)
        self._tiles[n] = TilePass(self._net, signals), samples, dy, dx
        return self._tiles[n]
