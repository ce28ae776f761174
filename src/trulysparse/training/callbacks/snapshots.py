"""Snapshots of a network's layers as the state of a callback: arrays, and what else it takes to make them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trulysparse._core import checks
from trulysparse._core.arrays import Stored, type_name
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP

Snapshot = tuple[Any, Stored, Stored]
"""Connections, weights and biases of a layer; see layer.snapshot."""


def to_state(snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    """The snapshots of a network's layers, as Callback.state has them."""
    state: dict[str, Any] = {"layers": [_sizes(con) for con, _, _ in snapshots]}
    for number, (con, values, bias) in enumerate(snapshots):
        tiled = isinstance(con, TiledConnectivity)
        ptr, index = (con.ptr, con.packed) if tiled else (con.by_input.ptr, con.by_input.index)
        state |= {f"{number}.{name}": a for name, a in zip(_NAMES, (ptr, index, values, bias), strict=True)}
    return state


_NAMES = ("ptr", "index", "weight", "bias")


def _sizes(con: Connectivity | TiledConnectivity) -> list[int]:
    return [con.n_in, con.n_out, con.shift if isinstance(con, TiledConnectivity) else 0]


def from_state(state: dict[str, Any], net: SparseMLP) -> list[Snapshot] | None:
    """The snapshots that `to_state` gave, of layers of `net`; None where there are none.

    Raises:
        InputError: where they are damaged, or of another network.
    """
    if "layers" not in state:
        return None
    if len(state["layers"]) != len(net.layers):
        raise InputError(f"a snapshot has {len(state['layers'])} layers, the network {len(net.layers)}")
    found = []
    for number, (sizes, layer) in enumerate(zip(state["layers"], net.layers, strict=True)):
        n_in, n_out, shift = (checks.integer("sizes", each, low=0) for each in sizes)
        ptr, index, values, bias = (state[f"{number}.{name}"] for name in _NAMES)
        con: Connectivity | TiledConnectivity
        if net.storage_config.tiled:
            con = TiledConnectivity(n_in, n_out, shift, ptr, index)
        else:
            con = Connectivity.from_inputs(n_in, n_out, ptr, index, net.threads)
        fits = values.shape == (con.n_connections,) and bias.shape in ((0,), (n_out,))
        if not fits or type_name(values) != type_name(layer.values):
            raise InputError(f"the snapshot of layer {number} does not hold together")
        found.append((con, values, bias))
    return found
