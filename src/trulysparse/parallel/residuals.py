"""What compression left out of the gradients that were sent: it is added to the next gradient of the same shard (error
feedback)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty
from trulysparse.connectivity import Connectivity
from trulysparse.io.callback_state import Arrays
from trulysparse.nn.layers.indexed import IndexedLayer

ByShard = dict[int, list[Floats]]
"""For each shard, values along the connections of each layer."""


class Residuals:
    """The residuals of one worker. Safe for the worker's thread and one that reads them.

    Args:
        layers: whose connections they lie along.
        by_shard: to begin with.
    """

    def __init__(self, layers: Sequence[IndexedLayer] = (), by_shard: Mapping[int, list[Floats]] | None = None) -> None:
        self._connectivity = [layer.connectivity for layer in layers]  # evolution gives a layer another one
        self._by_shard = dict(by_shard or {})
        self._lock = threading.Lock()

    def follow(self, layers: Sequence[IndexedLayer]) -> None:
        """Brings the residuals in line with an evolved topology. Where neurons have gone they are dropped."""
        with self._lock:
            self._by_shard = self._carried(layers)
            self._connectivity = [layer.connectivity for layer in layers]

    def on(self, layers: Sequence[IndexedLayer]) -> ByShard:
        """The residuals along the connections of `layers`; they themselves stay as they are."""
        with self._lock:
            return self._carried(layers)

    def _carried(self, layers: Sequence[IndexedLayer]) -> ByShard:
        if not self._by_shard:
            return {}
        pairs = [(old, layer.connectivity) for old, layer in zip(self._connectivity, layers, strict=True)]
        if any((old.n_in, old.n_out) != (new.n_in, new.n_out) for old, new in pairs):
            return {}
        if all(old is new for old, new in pairs):
            return dict(self._by_shard)
        return {
            shard: [_on_topology_of(new, part, old) for part, (old, new) in zip(values, pairs, strict=True)]
            for shard, values in self._by_shard.items()
        }

    def add_to(self, weights: Sequence[Floats], shard: int) -> None:
        """Adds the residual of a shard to its gradient, in place."""
        for weight, residual in zip(weights, self._by_shard.get(shard, []), strict=False):
            np.add(weight, residual, out=weight)

    def keep(self, weights: Sequence[Floats], shard: int) -> None:
        """Takes a copy of what is left of a gradient."""
        left = [weight.copy() for weight in weights]
        with self._lock:
            self._by_shard[shard] = left


def _on_topology_of(new: Connectivity, values: Floats, old: Connectivity) -> Floats:
    """Values along the connections of `old`, as values along those of `new`: 0 where a connection is new."""
    a, b = old.by_input, new.by_input
    out = empty(new.n_connections, values.dtype)
    _kernels.carry(a.ptr, a.index, values, b.ptr, b.index, out, 1)
    return out


def to_arrays(residuals: Iterable[Residuals], layers: Sequence[IndexedLayer]) -> Arrays:
    """The residuals of all workers along `layers`, as a checkpoint holds them: of a shard that several workers have
    had, their sum."""
    total: ByShard = {}
    for each in residuals:
        for shard, values in each.on(layers).items():
            total[shard] = [a + b for a, b in zip(total[shard], values, strict=True)] if shard in total else values
    return {f"residual.{shard}.{k}": part for shard, values in total.items() for k, part in enumerate(values)}


def from_arrays(arrays: Mapping[str, Floats], n_layers: int) -> ByShard:
    """What `to_arrays` gave."""
    shards = {int(name.split(".")[1]) for name in arrays if name.startswith("residual.")}
    return {shard: [arrays[f"residual.{shard}.{k}"] for k in range(n_layers)] for shard in sorted(shards)}
