"""One sparse layer: connectivity, weights, biases, and the two kernels that use them. It knows nothing of
losses, trainers or files."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import is_
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, Stored, empty, zeros
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.errors import InputError
from trulysparse.nn.activations import IDENTITY, KernelActivation
from trulysparse.optim.sgd import Optimizer

# Prepared calls hold on to their arrays, so layers of more connections do without: preparing is nothing to them, and
# evolution wants their memory back.
_KEPT_CONNECTIONS = 1 << 20


@dataclass
class Activations:
    """A layer's output for one batch: values, n x stride, and what the derivative of its activation needs, a bit a
    value. The network's input is a Activations with identity activation."""

    values: Stored
    activation: KernelActivation = IDENTITY
    sign_bits: NDArray[np.uint8] | None = None
    dropout_bits: NDArray[np.uint8] | None = None
    keep_probability: float = 1.0
    _calls: dict[str, tuple[tuple[object, ...], Any]] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles prepare calls of their own."""
        return self.__dict__ | {"_calls": {}}

    def call(self, purpose: str, arrays: tuple[object, ...]) -> Any:
        """The kernel's call that was kept for these very arrays (and what else it depends on), or None."""
        kept = self._calls.get(purpose)
        return kept[1] if kept is not None and all(map(is_, kept[0], arrays)) else None

    def keep(self, purpose: str, layer: Parameters, arrays: tuple[object, ...], call: Any) -> None:
        """Keeps a prepared call for next time, unless the layer is large."""
        if layer.n_connections <= _KEPT_CONNECTIONS:
            self._calls[purpose] = arrays, call


@dataclass
class OptimizerState:
    """Optimizer state of one layer: up to two arrays along its connections and two along its biases."""

    weight: list[Stored]
    bias: list[Stored]

    def copy(self) -> OptimizerState:
        """The same values in arrays of their own, in memory."""
        return OptimizerState([np.array(values) for values in self.weight], [np.array(values) for values in self.bias])

    def padded(self) -> tuple[Floats | None, Floats | None, Floats | None, Floats | None]:
        """(weight slot 0, weight slot 1, bias slot 0, bias slot 1), None where there is none."""
        w0, w1 = (*self.weight, None, None)[:2]
        b0, b1 = (*self.bias, None, None)[:2]
        return w0, w1, b0, b1


def gradient_rule() -> _kernels.UpdateRule:
    """The rule under which kernels give gradients and change no parameter."""
    rule = _kernels.UpdateRule()
    rule.kind = _kernels.Update.GRADIENT
    return rule


class Parameters:
    """What layers of both forms have: connections, a weight along each, a bias a neuron, and their activation."""

    connectivity: Connectivity | TiledConnectivity

    def __init__(self, values: Stored, bias: Stored, activation: KernelActivation) -> None:
        self.values = values
        self.bias = bias
        self.activation = activation

    @property
    def n_in(self) -> int:
        """Input neurons."""
        return self.connectivity.n_in

    @property
    def n_out(self) -> int:
        """Output neurons."""
        return self.connectivity.n_out

    @property
    def n_connections(self) -> int:
        """Stored weights, biases not counted."""
        return self.connectivity.n_connections

    def snapshot(self) -> tuple[Any, Stored, Stored]:
        """Connections, weights and biases as they are now, for `restore`."""
        return self.connectivity, self.values.copy(), self.bias.copy()

    def restore(self, kept: tuple[Any, Stored, Stored]) -> None:
        """Puts a snapshot back; the optimizer state is another's then."""
        self.connectivity, self.values, self.bias = kept

    def fetch(self) -> None:
        """Called before the layer is used; here its arrays are in memory."""

    def release(self) -> None:
        """Called when the layer is not used for a while."""


class IndexedLayer(Parameters):
    """y = f(W x + b) with W sparse, its connections indexed by input and by output neuron.

    values: the weights, in the order of connectivity.by_input. bias: n_out values.
    """

    connectivity: Connectivity

    def __init__(self, connectivity: Connectivity, values: Floats, bias: Floats, activation: KernelActivation) -> None:
        super().__init__(values, bias, activation)
        self.connectivity = connectivity

    @property
    def weight(self) -> sp.csr_array:
        """The weights as a scipy.sparse.csr_array (n_out, n_in). A copy: writing to it changes nothing here."""
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
        """Fills y.values and y's bits from x.values; `key` names the dropout stream."""
        con, values, bias = self.connectivity, self.values, self.bias
        arrays = con, values, bias, x.values
        call = y.call("forward", arrays)
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
            y.keep("forward", self, arrays, call)
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
        """Updates weights and biases in place from dy, the loss gradient at this layer's pre-activation, and
        writes the gradient at the pre-activation of x to dx (which may be x.values itself; None: not wanted)."""
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
        """As backward, but parameters stay and their gradients are returned: (along by_input, along biases), `into`
        where that is given, or added to what is there."""
        if add and into is not None:
            # Not self.gradients: where that takes a lock, it has been taken.
            for there, more in zip(into, IndexedLayer.gradients(self, dy, x, dx, threads), strict=True):
                np.add(there, more, out=there)
            return into
        rule = gradient_rule()
        weight, bias = into or (empty(self.n_connections, self.values.dtype), np.empty_like(self.bias))
        self._backward(dy, x, dx, OptimizerState([], []), rule, weight, bias, threads)
        return weight, bias

    def slot_type(self, optimizer: Optimizer) -> np.dtype[Any]:
        """The type of optimizer state, or InputError where this layer cannot have what the optimizer asks for."""
        if optimizer.state is not None and optimizer.state != str(self.values.dtype):
            raise InputError(
                f"state={optimizer.state!r} needs storage='compact'; here optimizer state has the weights' type"
            )
        kind: np.dtype[Any] = self.values.dtype
        return kind

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
        """Updates weights and biases by the sum of gradients (along by_input, along biases), each times its factor."""
        w0, w1, b0, b1 = optimizer_state.padded()
        weights = [(weight, factor) for weight, _, factor in gradients]
        biases = [(bias, factor) for _, bias, factor in gradients]
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
        w0, w1, b0, b1 = optimizer_state.padded()
        kernel = _kernels.backward if rule.updates else _kernels.gradients
        arrays = kernel, con, values, bias, w0, w1, b0, b1, gradient, bias_gradient, dy, dx
        call = x.call("backward", arrays)
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
            x.keep("backward", self, arrays, call)
        call(rule, threads)
