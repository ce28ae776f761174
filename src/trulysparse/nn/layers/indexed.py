"""IndexedLayer: connections indexed by input and by output neuron, and the two kernels that walk them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, Stored
from trulysparse.connectivity import Connectivity
from trulysparse.errors import InputError
from trulysparse.nn.activations import LayerActivation
from trulysparse.nn.activations_buffer import PREPARED_CONNECTIONS, Activations
from trulysparse.nn.layers.base import Layer, ParameterGradient
from trulysparse.nn.layers.function_pass import apply_function, multiply_derivative
from trulysparse.optim import NO_STATE, Optimizer, OptimizerState
from trulysparse.optim.optimizer import state_type
from trulysparse.optim.rules import gradient_rule


class IndexedLayer(Layer):
    """A layer whose connections are indexed by input and by output neuron.

    Args:
        connectivity: the connections.
        values: the weights, in the order of connectivity.by_input.
        bias: n_out values, or none.
        activation: see Layer.
    """

    tiled = False
    largest_prepared: ClassVar[int] = PREPARED_CONNECTIONS
    """Connections up to which calls of kernels are prepared for whole passes."""
    connectivity: Connectivity

    def __init__(self, connectivity: Connectivity, values: Floats, bias: Floats, activation: LayerActivation) -> None:
        super().__init__(values, bias, activation)
        self.connectivity = connectivity

    @property
    def weight(self) -> sp.csr_array:
        """The weights as a csr_array (n_out, n_in). A copy: writing to it changes nothing here."""
        return self.to_csr(self.in_order(self.values))

    def in_order(self, values: Floats) -> Floats:
        """Values along by_input as they lie along by_output."""
        return values[self.connectivity.position]

    def to_csr(self, values: Floats) -> sp.csr_array:
        """Values along by_output as a csr_array (n_out, n_in)."""
        con = self.connectivity
        # SciPy wants both index arrays of one type, and would downcast them where they fit.
        return sp.csr_array((values, con.indices.copy(), con.indptr.copy()), shape=(con.n_out, con.n_in))

    def forward(self, x: Activations, y: Activations, key: int, threads: int, add: bool = False) -> None:
        self._forward_call(x, y, add)(key, threads)
        if y.function is not None:
            apply_function(y, tiled=False)

    def forward_call(self, x: Activations, y: Activations, add: bool = False) -> _kernels.ForwardCall | None:
        if self.n_connections > self.largest_prepared or y.function is not None:
            return None
        return self._forward_call(x, y, add)

    def _forward_call(self, x: Activations, y: Activations, add: bool) -> _kernels.ForwardCall:
        purpose = "forward, added" if add else "forward"
        con, values, bias = self.connectivity, self.values, self.bias
        arrays = con, values, bias, x.values
        call: _kernels.ForwardCall | None = y.prepared_call(purpose, arrays)
        if call is None:
            rows = con.by_output
            call = _kernels.forward(
                ptr=rows.ptr,
                index=rows.index,
                position=con.position,
                weight=values,
                bias=bias,
                x=x.values,
                y=y.values,
                long_rows=rows.long,
                activation=y.kernel,
                positive=y.sign_bits,
                kept=y.dropout_bits,
                keep_probability=y.keep_probability,
                pre_activation=y.pre_activation,
                add=add,
            )
            y.store_call(purpose, self.n_connections, arrays, call)
        return call

    def backward(
        self,
        dy: Floats,
        x: Activations,
        dx: Floats | None,
        optimizer_state: OptimizerState,
        rule: _kernels.UpdateRule,
        threads: int,
        gradient: ParameterGradient | None = None,
    ) -> None:
        self._run_backward(dy, x, dx, optimizer_state, gradient, rule, threads)

    def input_gradient(self, dy: Floats, x: Activations, dx: Floats, threads: int, add: bool = False) -> None:
        self._run_backward(dy, x, dx, None, None, _kernels.UpdateRule(), threads, add)

    def gradients(
        self,
        dy: Floats,
        x: Activations,
        dx: Floats | None,
        threads: int,
        into: ParameterGradient | None = None,
        add: bool = False,
    ) -> ParameterGradient:
        out = into or self.new_gradient()
        self._run_backward(dy, x, dx, None, out, gradient_rule(add=add and into is not None), threads)
        return out

    def backward_call(
        self,
        dy: Stored,
        x: Activations,
        dx: Stored | None,
        optimizer_state: OptimizerState | None,
        gradient: ParameterGradient | None,
        add: bool = False,
    ) -> _kernels.BackwardCall | None:
        if self.n_connections > self.largest_prepared or x.function is not None:
            return None
        return self._backward_call(dy, x, dx, optimizer_state, gradient, add)

    def _run_backward(
        self,
        dy: Floats,
        x: Activations,
        dx: Floats | None,
        optimizer_state: OptimizerState | None,
        gradient: ParameterGradient | None,
        rule: _kernels.UpdateRule,
        threads: int,
        add: bool = False,
    ) -> None:
        self._backward_call(dy, x, dx, optimizer_state, gradient, add)(rule, threads)
        if x.function is not None and dx is not None:
            multiply_derivative(x, dx)

    def _backward_call(
        self,
        dy: Floats,
        x: Activations,
        dx: Floats | None,
        optimizer_state: OptimizerState | None,
        gradient: ParameterGradient | None,
        add: bool,
    ) -> _kernels.BackwardCall:
        purpose = "backward, added" if add else "backward"
        con, values, bias = self.connectivity, self.values, self.bias
        kernel = _kernels.gradients if optimizer_state is None else _kernels.backward
        state = optimizer_state or NO_STATE
        weight_gradient, bias_gradient = gradient or (None, None)
        arrays = kernel, con, values, bias, weight_gradient, bias_gradient, dy, dx, *state.weight, *state.bias
        call: _kernels.BackwardCall | None = x.prepared_call(purpose, arrays)
        if call is None:
            rows = con.by_input
            # Of a first layer of few inputs, the kernels may go output by output.
            outputs = con.by_output if dx is None and con.n_in < con.n_out else None
            call = kernel(
                ptr=rows.ptr,
                index=rows.index,
                weight=values,
                state=state.weight,
                gradient=weight_gradient,
                bias=bias,
                bias_state=state.bias,
                bias_gradient=bias_gradient,
                dy=dy,
                x=x.values,
                dx=dx,
                long_rows=rows.long,
                activation=x.kernel,
                positive=x.sign_bits,
                kept=x.dropout_bits,
                keep_probability=x.keep_probability,
                pre_activation=x.pre_activation,
                add=add,
                by_output=None if outputs is None else (outputs.ptr, outputs.index, con.position),
            )
            x.store_call(purpose, self.n_connections, arrays, call)
        return call

    def copy(self) -> IndexedLayer:
        return IndexedLayer(self.connectivity, np.array(self.values), np.array(self.bias), self.activation)

    def indexed(self, threads: int) -> IndexedLayer:
        return self.copy()

    def slot_type(self, optimizer: Optimizer) -> np.dtype[Any]:
        state = state_type(optimizer)
        if state is not None and state != str(self.values.dtype):
            raise InputError(f"state={state!r} needs storage='compact'; here optimizer state has the weights' type")
        kind: np.dtype[Any] = self.values.dtype
        return kind

    def _update(
        self,
        weights: list[tuple[Floats, float]],
        biases: list[tuple[Floats, float]],
        optimizer_state: OptimizerState,
        rule: _kernels.UpdateRule,
        threads: int,
    ) -> None:
        w0, w1, b0, b1 = optimizer_state.padded()
        _kernels.update(self.values, w0, w1, weights, rule, False, threads)
        if biases:
            _kernels.update(self.bias, b0, b1, biases, rule, True, threads)
