"""Layers that several threads use at once: readers compute with the weights as they are, writers update them, never
both.

A reader may see a layer some updates older or newer than the next: a stale weight. It never sees a weight or a momentum
in the middle of its update. Evolution replaces arrays and writes into none, so it needs no reader to wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trulysparse._core.arrays import Floats
from trulysparse._kernels import SharedLock
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.indexed import IndexedLayer


@contextmanager
def reading(lock: SharedLock) -> Iterator[None]:
    """Others may read too."""
    lock.acquire_shared()
    try:
        yield
    finally:
        lock.release_shared()


@contextmanager
def writing(lock: SharedLock) -> Iterator[None]:
    """Alone."""
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


class SharedLayer(IndexedLayer):
    """The arrays of another layer, read under its lock."""

    def __init__(self, layer: IndexedLayer, lock: SharedLock) -> None:
        super().__init__(layer.connectivity, layer.values, layer.bias, layer.activation)
        self._lock = lock

    def forward(self, x: Activations, y: Activations, key: int, threads: int) -> None:
        with reading(self._lock):
            super().forward(x, y, key, threads)

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
