"""A layer in the compact form: connections in tiles, no transposed index, weights in float32 or bfloat16. 4 bytes a
connection beside its weight. For networks of millions of neurons, where memory and random access are what binds."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import HELD, Floats, Stored, empty, widened, zeros
from trulysparse.connectivity import TiledConnectivity
from trulysparse.nn.activations import KernelActivation
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.indexed import Activations, OptimizerState, Parameters, gradient_rule
from trulysparse.optim.sgd import Optimizer


class TiledLayer(Parameters):
    """y = f(W x + b), as IndexedLayer; signals may be float32 or bfloat16, sums are in float32.

    values: the weights along connectivity.place. bias: n_out values of the same type. Where they are bfloat16, an
    update is rounded up or down at random, with the odds that keep it right on average: no update vanishes.
    """

    connectivity: TiledConnectivity

    def __init__(
        self, connectivity: TiledConnectivity, values: Stored, bias: Stored, activation: KernelActivation
    ) -> None:
        super().__init__(values, bias, activation)
        self.connectivity = connectivity

    @property
    def weight(self) -> sp.csr_array:
        """The weights as a scipy.sparse.csr_array (n_out, n_in) of float32. A copy."""
        return self.to_csr(widened(self.values))

    def in_order(self, values: Floats) -> Floats:
        """Values in the order that to_csr wants: the connections' own."""
        return values

    def to_csr(self, values: Floats) -> sp.csr_array:
        """Values along the connections as a csr_array (n_out, n_in)."""
        return self.connectivity.matrix(values)

    def forward(self, x: Activations, y: Activations, key: int, threads: int) -> None:
        """Fills y.values and y's bits from x.values; `key` names the dropout stream."""
        _kernels.tile_forward(
            self.connectivity.tiles,
            self.values,
            self.bias,
            x.values,
            y.values,
            activation=y.activation,
            positive=y.sign_bits,
            kept=y.dropout_bits,
            keep_probability=y.keep_probability,
            key=key,
            threads=threads,
        )

    def backward(
        self,
        dy: Stored,
        x: Activations,
        dx: Stored | None,
        optimizer_state: OptimizerState,
        rule: _kernels.UpdateRule,
        threads: int,
    ) -> None:
        """Updates weights and biases from dy, the loss gradient at this layer's pre-activation, and writes the
        gradient at the pre-activation of x to dx (which may be x.values itself; None: not wanted)."""
        self._backward(dy, x, dx, optimizer_state, rule, None, False, threads)

    def gradients(
        self,
        dy: Stored,
        x: Activations,
        dx: Stored | None,
        threads: int,
        into: tuple[Floats, Floats] | None = None,
        add: bool = False,
    ) -> tuple[Floats, Floats]:
        """As backward, but parameters stay and their gradients are returned in float32: (along connections, along
        biases), `into` where that is given, or added to what is there."""
        kind = HELD["float32"]
        found = into or (empty(self.n_connections, kind), empty(self.n_out, kind))
        self._backward(dy, x, dx, OptimizerState([], []), gradient_rule(), found, add, threads)
        return found

    def slot_type(self, optimizer: Optimizer) -> np.dtype[Any]:
        """The type of optimizer state."""
        return HELD[optimizer.state or "float32"]

    def new_state(self, optimizer: Optimizer) -> OptimizerState:
        """Optimizer state for this layer, all zero."""
        kind, n = self.slot_type(optimizer), range(optimizer.n_slots)
        return OptimizerState([zeros(self.n_connections, kind) for _ in n], [zeros(self.n_out, kind) for _ in n])

    def update(
        self,
        gradients: list[tuple[Floats, Floats, float]],
        optimizer_state: OptimizerState,
        rule: _kernels.UpdateRule,
        threads: int,
    ) -> None:
        """Updates weights and biases by the sum of gradients (along connections, along biases), each times its
        factor."""
        weight, bias, factor = gradients[0]
        if len(gradients) > 1 or factor != 1:
            weight, bias = weight * np.float32(factor), bias * np.float32(factor)
            for more, more_bias, share in gradients[1:]:
                weight += more * np.float32(share)
                bias += more_bias * np.float32(share)
        into, bias_into = self._into(optimizer_state)
        _kernels.tile_update(self.values, optimizer_state.weight, weight, into, rule, False, threads)
        _kernels.tile_update(self.bias, optimizer_state.bias, bias, bias_into, rule, True, threads)
        self._updated(optimizer_state)

    def evolve(
        self,
        keep: NDArray[np.uint8],
        count: int,
        init: WeightInit,
        keys: tuple[int, int],
        optimizer_state: OptimizerState,
        threads: int,
    ) -> None:
        """Connections with keep == 0 go, `count` come at uniformly random places that are then empty, their weights
        drawn by `init`, their optimizer state zero. keys: of the places' and of the weights' random streams."""
        con = self.connectivity
        size = int(np.count_nonzero(keep)) + count
        ptr, place, *moved = self._room(len(con.ptr), size, optimizer_state)
        _kernels.evolve_tiles(
            tiles=con.tiles,
            keep=keep,
            count=count,
            kind=init.kind,
            scale=init.scale(con),
            fresh_key=keys[1],
            key=keys[0],
            new_ptr=ptr,
            new_place=place,
            moved=list(zip([self.values, *optimizer_state.weight], moved, strict=True)),
            threads=threads,
        )
        self.values, optimizer_state.weight[:] = moved[0], moved[1:]
        self.connectivity = TiledConnectivity.trusted(con.n_in, con.n_out, con.shift, ptr, place)

    # ---- where arrays lie: in memory, written in place ----

    def _room(self, pointers: int, size: int, optimizer_state: OptimizerState) -> list[np.ndarray]:
        """Arrays for a new topology: pointers, places, weights, optimizer state."""
        kinds = [np.dtype(np.uint32), self.values.dtype, *(slot.dtype for slot in optimizer_state.weight)]
        return [empty(pointers, np.dtype(np.int64)), *(empty(size, kind) for kind in kinds)]

    def _into(self, optimizer_state: OptimizerState) -> tuple[list[Stored], list[Stored]]:
        """Where updated weights and state go, and biases and theirs; empty: in place."""
        return [], []

    def _updated(self, optimizer_state: OptimizerState) -> None:
        """Called when an update is complete."""

    def _backward(
        self,
        dy: Stored,
        x: Activations,
        dx: Stored | None,
        optimizer_state: OptimizerState,
        rule: _kernels.UpdateRule,
        gradients: tuple[Floats, Floats] | None,
        add: bool,
        threads: int,
    ) -> None:
        gradient, bias_gradient = gradients or (None, None)
        into, bias_into = self._into(optimizer_state) if gradients is None else ([], [])
        _kernels.tile_backward(
            self.connectivity.tiles,
            self.values,
            self.bias,
            x.values,
            dy,
            dx,
            state=optimizer_state.weight,
            gradient=gradient,
            into=into,
            bias_state=optimizer_state.bias,
            bias_gradient=bias_gradient,
            bias_into=bias_into,
            add=add,
            activation=x.activation,
            positive=x.sign_bits,
            kept=x.dropout_bits,
            keep_probability=x.keep_probability,
            rule=rule,
            threads=threads,
        )
        if gradients is None:
            self._updated(optimizer_state)
