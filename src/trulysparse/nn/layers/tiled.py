"""TiledLayer: connections in tiles, no transposed index, weights in float32 or bfloat16.

It takes 4 bytes per connection beside the weight. For networks of millions of neurons, where memory and random access
set the limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import HELD, Floats, Stored, empty, widened
from trulysparse._kernels import Draw, WeightScale
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.errors import InputError
from trulysparse.nn.activations import LayerActivation
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.base import Layer, ParameterGradient
from trulysparse.nn.layers.function_pass import apply_function, multiply_derivative
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.optim import NO_STATE, Optimizer, OptimizerState
from trulysparse.optim.optimizer import state_type
from trulysparse.optim.rules import gradient_rule, sum_of


class TiledLayer(Layer):
    """A layer whose connections lie in tiles; activations may be float32 or bfloat16, sums are in float32.

    Where weights are bfloat16, updates use unbiased stochastic rounding, so that small ones do not vanish.

    Args:
        connectivity: the connections.
        values: the weights, along connectivity.packed.
        bias: n_out values of the same type, or none.
        activation: see Layer.
    """

    tiled = True
    connectivity: TiledConnectivity

    def __init__(
        self, connectivity: TiledConnectivity, values: Stored, bias: Stored, activation: LayerActivation
    ) -> None:
        super().__init__(values, bias, activation)
        self.connectivity = connectivity

    @property
    def weight(self) -> sp.csr_array:
        """The weights as a csr_array (n_out, n_in) of float32. A copy."""
        return self.to_csr(widened(self.values))

    def in_order(self, values: Floats) -> Floats:
        return values

    def to_csr(self, values: Floats) -> sp.csr_array:
        return self.connectivity.matrix(values)

    def forward(self, x: Activations, y: Activations, key: int, threads: int, add: bool = False) -> None:
        _kernels.tile_forward(
            self.connectivity.tiles,
            self.values,
            self.bias,
            x.values,
            y.values,
            activation=y.kernel,
            positive=y.sign_bits,
            kept=y.dropout_bits,
            keep_probability=y.keep_probability,
            key=key,
            threads=threads,
            pre_activation=y.pre_activation,
            add=add,
        )
        if y.function is not None:
            apply_function(y, tiled=True)

    def backward(
        self,
        dy: Stored,
        x: Activations,
        dx: Stored | None,
        optimizer_state: OptimizerState,
        rule: _kernels.UpdateRule,
        threads: int,
        gradient: ParameterGradient | None = None,
    ) -> None:
        self._backward(dy, x, dx, optimizer_state, rule, gradient, self._into(optimizer_state), threads)
        self._updated(optimizer_state)

    def input_gradient(self, dy: Stored, x: Activations, dx: Stored, threads: int, add: bool = False) -> None:
        self._backward(dy, x, dx, NO_STATE, _kernels.UpdateRule(), None, ([], []), threads, add)

    def gradients(
        self,
        dy: Stored,
        x: Activations,
        dx: Stored | None,
        threads: int,
        into: ParameterGradient | None = None,
        add: bool = False,
    ) -> ParameterGradient:
        """See Layer.gradients; they are float32."""
        out = into or self.new_gradient()
        self._backward(dy, x, dx, NO_STATE, gradient_rule(add=add and into is not None), out, ([], []), threads)
        return out

    def copy(self) -> TiledLayer:
        return TiledLayer(self.connectivity, np.array(self.values), np.array(self.bias), self.activation)

    def indexed(self, threads: int) -> IndexedLayer:
        csr = self.weight
        indptr, indices = csr.indptr.astype(np.int64), csr.indices.astype(np.int32)
        con, order = Connectivity.from_outputs(self.n_in, self.n_out, indptr, indices, threads)
        return IndexedLayer(con, csr.data[order], np.array(widened(self.bias)), self.activation)

    def slot_type(self, optimizer: Optimizer) -> np.dtype[Any]:
        return HELD[state_type(optimizer) or "float32"]

    def _update(
        self,
        weights: list[tuple[Floats, float]],
        biases: list[tuple[Floats, float]],
        optimizer_state: OptimizerState,
        rule: _kernels.UpdateRule,
        threads: int,
    ) -> None:
        into, bias_into = self._into(optimizer_state)
        _kernels.tile_update(self.values, optimizer_state.weight, sum_of(weights), into, rule, False, threads)
        if biases:
            _kernels.tile_update(self.bias, optimizer_state.bias, sum_of(biases), bias_into, rule, True, threads)
        self._updated(optimizer_state)

    def _require_arrays(self, optimizer_state: OptimizerState) -> None:
        """InputError where a rule in arrays cannot update this layer."""
        for name, array in (("weights", self.values), *(("state", slot) for slot in optimizer_state.weight)):
            if array.dtype == np.uint16:
                raise InputError(
                    f"an optimizer whose rule works on arrays needs {name} of float32: NumPy has no bfloat16, which "
                    "updates would have to round at random; use SGD or Adam"
                )

    def evolve(
        self,
        keep_mask: NDArray[np.uint8],
        count: int,
        init: WeightInit | None,
        keys: tuple[int, int],
        optimizer_state: OptimizerState,
        threads: int,
    ) -> None:
        """Removes connections and grows as many as wanted at uniformly random coordinates that are then empty.

        Args:
            keep_mask: (n_connections,) uint8; 0: the connection goes.
            count: connections to grow.
            init: how their weights are drawn; None: they are zero. Their optimizer state is what optimizer_state.fresh
                says.
            keys: of the random streams of coordinates and of weights.
            optimizer_state: of this layer; brought along.
            threads: how many.
        """
        con = self.connectivity
        size = int(np.count_nonzero(keep_mask)) + count
        ptr, packed, *moved = self._new_arrays(len(con.ptr), size, optimizer_state)
        _kernels.evolve_tiles(
            tiles=con.tiles,
            keep=keep_mask,
            count=count,
            kind=Draw.UNIFORM if init is None else init.kind,
            scale=WeightScale(0.0) if init is None else init.scale(con, self.activation),
            fresh_key=keys[1],
            key=keys[0],
            new_ptr=ptr,
            new_place=packed,
            moved=list(zip([self.values, *optimizer_state.weight], moved, strict=True)),
            threads=threads,
            fill=[0.0, *(start or 0.0 for start in optimizer_state.fresh_values(keep_mask, threads))] if count else [],
        )
        self.values, optimizer_state.weight[:] = moved[0], moved[1:]
        self.connectivity = TiledConnectivity.trusted(con.n_in, con.n_out, con.shift, ptr, packed)

    # ---- where arrays lie: in memory, written in place ----

    def _new_arrays(self, pointers: int, size: int, optimizer_state: OptimizerState) -> list[np.ndarray]:
        """Arrays for a new topology: pointers, packed coordinates, weights, optimizer state."""
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
        gradient: ParameterGradient | None,
        into: tuple[list[Stored], list[Stored]],
        threads: int,
        add: bool = False,
    ) -> None:
        weight_gradient, bias_gradient = gradient or (None, None)
        _kernels.tile_backward(
            self.connectivity.tiles,
            self.values,
            self.bias,
            x.values,
            dy,
            dx,
            state=optimizer_state.weight,
            gradient=weight_gradient,
            into=into[0],
            bias_state=optimizer_state.bias,
            bias_gradient=bias_gradient,
            bias_into=into[1],
            activation=x.kernel,
            positive=x.sign_bits,
            kept=x.dropout_bits,
            keep_probability=x.keep_probability,
            rule=rule,
            threads=threads,
            pre_activation=x.pre_activation,
            add=add,
        )
        if x.function is not None and dx is not None:
            multiply_derivative(x, dx)
