"""JointPasses: several networks on one batch, each pass of all of them one call of the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.sinks import InputGradient, Sink
from trulysparse.nn.tile_pass import TilePass


class JointPasses:
    """Passes of networks of the same sizes that share their input, such as twin critics.

    Args:
        nets: the networks, at least one.
        columns: width of a batch as `padded_batch` gives it.
        threads: at least 1; networks run side by side where there are threads for it.

    Attributes:
        x: (n_inputs, columns), the input, to be written to.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.rl.joint_passes import JointPasses
        >>> passes = JointPasses([ts.SparseMLP((4, 8, 2), epsilon=2, seed=seed) for seed in (0, 1)], 16, 1)
        >>> passes.x[:] = 1
        >>> [z.shape for z in passes.forward()]
        [(2, 16), (2, 16)]
    """

    def __init__(self, nets: Sequence[SparseMLP], columns: int, threads: int) -> None:
        self.tiles = [TilePass(net, net.workspace().signals(columns, 1.0)) for net in nets]
        self.threads = threads
        self._keys = [[0] * len(net.layers) for net in nets]
        shared = self.tiles[0].signals[0]
        shared.values[:] = 0
        for tile in self.tiles:
            tile.signals[0] = shared
        self.x: Floats = shared.values

    def forward(self, number: int | None = None) -> list[Floats]:
        """Computes all networks, or one, on `x`.

        Args:
            number: of the one; None: all.

        Returns:
            The output of each, (n_outputs, columns), in memory that the next pass overwrites.
        """
        tiles = self.tiles if number is None else self.tiles[number : number + 1]
        chains: list[Any] = []
        for tile in tiles:
            calls = tile.forward_calls()
            if calls is None:
                tile.forward(0, self.threads)
            else:
                chains.append(calls)
        if chains:
            _kernels.run_forward(chains, self._keys[: len(chains)], self.threads)
        return [tile.signals[-1].values for tile in tiles]

    def backward(self, dys: Sequence[Floats], sinks: Sequence[Sink], dxs: Sequence[Floats | None]) -> None:
        """Takes gradients at the outputs back, after `forward`.

        Args:
            dys: (n_outputs, columns) of each network.
            sinks: what becomes of the gradients of its parameters.
            dxs: (n_inputs, columns), where to write the gradient at its input; None: not wanted.
        """
        chains = []
        for tile, dy, sink, dx in zip(self.tiles, dys, sinks, dxs, strict=True):
            links = tile.backward_calls(dy, sink, dx)
            if links is None:
                tile.backward(dy, sink, self.threads, dx)
            else:
                chains.append(links)
        if chains:
            _kernels.run_backward(chains, self.threads)

    def backward_one(self, number: int, dy: Floats, sink: Sink) -> None:
        """Takes a gradient at the output of one network back; its input gradient is not wanted.

        Args:
            number: of the network.
            dy: (n_outputs, columns).
            sink: what becomes of the gradients of its parameters.
        """
        self.tiles[number].backward(dy, sink, self.threads)

    def input_gradient(self, number: int, dy: Floats, dx: Floats) -> None:
        """Takes a gradient at the output of one network back to its input; parameters stay as they are.

        Args:
            number: of the network.
            dy: (n_outputs, columns).
            dx: (n_inputs, columns), to be written to.
        """
        self.tiles[number].backward(dy, InputGradient(), self.threads, dx)

    def hidden(self, number: int) -> list[Floats]:
        """Activations of the hidden layers of one network after `forward`, (n_neurons, columns) each, gone after a
        backward pass."""
        return [signal.values for signal in self.tiles[number].signals[1:-1]]
