"""Candidates: copies of a fleet with weights of their own on the same connections, asked in one call of the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks, memory
from trulysparse._core.arrays import Floats, zeros
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.tile_pass import TilePass


class Candidates:
    """K variants of each agent of a fleet. Variant k of all agents is a fleet that shares the connectivity with the
    original, so that candidates take one value per connection, and no second and third copy of the indices.

    Args:
        fleet: the agents, N of them.
        count: K, at least 1.
        columns: samples of each candidate, at least 1.
        threads: at least 1; the same bits for any number.

    Attributes:
        fleets: of each variant; their values and biases are to be written to.
        x: the input, (K, N, n_inputs, columns padded), to be written to; the padding stays 0.
        columns: as given.

    Raises:
        NotEnoughMemoryError: where they would not fit into memory, before anything is allocated.

    Example:
        >>> import trulysparse as ts
        >>> candidates = Candidates(ts.Fleet(3, (4, 8, 1), density=0.5, output="identity"), 2, columns=5, threads=1)
        >>> candidates.x.shape, candidates.forward().shape
        ((2, 3, 4, 8), (2, 3, 1, 5))
        >>> candidates.fleets[0].layers[0].connectivity is candidates.fleets[1].layers[0].connectivity
        True
    """

    def __init__(self, fleet: Fleet, count: int, columns: int, threads: int) -> None:
        self.count = checks.integer("count", count, low=1)
        self.columns = checks.integer("columns", columns, low=1)
        self.threads = checks.thread_count(threads)
        stride = int(_kernels.padded_batch(columns))
        size = fleet.dtype.itemsize
        biases = fleet.n_agents * sum(fleet.layer_sizes[1:])
        values = fleet.n_connections + biases + fleet.n_agents * sum(fleet.layer_sizes) * stride
        memory.require(
            size * self.count * values,
            f"{count} candidates of each of {fleet.n_agents} agents, {columns} samples each",
            "take fewer candidates, homes or windows",
        )
        self.fleets = [fleet.copy() for _ in range(self.count)]
        self.x: Floats = zeros(self.count * fleet.n_agents * fleet.layer_sizes[0] * stride, fleet.dtype).reshape(
            self.count, fleet.n_agents, fleet.layer_sizes[0], stride
        )
        self._outputs: Floats = np.empty((self.count, fleet.n_agents, fleet.layer_sizes[-1], columns), fleet.dtype)
        self._tiles = []
        for each, x in zip(self.fleets, self.x, strict=True):
            tile = TilePass(each.network, each.network.workspace().signals(stride, 1.0))
            tile.signals[0] = Activations(x.reshape(-1, stride))
            self._tiles.append(tile)
        self._keys = [[0] * len(fleet.layers)] * self.count

    def forward(self) -> NDArray[Any]:
        """Computes all candidates on `x`.

        Returns:
            The outputs, (K, N, n_outputs, columns); the next call overwrites them.
        """
        calls = [tile.forward_calls() for tile in self._tiles]
        if all(each is not None for each in calls):
            _kernels.run_forward(calls, self._keys, self.threads)  # type: ignore[arg-type]
        else:
            for tile in self._tiles:
                tile.forward(0, self.threads)
        for out, tile in zip(self._outputs, self._tiles, strict=True):
            values = tile.signals[-1].values
            out[...] = values.reshape(*out.shape[:2], -1)[:, :, : self.columns]
        return self._outputs
