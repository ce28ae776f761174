"""What layers of every storage have in common, and what each of them must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, TypeAlias

import numpy as np
import scipy.sparse as sp

from trulysparse import _kernels
from trulysparse._core.arrays import HELD, Floats, Stored, empty, zeros
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.nn.activations import LayerActivation
from trulysparse.nn.activations_buffer import Activations
from trulysparse.optim import Optimizer, OptimizerState
from trulysparse.optim.optimizer import check_optimizer
from trulysparse.optim.rules import Rule, is_fused, sum_of
from trulysparse.optim.state import fresh_slots

ParameterGradient: TypeAlias = tuple[Floats, Floats]
"""One layer's: along connections (in the order of by_input, or of the tiles), along biases."""


class Layer(ABC):
    """y = f(W x + b) with W sparse: connections, one weight along each, one bias per output neuron, an activation.

    It knows nothing of losses, trainers or model files.

    Args:
        values: the weights, in the order of the connections.
        bias: n_out values of the same type, or none for a layer without biases.
        activation: f, as the kernels take it or as an object of the user's.
    """

    tiled: ClassVar[bool]
    """Whether connections lie in tiles (storage='compact')."""
    own_weights: ClassVar[bool] = True
    """Whether weights are updated here; those of a TiedLayer follow another layer's."""
    connectivity: Connectivity | TiledConnectivity

    def __init__(self, values: Stored, bias: Stored, activation: LayerActivation) -> None:
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

    @property
    def n_updated(self) -> int:
        """Weights that have optimizer state: one per connection, but of a layer whose weights are not its own."""
        return self.n_connections if self.own_weights else 0

    @property
    @abstractmethod
    def weight(self) -> sp.csr_array:
        """The weights as a csr_array (n_out, n_in). A copy: writing to it changes nothing here."""

    @abstractmethod
    def in_order(self, values: Floats) -> Floats:
        """Values along the connections in the order that `to_csr` wants."""

    @abstractmethod
    def to_csr(self, values: Floats) -> sp.csr_array:
        """Values, in the order of `in_order`, as a csr_array (n_out, n_in)."""

    @abstractmethod
    def forward(self, x: Activations, y: Activations, key: int, threads: int, add: bool = False) -> None:
        """Fills y.values, y's bits and pre-activation from x.values; `key` names the dropout stream. add: adds W x to
        what y.values holds instead; of a layer without biases and activation, a skip layer."""

    @abstractmethod
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
        """Updates weights and biases in place and writes the gradient at the pre-activation of x.

        Args:
            dy: the loss gradient at this layer's own pre-activation, n_out x stride.
            x: the layer's input, as the forward pass left it.
            dx: where to write, n_in x stride; it may be x.values. None: not wanted.
            optimizer_state: of this layer; updated too.
            rule: of the optimizer.
            threads: how many.
            gradient: the gradient of the batch's earlier parts, which rule.add adds to that of this one.
        """

    @abstractmethod
    def input_gradient(self, dy: Stored, x: Activations, dx: Stored, threads: int, add: bool = False) -> None:
        """As `backward`, but parameters stay: writes dx alone. add: to what dx holds; of a skip layer."""

    def forward_call(self, x: Activations, y: Activations, add: bool = False) -> _kernels.ForwardCall | None:
        """The kernel's call that `forward` makes, prepared, for passes that run all layers in one call. None: this
        layer cannot be run so."""
        return None

    def backward_call(
        self,
        dy: Stored,
        x: Activations,
        dx: Stored | None,
        optimizer_state: OptimizerState | None,
        gradient: ParameterGradient | None,
        add: bool = False,
    ) -> _kernels.BackwardCall | None:
        """The same of the backward pass. optimizer_state: None where parameters stay. gradient: arrays for gradients,
        or with those of the batch's earlier parts. add: see `input_gradient`."""
        return None

    @abstractmethod
    def gradients(
        self,
        dy: Stored,
        x: Activations,
        dx: Stored | None,
        threads: int,
        into: ParameterGradient | None = None,
        add: bool = False,
    ) -> ParameterGradient:
        """As `backward`, but parameters stay and their gradients are returned: (along connections, along biases).

        They are written to `into` where that is given or, with `add`, added to what is there.
        """

    @abstractmethod
    def slot_type(self, optimizer: Optimizer) -> np.dtype[Any]:
        """The type of optimizer state; InputError where this layer cannot have what the optimizer asks for."""

    def new_state(self, optimizer: Optimizer) -> OptimizerState:
        """Optimizer state for this layer, all zero."""
        check_optimizer(optimizer)
        kind, n = self.slot_type(optimizer), range(optimizer.n_slots)
        weight, bias = ([zeros(size, kind) for _ in n] for size in (self.n_connections, self.bias.size))
        return OptimizerState(weight, bias, fresh_slots(optimizer))

    def new_gradient(self) -> ParameterGradient:
        """Arrays for gradients: (along connections, along biases), not set."""
        kind = HELD["float32"] if self.values.dtype == HELD["bfloat16"] else self.values.dtype
        return empty(self.n_connections, kind), empty(self.bias.size, kind)

    def update(
        self,
        gradients: list[tuple[Floats, Floats, float]],
        optimizer_state: OptimizerState,
        rule: Rule,
        threads: int,
    ) -> None:
        """Updates weights and biases by the sum of gradients (along connections, along biases), each times its factor.

        Args:
            gradients: at least one; their arrays may be overwritten.
            optimizer_state: of this layer; updated too.
            rule: of the optimizer, fused or in arrays.
            threads: how many.

        Raises:
            InputError: where the rule is in arrays, and this layer's values are not arrays of floats in memory.
        """
        weights = [(weight, factor) for weight, _, factor in gradients]
        biases = [(bias, factor) for _, bias, factor in gradients] if self.bias.size else []
        if is_fused(rule):
            self._update(weights, biases, optimizer_state, rule, threads)
            return
        self._require_arrays(optimizer_state)
        rule.update(self.values, sum_of(weights), optimizer_state.weight, False)
        if biases:
            rule.update(self.bias, sum_of(biases), optimizer_state.bias, True)

    @abstractmethod
    def _update(
        self,
        weights: list[tuple[Floats, float]],
        biases: list[tuple[Floats, float]],
        optimizer_state: OptimizerState,
        rule: _kernels.UpdateRule,
        threads: int,
    ) -> None:
        """`update` by a fused rule. biases: empty for a layer without."""

    def _require_arrays(self, optimizer_state: OptimizerState) -> None:  # noqa: B027
        """InputError where a rule in arrays cannot update this layer."""

    @abstractmethod
    def copy(self) -> Layer:
        """A layer with weights and biases of its own, in memory; the connectivity, which never changes, is shared."""

    @abstractmethod
    def indexed(self, threads: int) -> Layer:
        """A copy whose connections are indexed by neuron."""

    def problem(self, n_in: int, n_out: int, dtype: np.dtype[Any], name: str) -> str | None:
        """What is wrong with a layer that should connect n_in x n_out neurons with weights of this type, or None.

        Does not look at single connections: whoever makes a connectivity checks it. Called at each step.
        """
        con, values, bias = self.connectivity, self.values, self.bias
        if con.n_in != n_in or con.n_out != n_out:
            return f"connects {con.n_in} x {con.n_out} neurons, not {n_in} x {n_out}"
        n_biases = 0 if isinstance(bias, np.ndarray) and bias.shape == (0,) else n_out
        for array, part, size in ((values, "values", con.n_connections), (bias, "bias", n_biases)):
            if not isinstance(array, np.ndarray):
                return f".{part} must be {name} of shape ({size},), not {type(array).__name__}"
            if array.shape != (size,) or array.dtype != dtype:
                return f".{part} must be {name} of shape ({size},), not {array.dtype} {array.shape}"
            if not array.flags.c_contiguous:
                return f".{part} must be contiguous: use np.ascontiguousarray"
        return None

    def snapshot(self) -> tuple[Any, Stored, Stored]:
        """Connections, weights and biases as they are now, for `restore`."""
        return self.connectivity, self.values.copy(), self.bias.copy()

    def restore(self, snapshot: tuple[Any, Stored, Stored]) -> None:
        """Puts a snapshot back. The optimizer state no longer belongs to the layer then."""
        self.connectivity, self.values, self.bias = snapshot

    # Layers in memory have nothing to do here; see MappedLayer.

    def fetch(self) -> None:  # noqa: B027
        """Called before the layer is used."""

    def release(self) -> None:  # noqa: B027
        """Called when the layer is not used for a while."""
