"""What is measured: a network, a batch, a step of momentum SGD."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import empty, zeros
from trulysparse.connectivity import Connectivity, erdos_renyi
from trulysparse.nn.activations import IDENTITY
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.settings import NetworkSettings

LEARNING_RATE, MOMENTUM, ALPHA = 0.01, 0.9, 0.6


@dataclass(frozen=True)
class Problem:
    """A starting network and one batch for it.

    Args:
        name: of the problem, in reports.
        net: the network that every peer starts from.
        X: (batch, n_inputs) float32.
        y: (batch,) labels.
        dropout: share of hidden activations dropped in each step, in [0, 1).
        weight_decay: of each step, added to the gradient (l2); in [0, 1).

    Example:
        >>> import trulysparse as ts
        >>> problem = Problem.make("small", ts.SparseMLP((4, 8, 2)), batch=16)
        >>> problem.X.shape, problem.dense_connections
        ((16, 4), 48)
    """

    name: str
    net: SparseMLP
    X: NDArray[np.float32]
    y: NDArray[np.int64]
    dropout: float = 0.0
    weight_decay: float = 0.0

    @staticmethod
    def make(name: str, net: SparseMLP, batch: int, *, dropout: float = 0.0, weight_decay: float = 0.0) -> Problem:
        """A problem with a batch of normal noise, always the same.

        Args:
            name: of the problem.
            net: its network.
            batch: samples, at least 1.
            dropout: see Problem.
            weight_decay: see Problem.

        Returns:
            The problem.
        """
        rng = np.random.default_rng(0)
        X = rng.standard_normal((batch, net.layer_sizes[0]), dtype=np.float32)
        return Problem(name, net, X, rng.integers(0, net.layer_sizes[-1], batch), dropout, weight_decay)

    def copy_of_net(self, threads: int) -> SparseMLP:
        """The network with parameters of its own.

        Args:
            threads: of its kernels, at least 1.

        Returns:
            The copy.
        """
        net = self.net
        return SparseMLP.from_layers(
            [layer.connectivity for layer in net.layers],
            [layer.values.copy() for layer in net.layers],
            [layer.bias.copy() for layer in net.layers],
            replace(net.settings, threads=threads),
        )

    @property
    def dense_connections(self) -> int:
        """Weights of the dense network of these sizes."""
        return sum(layer.n_in * layer.n_out for layer in self.net.layers)


def network_of_density(sizes: tuple[int, ...], density: float, **options: Any) -> SparseMLP:
    """A network whose hidden layers have the given density, and its output layer all its connections.

    Args:
        sizes: of the layers, input first, output last.
        density: share of a dense layer's connections, in (0, 1].
        options: of SparseMLP.from_layers, such as threads.

    Returns:
        The network, with All-ReLU and softmax.

    Example:
        >>> [layer.n_connections for layer in network_of_density((100, 200, 10), 0.1).layers]
        [2000, 2000]
    """
    connectivities: list[Connectivity] = []
    values, biases = [], []
    init, dtype = WeightInit(), np.dtype(np.float32)
    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        share = 1.0 if number == len(sizes) - 2 else density
        con = erdos_renyi(n_in, n_out, share * n_in * n_out / (n_in + n_out), seed=number)
        connectivities.append(con)
        weights = empty(con.n_connections, dtype)
        init.fill(weights, con, init.scale(con, IDENTITY), number, 1)
        values.append(weights)
        biases.append(zeros(n_out, dtype))
    return SparseMLP.from_layers(connectivities, values, biases, NetworkSettings(epsilon=0.0, init=init, **options))


# The networks of the authors' experiments, and a wide one.
PRESETS: dict[str, tuple[tuple[int, ...], float, str]] = {
    "fashion": ((784, 1000, 1000, 1000, 10), 20, "dense"),
    "cifar": ((3072, 4000, 1000, 4000, 10), 20, "dense"),
    "wide": ((65536, 500_000, 500_000, 2), 1, "dense"),
}


def preset(name: str, batch: int) -> Problem:
    """A problem by name, with the authors' dropout and weight decay."""
    sizes, epsilon, fan = PRESETS[name]
    return Problem.make(name, SparseMLP(sizes, epsilon=epsilon, fan=fan), batch, dropout=0.3, weight_decay=2e-4)
