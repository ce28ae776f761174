"""BoltzmannMachine: visible and hidden units along sparse connections, and the conditional distributions of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty, zeros
from trulysparse._core.random import stream_key
from trulysparse._kernels import WeightScale
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.data import Matrix
from trulysparse.nn.activations import LayerActivation
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.initialization import LayerSizes, WeightInit
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.passes import tile_columns

VISIBLE = ("bernoulli", "gaussian")
"""Kinds of visible units."""


@dataclass(frozen=True)
class SmallNormalInit(WeightInit):
    """Normal weights with mean 0 and standard deviation 0.05, at the start and where connections grow.

    Source: the code of Mocanu et al. (2018) for restricted Boltzmann machines.
    """

    rule: str = "normal"
    balance: bool = False
    deviation: ClassVar[float] = 0.05

    def scale(
        self, connectivity: Connectivity | TiledConnectivity | LayerSizes, activation: LayerActivation
    ) -> WeightScale:
        """See WeightInit.scale."""
        return WeightScale(self.deviation)


INIT = SmallNormalInit()


@dataclass
class BoltzmannMachine:
    """A restricted Boltzmann machine: p(v, h) = exp(-E(v, h)) / Z with
    E(v, h) = -c'v - b'h - h'Wv for Bernoulli visible units, and |v - c|^2 / 2 - b'h - h'Wv for Gaussian ones of
    variance 1; W exists only where a connection does, h is 0 or 1.

    Values lie units x columns, the columns being samples, padded; see Activations. Padding is 0.

    Args:
        net: of one layer, whose connections lead from visible to hidden units and whose biases are b.
        visible_bias: c, (n_visible,), of the network's type.
        visible: 'bernoulli' or 'gaussian'.

    Source:
        Smolensky, "Information processing in dynamical systems" (1986); Welling et al., "Exponential family harmoniums
        with an application to information retrieval" (2004).

    Example:
        >>> from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine
        >>> machine = BoltzmannMachine.draw(30, 20, epsilon=4, seed=0, threads=1)
        >>> machine.layer.n_connections, machine.n_visible, machine.n_hidden
        (200, 30, 20)
    """

    net: SparseMLP
    visible_bias: Floats
    visible: str = "bernoulli"

    @classmethod
    def draw(
        cls,
        n_visible: int,
        n_hidden: int,
        *,
        epsilon: float | None = None,
        density: float | None = None,
        visible: str = "bernoulli",
        dtype: str = "float32",
        seed: int = 0,
        threads: int | None = None,
    ) -> BoltzmannMachine:
        """A machine with Erdős-Rényi connections, small normal weights and biases of 0.

        Args:
            n_visible: at least 1.
            n_hidden: at least 1.
            epsilon: see SparseMLP.
            density: see SparseMLP.
            visible: 'bernoulli' or 'gaussian'.
            dtype: 'float32' or 'float64'.
            seed: of connections and weights.
            threads: at least 1; None: all of this machine's.

        Returns:
            The machine.

        Raises:
            InputError: where an argument is out of range.
        """
        net = SparseMLP(
            (n_visible, n_hidden),
            epsilon=epsilon,
            density=density,
            output="sigmoid",
            init=INIT.rule,
            balance=INIT.balance,
            dtype=dtype,
            seed=seed,
            threads=threads,
        )
        layer = net.layers[0]
        scale = INIT.scale(layer.connectivity, layer.activation)
        INIT.fill(layer.values, layer.connectivity, scale, stream_key(seed, "weights", 0), net.threads)
        return cls(net, zeros(n_visible, net.dtype), visible)

    @property
    def layer(self) -> IndexedLayer:
        """Connections, weights, and the biases of the hidden units."""
        layer: IndexedLayer = self.net.layers[0]
        return layer

    @property
    def n_visible(self) -> int:
        """Visible units."""
        return self.net.layer_sizes[0]

    @property
    def n_hidden(self) -> int:
        """Hidden units."""
        return self.net.layer_sizes[1]

    @property
    def width(self) -> int:
        """Samples that are taken at a time."""
        return tile_columns(self.net.layer_sizes)

    def columns(self, n: int) -> tuple[Activations, Activations]:
        """Memory for visible and hidden values of n samples, set to 0."""
        stride = int(_kernels.padded_batch(n))
        visible, hidden = (
            empty(size * stride, self.net.dtype).reshape(-1, stride) for size in (self.n_visible, self.n_hidden)
        )
        visible[:], hidden[:] = 0, 0
        return Activations(visible), Activations(hidden)

    # ---- one side given the other ----

    def hidden_given(self, v: Activations, h: Activations, n: int, key: int | None, threads: int) -> None:
        """Fills h from v.

        Args:
            v: visible values of n samples.
            h: where hidden values go: probabilities or, with a key, states drawn by them.
            n: samples; columns beyond them become 0.
            key: of the random numbers, functions of (key, unit, column); None: nothing is drawn.
            threads: at least 1; the values are the same for any number.
        """
        self.layer.forward(v, h, 0, threads)
        _kernels.draw_units(h.values, None, n, True, key is not None, key or 0, threads)

    def visible_given(self, h: Activations, v: Activations, n: int, key: int | None, threads: int) -> None:
        """Fills v from h: means or, with a key, states; otherwise as `hidden_given`."""
        self.layer.input_gradient(h.values, v, v.values, threads)
        bernoulli = self.visible == "bernoulli"
        drawn = bernoulli and key is not None
        _kernels.draw_units(v.values, self.visible_bias, n, bernoulli, drawn, key or 0, threads)
        if key is not None and not bernoulli:
            _kernels.corrupt(v.values, batch=n, noise=1.0, keep_probability=1.0, key=key, threads=threads)

    def tiles(self, X: Matrix, threads: int) -> Iterator[tuple[slice, Activations, Activations]]:
        """All samples in order, a tile at a time: (which, their visible values, memory for hidden ones)."""
        width, made = self.width, self.columns(min(self.width, X.n_samples))
        with X.reader(np.arange(X.n_samples)) as reader:
            for start in range(0, X.n_samples, width):
                stop = min(X.n_samples, start + width)
                v, h = made
                reader.load(np.arange(start, stop), v.values, self.net.scaling, threads)
                yield slice(start, stop), v, h

    def value_tiles(self, hidden: Floats, threads: int) -> Iterator[tuple[slice, Activations, Activations]]:
        """As `tiles`, of given hidden values (n_samples, n_hidden) and memory for visible ones."""
        n, width = len(hidden), self.width
        v, h = self.columns(min(width, n))
        for start in range(0, n, width):
            stop = min(n, start + width)
            h.values[:] = 0
            h.values[:, : stop - start] = hidden[start:stop].T
            yield slice(start, stop), v, h


def next_key(key: int, number: int) -> int:
    """Key of the `number`-th draw of a chain whose first has `key`."""
    return (key + number) & (2**64 - 1)
