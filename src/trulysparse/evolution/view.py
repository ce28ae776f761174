"""What a prune or growth rule may look at: one layer at the moment of its evolution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty
from trulysparse._core.random import stream_key
from trulysparse.connectivity.coordinates import KeepMask, NewConnections, Uniform, absent, chosen
from trulysparse.errors import InputError
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.optim import OptimizerState


@dataclass
class LayerView:
    """One layer in one evolution.

    layer: with connectivity and values (weights in the order of connectivity.by_input). optimizer_state: its optimizer state.
    number: from 0. fraction: of connections to replace now. key: of this evolution's random streams. memory: a
    dictionary that this layer's rules find again at the next evolution. x, dy: where a rule asked for gradients, the
    layer's input (n_in x stride) and the loss gradient at its pre-activation (n_out x stride) for the batch at hand.
    keep: the prune rule's decision. moved: weights that it wants the layer to have then, or None: those it has. grown:
    the growth rule's decision. count: connections to grow.
    """

    layer: IndexedLayer | TiledLayer
    optimizer_state: OptimizerState
    number: int
    fraction: float
    key: int
    threads: int
    rule_state: dict[str, Any] = field(default_factory=dict)
    x: Floats | None = None
    dy: Floats | None = None
    keep_mask: KeepMask | None = None
    moved: Floats | None = None
    new_connections: NewConnections | Uniform | None = None
    count: int = 0

    def stream(self, purpose: str) -> int:
        """The key of this layer's random stream for `purpose`."""
        return stream_key(self.key, purpose, self.number)

    @property
    def removed(self) -> int:
        """Connections that the prune rule removes."""
        return 0 if self.keep_mask is None else self.layer.n_connections - int(np.count_nonzero(self.keep_mask))

    @property
    def n_empty(self) -> int:
        """Places that are empty once the prune rule has had its way."""
        return self.layer.n_in * self.layer.n_out - self.layer.n_connections + self.removed

    def restore_regrown(self) -> None:
        """Connections that were removed and chosen to grow stay instead."""
        if (
            self.keep_mask is None
            or self.new_connections is None
            or isinstance(self.new_connections, Uniform)
            or not self.count
        ):
            return
        rows = self.layer.connectivity.by_input
        existing = (rows.ptr, rows.index)
        new = absent(self.new_connections, existing, self.threads)
        if new.all():
            return
        again = chosen(self.new_connections, 1 - new, self.threads)
        self.keep_mask = self.keep_mask | (1 - absent(existing, again, self.threads))
        self.new_connections = chosen(self.new_connections, new, self.threads)
        self.count = len(self.new_connections[1])

    def signals(self) -> tuple[Floats, Floats]:
        """(x, dy), or InputError where this evolution has no batch."""
        if self.x is None or self.dy is None:
            raise InputError("this rule needs gradients: declare needs_gradient = True on it, or give evolve a batch")
        return self.x, self.dy

    def gradient(self) -> Floats:
        """The loss gradient along the layer's connections, in the order of connectivity.by_input."""
        rows = self.layer.connectivity.by_input
        return self.gradient_at((rows.ptr, rows.index))

    def gradient_at(self, places: NewConnections) -> Floats:
        """The loss gradient at any places, connected or not. Time len(places) * batch."""
        x, dy = self.signals()
        ptr, index = places
        out = empty(len(index), self.layer.values.dtype)
        _kernels.gradient_at(ptr, index, x, dy, out, self.threads)
        return out


def check_keep_mask(view: LayerView, rule: object) -> None:
    """InputError where a prune rule has not returned a mark a connection."""
    keep, n = view.keep_mask, view.layer.n_connections
    if not isinstance(keep, np.ndarray) or keep.dtype != np.uint8 or keep.shape != (n,):
        found = f"{keep.dtype} {keep.shape}" if isinstance(keep, np.ndarray) else type(keep).__name__
        raise InputError(f"{_name(rule)} must return uint8 marks of shape ({n},), one a connection, not {found}")


def check_new_connections(view: LayerView, rule: object) -> None:
    """InputError where a growth rule has not returned view.count places. Rules from uniform_excluding_pruned are also checked place by
    place: each in range, once, and empty."""
    assert view.new_connections is not None
    if isinstance(view.layer, TiledLayer):
        if not isinstance(view.new_connections, Uniform) or view.new_connections.count != view.count:
            raise InputError(
                f"{_name(rule)} must return Uniform({view.count}) for a layer in tiles, not {view.new_connections!r}"
            )
        return
    if not isinstance(view.new_connections, tuple) or len(view.new_connections) != 2:
        raise InputError(
            f"{_name(rule)} must return places (row pointers, outputs), not {type(view.new_connections).__name__}"
        )
    ptr, index = view.new_connections
    name, n_in, n_out = _name(rule), view.layer.n_in, view.layer.n_out
    fits = ptr.dtype == np.int64 and index.dtype == np.int32
    fits = fits and ptr.shape == (n_in + 1,) and index.shape == (view.count,)
    if not fits or ptr[0] != 0 or ptr[-1] != view.count:
        raise InputError(
            f"{name} must return {view.count} places: row pointers, int64 ({n_in + 1},), and outputs, int32 "
            f"({view.count},), not {ptr.dtype} {ptr.shape} and {index.dtype} {index.shape}"
        )
    if getattr(rule, "__module__", "").startswith("trulysparse."):
        return
    if _kernels.first_invalid(ptr, index, n_out) >= 0:
        raise InputError(f"{name} must return outputs from 0 to {n_out - 1}, ascending and each once within a row")
    rows = view.layer.connectivity.by_input
    held = view.count - np.count_nonzero(absent((ptr, index), (rows.ptr, rows.index), view.threads, view.keep_mask))
    if held:
        raise InputError(f"{name} returned {held} places that hold a connection that stays")


def _name(rule: object) -> str:
    return getattr(rule, "__name__", type(rule).__name__)
