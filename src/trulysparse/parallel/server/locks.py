"""Layers that several threads use at once, each under a lock for many readers or one writer.

A reader may see one layer some updates older or newer than another (stale weights). It never sees a weight or a
momentum in the middle of an update. Evolution replaces arrays and does not write into existing ones, so readers need
not wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trulysparse._core.arrays import Floats
from trulysparse._kernels import SharedLock
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.indexed import IndexedLayer


@contextmanager
def reading(lock: SharedLock) -> Iterator[None]:
    """Holds the lock for reading: other readers may hold it at the same time, a writer may not."""
    lock.acquire_shared()
    try:
        yield
    finally:
        lock.release_shared()


@contextmanager
def writing(lock: SharedLock) -> Iterator[None]:
    """Holds the lock for writing: nobody else holds it at the same time."""
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


class SharedLayer(IndexedLayer):
    """Shares the arrays of another layer and reads them under its lock."""

    def __init__(self, layer: IndexedLayer, lock: SharedLock) -> None:
        super().__init__(layer.connectivity, layer.values, layer.bias, layer.activation)
        self._lock = lock

    def forward_call(self, x: Activations, y: Activations, add: bool = False) -> None:
        """None: a pass of all layers in one call would hold no lock."""

    def backward_call(self, *arguments: Any) -> None:
        """See forward_call."""

    def forward(self, x: Activations, y: Activations, key: int, threads: int, add: bool = False) -> None:
        with reading(self._lock):
            super().forward(x, y, key, threads, add)

    def gradients(
        self,
        dy: Floats,
        x: Activations,
        dx: Floats | None,
        threads: int,
        into: tuple[Floats, Floats] | None = None,
        add: bool = False,
    ) -> tuple[Floats, Floats]:
        with reading(self._lock):
            return super().gradients(dy, x, dx, threads, into, add)
