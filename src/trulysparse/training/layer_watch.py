"""Whether optimizer state still belongs to a network's layers, which code outside training may prune or replace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.optim import OptimizerState

if TYPE_CHECKING:
    from trulysparse.nn.mlp import SparseMLP
    from trulysparse.optim import Optimizer


def fits(layer: Any, optimizer_state: Any, optimizer: Optimizer | None = None) -> bool:
    """Whether optimizer state has the sizes of a layer and, where an optimizer is given, the form that it needs."""
    if not isinstance(optimizer_state, OptimizerState) or len(optimizer_state.weight) != len(optimizer_state.bias):
        return False
    if optimizer is not None:
        slot_type = layer.slot_type(optimizer)
        if len(optimizer_state.weight) != optimizer.n_slots or any(
            a.dtype != slot_type for a in (*optimizer_state.weight, *optimizer_state.bias)
        ):
            return False
    sizes = [(a, layer.n_updated) for a in optimizer_state.weight] + [
        (a, layer.bias.size) for a in optimizer_state.bias
    ]
    return all(a.shape == (size,) for a, size in sizes)


def check_optimizer_state(
    net: SparseMLP, optimizer_state: Sequence[OptimizerState], optimizer: Optimizer | None = None
) -> None:
    """InputError where `optimizer_state` is not optimizer state for this network."""
    layers = net.layers
    optimizer_state = checks.listed("optimizer_state", optimizer_state, "OptimizerState objects")
    if len(optimizer_state) != len(layers):
        raise InputError(
            f"optimizer_state must hold optimizer state of each of the {len(layers)} layers, "
            f"not of {len(optimizer_state)}"
        )
    for number, (layer, state) in enumerate(zip(layers, optimizer_state, strict=True)):
        if not isinstance(state, OptimizerState) or not fits(layer, state, optimizer):
            expected = f"values along {layer.n_updated} connections and {layer.bias.size} biases"
            if optimizer is not None:
                expected = f"{optimizer.n_slots} times {layer.slot_type(optimizer)} {expected}"
            raise InputError(
                f"optimizer_state[{number}] must hold {expected}: it belongs to another network or optimizer"
            )


def _maybe(thing: Any) -> Callable[[], Any]:
    """A weak reference, or, for None, a function that returns None."""
    return (lambda: None) if thing is None else ref(thing)


class LayerWatch:
    """What a network's layers were when optimizer state last belonged to them. Holds weak references to arrays only."""

    def __init__(self) -> None:
        self._optimizer: Optimizer | None = None
        self._sizes: tuple[int, ...] = ()
        self._layers: list[tuple[Any, Any, Any]] = []

    def unchanged(self, net: SparseMLP, optimizer: Optimizer) -> bool:
        """Whether layers, connectivity and optimizer are those of the last `remember`. Called at each step."""
        if optimizer is not self._optimizer or net.layer_sizes != self._sizes or len(net.layers) != len(self._layers):
            return False
        for layer, (known, connectivity, _) in zip(net.layers, self._layers, strict=False):
            if layer is not known or layer.connectivity is not connectivity():
                return False
        return True

    def remember(self, net: SparseMLP, optimizer_state: Sequence[OptimizerState], optimizer: Optimizer) -> None:
        """Takes the layers as they are now as those that the state belongs to."""
        self._optimizer, self._sizes = optimizer, net.layer_sizes
        self._layers = [
            (layer, ref(layer.connectivity), ref(state.weight[0]) if state.weight else None)
            for layer, state in zip(net.layers, optimizer_state, strict=True)
        ]

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles refer to their own layers: what was referred to weakly travels along."""
        layers = [(layer, con(), along and along()) for layer, con, along in self._layers]
        return self.__dict__ | {"_layers": layers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._layers = [
            (layer, _maybe(con), None if along is None else ref(along)) for layer, con, along in self._layers
        ]

    def stale(self, net: SparseMLP, optimizer_state: Sequence[OptimizerState], optimizer: Optimizer) -> list[int]:
        """Numbers of the layers that the state does not belong to: those replaced, of other sizes, or with other
        connections while the state along them is the old one. (Evolution and pruning that bring the state along put
        new arrays in its place.)"""
        stale = []
        for number, layer in enumerate(net.layers):
            if number >= min(len(optimizer_state), len(self._layers)) or not fits(
                layer, optimizer_state[number], optimizer
            ):
                stale.append(number)
                continue
            known, connectivity, along = self._layers[number]
            moved = along is None or along() is not optimizer_state[number].weight[0]
            if layer is not known or (layer.connectivity is not connectivity() and not moved):
                stale.append(number)
        return stale
