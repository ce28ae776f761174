"""The last layer of an autoencoder with tied ends: the first one's connections and weights, transposed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, Stored, zeros
from trulysparse.connectivity import Connectivity
from trulysparse.errors import InputError
from trulysparse.nn.activations import LayerActivation
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.base import Layer, ParameterGradient
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.optim import Optimizer, OptimizerState
from trulysparse.optim.rules import Rule, is_fused, sum_of
from trulysparse.optim.state import fresh_slots

_BLOCK = 1 << 18


class TiedLayer(IndexedLayer):
    """A layer whose weights are those of another one, transposed; its biases are its own.

    The index is shared with the other layer, the weights are a copy in this layer's order, which `follow` renews: a
    pass reads both ends in the order in which kernels walk them. It has optimizer state of its biases alone.

    Args:
        first: the layer to follow.
        bias: first.n_in values, or none.
        activation: see Layer.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> net = ts.SparseMLP((6, 3, 6), epsilon=1, tied=True, output="identity", seed=0)
        >>> first, last = net.layers
        >>> bool((last.weight.toarray() == first.weight.toarray().T).all())
        True
    """

    own_weights = False

    def __init__(self, first: IndexedLayer, bias: Floats, activation: LayerActivation) -> None:
        super().__init__(transposed(first.connectivity), first.in_order(first.values), bias, activation)
        self._gradient: ParameterGradient | None = None

    def follow(self, first: IndexedLayer) -> None:
        """Takes the connections and weights that the other layer has now.

        Args:
            first: the layer.
        """
        others = first.connectivity
        if self.connectivity.by_output is others.by_input:
            _gather(first.values, others.position, self.values)
        else:
            self.connectivity, self.values = transposed(others), first.in_order(first.values)

    def follows(self, first: IndexedLayer) -> bool:
        """Whether connections and weights are those of the other layer, transposed."""
        return is_transposed(self, first)

    def in_order(self, values: Floats) -> Floats:
        """See IndexedLayer; of tied ends this is done at each step."""
        return _gather(values, self.connectivity.position, np.empty_like(values))

    def weight_gradient(
        self, dy: Stored, x: Activations, dx: Stored | None, threads: int, earlier: ParameterGradient | None
    ) -> ParameterGradient:
        """Gradients of weights and biases as `gradients` gives them, in memory that the next call overwrites or, where
        there are those of the batch's earlier parts, added to them."""
        if earlier is not None:
            return self.gradients(dy, x, dx, threads, earlier, add=True)
        if self._gradient is None or self._gradient[0].size != self.n_connections:
            self._gradient = None
            self._gradient = self.new_gradient()
        return self.gradients(dy, x, dx, threads, self._gradient)

    def update(
        self,
        gradients: list[tuple[Floats, Floats, float]],
        optimizer_state: OptimizerState,
        rule: Rule,
        threads: int,
    ) -> None:
        """Updates the biases; the weights follow those of the other layer."""
        biases = [(bias, factor) for _, bias, factor in gradients]
        if not self.bias.size:
            return
        if is_fused(rule):
            _kernels.update(self.bias, *optimizer_state.padded()[2:], biases, rule, True, threads)
        else:
            rule.update(self.bias, sum_of(biases), optimizer_state.bias, True)

    def new_state(self, optimizer: Optimizer) -> OptimizerState:
        state = super().new_state(optimizer)
        return OptimizerState([zeros(0, each.dtype) for each in state.weight], state.bias, fresh_slots(optimizer))

    def backward_call(self, *arguments: Any, **settings: Any) -> None:
        """None: its gradients are no update of its own."""
        return None

    def copy(self) -> TiedLayer:
        twin = TiedLayer.__new__(TiedLayer)
        IndexedLayer.__init__(twin, self.connectivity, np.array(self.values), np.array(self.bias), self.activation)
        twin._gradient = None
        return twin

    def untied(self) -> IndexedLayer:
        """A layer of its own that uses this one's arrays as they are now."""
        return IndexedLayer(self.connectivity, self.values, self.bias, self.activation)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles have memory of their own."""
        return self.__dict__ | {"_gradient": None}


def _gather(values: Floats, position: NDArray[np.uint32], out: Floats) -> Floats:
    """out = values[position], block by block: NumPy would make 8-byte indices of all positions at once."""
    for start in range(0, len(position), _BLOCK):
        part = slice(start, start + _BLOCK)
        np.take(values, position[part], out=out[part], mode="clip")
    return out


def is_transposed(last: IndexedLayer, first: IndexedLayer) -> bool:
    """Whether a layer has the connections and weights of another one, transposed."""
    con, others = last.connectivity, first.connectivity
    pairs = ((con.by_input, others.by_output), (con.by_output, others.by_input))
    same = all(a is b or (np.array_equal(a.ptr, b.ptr) and np.array_equal(a.index, b.index)) for a, b in pairs)
    return same and np.array_equal(last.values, first.in_order(first.values))


def transposed(con: Connectivity) -> Connectivity:
    """The same connections from outputs to inputs; the arrays are shared but for the order between both."""
    position = np.empty_like(con.position)
    position[con.position] = np.arange(len(position), dtype=position.dtype)
    return Connectivity.paired(con.n_out, con.n_in, con.by_output, (con.by_input, position), con.threads)


def join_ends(layers: Sequence[Layer], gradients: Sequence[ParameterGradient]) -> None:
    """Adds the weights' gradient of a tied last layer to the first one's, and leaves 0 of it; of other layers nothing.

    Args:
        layers: of a network.
        gradients: of each, changed in place.
    """
    if isinstance(layers[-1], TiedLayer):
        own, other = gradients[0][0], gradients[-1][0]
        own += layers[-1].in_order(other)
        other[:] = 0


def check_tied(layer_sizes: Sequence[int], *, skip: bool, tiled: bool) -> None:
    """InputError where a network of this form cannot have tied ends."""
    if len(layer_sizes) < 3 or layer_sizes[0] != layer_sizes[-1] or layer_sizes[1] != layer_sizes[-2]:
        sizes = "-".join(map(str, layer_sizes))
        raise InputError(f"tied needs a last layer of the first one's sizes, transposed, as 784-100-784, not {sizes}")
    if skip:
        raise InputError("tied cannot be combined with skip")
    if tiled:
        raise InputError("tied needs storage='indexed'")


def checked_tied(tied: Any, density: Any, output_density: Any) -> bool:
    """Whether ends are to be tied; InputError where it is no truth value, or ends have densities of their own."""
    if not isinstance(tied, bool | np.bool_):
        raise InputError(f"tied must be True or False, not {tied!r:.80}")
    if tied and output_density is not None:
        raise InputError("tied cannot be combined with output_density: the last layer has the first one's connections")
    if tied and isinstance(density, Sequence | np.ndarray) and len(density) and density[0] != density[-1]:
        raise InputError(f"tied needs one density for both ends, not {density[0]} and {density[-1]}")
    return bool(tied)
