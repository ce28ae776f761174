"""FleetLayer: one layer of all networks of a fleet, an indexed layer whose connections lie in blocks."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.connectivity import Connectivity
from trulysparse.nn.activations import LayerActivation
from trulysparse.nn.layers.indexed import IndexedLayer


class FleetLayer(IndexedLayer):
    """A layer of n_agents networks side by side: its weight matrix is block-diagonal.

    Agent i has the input neurons [i * a, (i + 1) * a) and the output neurons [i * b, (i + 1) * b) of a = n_in /
    n_agents and b = n_out / n_agents. Its connections lie next to each other, by input as by output.

    Args:
        connectivity: the connections, none from one agent to another.
        values: the weights, in the order of connectivity.by_input.
        bias: n_out values, or none.
        activation: see Layer.
        n_agents: at least 1.

    Example:
        >>> import trulysparse as ts
        >>> layer = ts.Fleet(3, (4, 8, 2), density=0.5, seed=0, threads=1).layers[0]
        >>> layer.n_in, layer.n_out, layer.blocks.tolist()
        (12, 24, [0, 13, 26, 39])
    """

    largest_prepared: ClassVar[int] = 2**32

    def __init__(
        self, connectivity: Connectivity, values: Floats, bias: Floats, activation: LayerActivation, n_agents: int
    ) -> None:
        super().__init__(connectivity, values, bias, activation)
        self.n_agents = n_agents

    @property
    def blocks(self) -> NDArray[np.int64]:
        """Where each agent's connections begin, n_agents + 1 places: agent i's are [blocks[i], blocks[i + 1])."""
        return np.ascontiguousarray(self.connectivity.by_input.ptr[:: self.n_in // self.n_agents])

    @property
    def connections_per_agent(self) -> NDArray[np.int64]:
        """Connections of each agent, (n_agents,)."""
        return np.diff(self.blocks)

    def copy(self) -> FleetLayer:
        return FleetLayer(self.connectivity, np.array(self.values), np.array(self.bias), self.activation, self.n_agents)
