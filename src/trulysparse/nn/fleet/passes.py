"""FleetPasses: passes of fleets of the same sizes on one input, each pass of all of them one call of the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Any, Protocol

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks, memory
from trulysparse._core.arrays import Floats
from trulysparse.connectivity import Connectivity
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.sinks import InputGradient, Sink
from trulysparse.nn.tile_pass import TilePass


class AnyFleet(Protocol):
    """What passes need of a Fleet."""

    @property
    def n_agents(self) -> int:
        """How many."""

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Of one agent."""

    @property
    def network(self) -> SparseMLP:
        """All agents as one network."""

    def check_layers(self) -> None:
        """InputError where the layers do not fit together."""


class FleetPasses:
    """Passes of fleets of the same sizes that share their input, such as the twin critics of all agents.

    Args:
        fleets: at least one, of the same number of agents and the same sizes.
        columns: samples of each agent, padded: a power of two up to 16 or a multiple of 16.
        threads: at least 1; the same bits for any number.

    Attributes:
        x: (N, n_inputs, columns), the input, to be written to.
        columns: as given.
        threads: as given.

    Raises:
        InputError: where columns is another number, or the fleets differ in their agents, sizes or types.
        NotEnoughMemoryError: where the activations would not fit into memory.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.nn.fleet.passes import FleetPasses
        >>> fleets = [ts.Fleet(3, (4, 8, 2), density=0.5, seed=seed) for seed in (0, 1)]
        >>> passes = FleetPasses(fleets, columns=16, threads=1)
        >>> passes.x[:] = 1
        >>> [z.shape for z in passes.forward()]
        [(3, 2, 16), (3, 2, 16)]
    """

    def __init__(self, fleets: Sequence[AnyFleet], columns: int, threads: int) -> None:
        columns = checks.integer("columns", columns, low=1)
        if int(_kernels.padded_batch(columns)) != columns:
            raise InputError(f"columns must be a power of two up to 16 or a multiple of 16, not {columns}")
        if not fleets:
            raise InputError("fleets must have at least one entry")
        first = fleets[0]
        for number, fleet in enumerate(fleets):
            fleet.check_layers()
            forms = [(each.n_agents, each.layer_sizes, each.network.dtype.name) for each in (first, fleet)]
            if forms[0] != forms[1]:
                raise InputError(
                    "fleets[{}] must have {} agents of sizes {} in {}, not {} of {} in {}".format(
                        number, *forms[0], *forms[1]
                    )
                )
        memory.require(
            first.network.dtype.itemsize * first.n_agents * columns * sum(first.layer_sizes) * len(fleets),
            f"the activations of {first.n_agents} agents on {columns} samples each",
            "choose fewer agents, smaller layers or smaller batches",
        )
        self.columns, self.threads, self.n_agents = columns, threads, first.n_agents
        self.tiles = [TilePass(f.network, f.network.workspace().signals(columns, 1.0)) for f in fleets]
        shared = self.tiles[0].signals[0]
        shared.values[:] = 0
        for tile in self.tiles:
            tile.signals[0] = shared
        self._look()

    def _look(self) -> None:
        """Makes what looks at the memory of the tiles."""
        self.x: Floats = self._by_agent(self.tiles[0].signals[0].values)
        self._outputs = [self._by_agent(tile.signals[-1].values) for tile in self.tiles]
        self._checked: list[tuple[list[Connectivity], bool] | None] = [None] * len(self.tiles)
        self._views: dict[int, tuple[Floats, Floats]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles look at memory of their own."""
        return {name: getattr(self, name) for name in ("columns", "threads", "n_agents", "tiles")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._look()

    def forward(self, number: int | None = None) -> list[Floats]:
        """Computes all fleets, or one, on `x`.

        Args:
            number: of the one; None: all.

        Returns:
            The output of each, (N, n_outputs, columns), in memory that the next pass overwrites.
        """
        numbers = range(len(self.tiles)) if number is None else range(number, number + 1)
        chains: list[Any] = []
        for each in numbers:
            tile = self.tiles[each]
            calls = tile.forward_calls() if self._in_blocks(each) else None
            if calls is None:
                tile.forward(0, self.threads)
            else:
                chains.append(calls)
        if chains:
            _kernels.run_fleet_forward(chains, self.n_agents, self.threads)
        return [self._outputs[each] for each in numbers]

    def backward(self, dys: Sequence[Floats], sinks: Sequence[Sink], dxs: Sequence[Floats | None]) -> None:
        """Takes gradients at the outputs back, after `forward`.

        Args:
            dys: (N, n_outputs, columns) of each fleet, contiguous; 0 in columns beyond the samples.
            sinks: what becomes of the gradients of its parameters.
            dxs: (N, n_inputs, columns), contiguous, where to write the gradient at its input; None: not wanted.

        Raises:
            InputError: where an array has another shape or type, or is not contiguous.
        """
        self._backward(range(len(self.tiles)), dys, sinks, dxs)

    def backward_one(self, number: int, dy: Floats, sink: Sink) -> None:
        """As `backward`, of one fleet alone, with whatever sink, such as the start of an evolution by gradient.

        Args:
            number: of the fleet.
            dy: (N, n_outputs, columns), contiguous.
            sink: what becomes of the gradients of its parameters.
        """
        self._backward([number], [dy], [sink], [None])

    def input_gradient(self, number: int, dy: Floats, dx: Floats) -> None:
        """Takes a gradient at the output of one fleet back to its input; parameters stay as they are.

        Args:
            number: of the fleet.
            dy: (N, n_outputs, columns), contiguous.
            dx: (N, n_inputs, columns), contiguous, to be written to.
        """
        self._backward([number], [dy], [InputGradient()], [dx])

    def hidden(self, number: int) -> list[Floats]:
        """Activations of the hidden layers of one fleet after `forward`, (N, n_neurons, columns) each, gone after a
        backward pass."""
        return [self._by_agent(signal.values) for signal in self.tiles[number].signals[1:-1]]

    def _backward(
        self, numbers: Sequence[int], dys: Sequence[Floats], sinks: Sequence[Sink], dxs: Sequence[Floats | None]
    ) -> None:
        chains = []
        for number, dy, sink, dx in zip(numbers, dys, sinks, dxs, strict=True):
            tile, flat = self.tiles[number], self._flat("dy", dy, self._outputs[number])
            flat_dx = None if dx is None else self._flat("dx", dx, self.x)
            links = tile.backward_calls(flat, sink, flat_dx) if self._in_blocks(number) else None
            if links is None:
                tile.backward(flat, sink, self.threads, flat_dx)
            else:
                chains.append(links)
        if chains:
            _kernels.run_fleet_backward(chains, self.n_agents, self.threads)

    def _in_blocks(self, number: int) -> bool:
        """Whether kernels can take a fleet agent by agent: no neuron has so many connections that threads share it.
        Looks at each topology once."""
        found = self._checked[number]
        cons = [layer.connectivity for layer in self.tiles[number].net.layers]
        if found is None or not all(map(is_, found[0], cons)):
            for layer, con in enumerate(cons):
                rows = con.by_input
                if not _kernels.is_block_diagonal(rows.ptr, rows.index, con.n_out, self.n_agents):
                    raise InputError(f"layers[{layer}] of fleet {number} has connections from one agent to another")
            whole = not any(len(con.by_input.long) or len(con.by_output.long) for con in cons)
            found = self._checked[number] = cons, whole
        return found[1]

    def _by_agent(self, values: Floats) -> Floats:
        return values.reshape(self.n_agents, -1, self.columns)

    def _flat(self, name: str, array: Floats, like: Floats) -> Floats:
        """(N, n, columns) as the rows of one layer; the same object for the same array, as prepared calls know it."""
        fits = isinstance(array, np.ndarray) and array.shape == like.shape and array.dtype == like.dtype
        if not fits or not array.flags.c_contiguous or (name == "dx" and not array.flags.writeable):
            given = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            what = "contiguous " + ("and writable " if name == "dx" else "")
            raise InputError(f"{name} must be a {what}array, {like.dtype} of shape {like.shape}, not {given}")
        known = self._views.get(id(array))
        if known is None or known[0] is not array:
            if len(self._views) >= 8:  # arrays that come and go
                self._views.clear()
            known = self._views[id(array)] = array, array.reshape(-1, self.columns)
        return known[1]
