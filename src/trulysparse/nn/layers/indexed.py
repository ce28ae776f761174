"""IndexedLayer: connections indexed by input and by output neuron, and the two kernels that walk them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty
from trulysparse.connectivity import Connectivity
from trulysparse.errors import InputError
from trulysparse.nn.activations import KernelActivation
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.base import Layer
from trulysparse.optim import Optimizer, OptimizerState
from trulysparse.optim.optimizer import state_type
from trulysparse.optim.rules import Rule, gradient_rule, is_fused, sum_of


class IndexedLayer(Layer):
    """A layer whose connections are indexed by input and by output neuron.

    Args:
        connectivity: the connections.
        values: the weights, in the order of connectivity.by_input.
        bias: n_out values.
        activation: see Layer.
    """

    tiled = False
    connectivity: Connectivity

    def __init__(self, connectivity: Connectivity, values: Floats, bias: Floats, activation: KernelActivation) -> None:
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

    def forward(self, x: Activations, y: Activations, key: int, threads: int) -> None:
        con, values, bias = self.connectivity, self.values, self.bias
        arrays = con, values, bias, x.values
        call = y.prepared_call("forward", arrays)
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
                activation=y.activation,
                positive=y.sign_bits,
                kept=y.dropout_bits,
                keep_probability=y.keep_probability,
            )
            y.store_call("forward", self.n_connections, arrays, call)
        call(key, threads)

    def backward(
        self,
        dy: Floats,
        x: Activations,
        dx: Floats | None,
        optimizer_state: OptimizerState,
        rule: _kernels.UpdateRule,
        threads: int,
    ) -> None:
        self._backward(dy, x, dx, optimizer_state, rule, None, None, threads)

    def input_gradient(self, dy: Floats, x: Activations, dx: Floats, threads: int) -> None:
        """As backward, but parameters stay: writes dx alone."""
        self._backward(dy, x, dx, OptimizerState([], []), _kernels.UpdateRule(), None, None, threads)

    def gradients(
        self,
        dy: Floats,
        x: Activations,
        dx: Floats | None,
        threads: int,
        into: tuple[Floats, Floats] | None = None,
        add: bool = False,
    ) -> tuple[Floats, Floats]:
        if add and into is not None:
            # Not self.gradients: where that takes a lock, it has been taken.
            for total, gradient in zip(into, IndexedLayer.gradients(self, dy, x, dx, threads), strict=True):
                np.add(total, gradient, out=total)
            return into
        rule = gradient_rule()
        weight, bias = into or (empty(self.n_connections, self.values.dtype), np.empty_like(self.bias))
        self._backward(dy, x, dx, OptimizerState([], []), rule, weight, bias, threads)
        return weight, bias

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

    def update(
        self,
        gradients: list[tuple[Floats, Floats, float]],
        optimizer_state: OptimizerState,
        rule: Rule,
        threads: int,
    ) -> None:
        weights = [(weight, factor) for weight, _, factor in gradients]
        biases = [(bias, factor) for _, bias, factor in gradients]
        if not is_fused(rule):
            rule.update(self.values, sum_of(weights), optimizer_state.weight, False)
            rule.update(self.bias, sum_of(biases), optimizer_state.bias, True)
            return
        w0, w1, b0, b1 = optimizer_state.padded()
        _kernels.update(self.values, w0, w1, weights, rule, False, threads)
        _kernels.update(self.bias, b0, b1, biases, rule, True, threads)

    def _backward(
        self,
        dy: Floats,
        x: Activations,
        dx: Floats | None,
        optimizer_state: OptimizerState,
        rule: _kernels.UpdateRule,
        gradient: Floats | None,
        bias_gradient: Floats | None,
        threads: int,
    ) -> None:
        con, values, bias = self.connectivity, self.values, self.bias
        kernel = _kernels.backward if rule.updates else _kernels.gradients
        state = optimizer_state
        arrays = kernel, con, values, bias, gradient, bias_gradient, dy, dx, *state.weight, *state.bias
        call = x.prepared_call("backward", arrays)
        if call is None:
            rows = con.by_input
            call = kernel(
                ptr=rows.ptr,
                index=rows.index,
                weight=values,
                state=optimizer_state.weight,
                gradient=gradient,
                bias=bias,
                bias_state=optimizer_state.bias,
                bias_gradient=bias_gradient,
                dy=dy,
                x=x.values,
                dx=dx,
                long_rows=rows.long,
                activation=x.activation,
                positive=x.sign_bits,
                kept=x.dropout_bits,
                keep_probability=x.keep_probability,
            )
            x.store_call("backward", self.n_connections, arrays, call)
        call(rule, threads)
