"""Memory for one batch's activations, kept from batch to batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Stored, empty
from trulysparse.nn.activations import IDENTITY, KernelActivation
from trulysparse.nn.layers.indexed import Activations

Types = Sequence[np.dtype[Any]]


def bit_bytes(n: int, stride: int, tiled: bool) -> int:
    """Bytes for a bit a value of n x stride: each row in whole bytes or, in compact networks, all in a row, in groups
    of sixteen."""
    return (n * stride + 15) // 16 * 2 if tiled else n * int(_kernels.bit_stride(stride))


def kept_layers(n_signals: int, every: int) -> list[bool]:
    """Which of the signals (the input first, the output last) stay from the forward to the backward pass where only
    each `every`-th is kept."""
    return [number % every == 0 or number == n_signals - 1 for number in range(n_signals)]


class TrainingWorkspace:
    """A Activations a layer (the input first) that lives from the forward to the backward pass. The gradient at a
    layer's pre-activation later overwrites its activations: nobody reads those after that.

    types: how values are held, the input's first. every: keep the values of each every-th layer only; those between
    take turns in every - 1 buffers, and are computed again when the backward pass needs them. tiled: the network's
    storage."""

    def __init__(
        self,
        sizes: tuple[int, ...],
        activations: list[KernelActivation],
        types: Types,
        *,
        every: int = 1,
        tiled: bool = False,
    ) -> None:
        self._sizes = sizes
        self._activations: list[KernelActivation] = [IDENTITY, *activations]
        self._types = types
        self._kept = kept_layers(len(sizes), every)
        self._every = every
        self._tiled = tiled
        self._flat: list[Stored] = []
        self._bits: dict[str, list[np.ndarray]] = {}
        self._stride = 0
        self._made: dict[tuple[int, float], list[Activations]] = {}

    def signals(self, batch: int, keep_probability: float) -> list[Activations]:
        """Signals for a batch of `batch` samples. Dropout acts on hidden layers."""
        stride = int(_kernels.padded_batch(batch))
        if stride > self._stride:
            self._flat, self._bits, self._made = [], {}, {}  # free the smaller ones first
            self._stride = stride
            self._flat = self._buffers()
        made = self._made.get((stride, keep_probability))
        if made is None:
            made = [self._signal(layer, stride, keep_probability) for layer in range(len(self._sizes))]
            self._made[stride, keep_probability] = made
        return made

    def _buffers(self) -> list[Stored]:
        """Memory for each layer's values; those that are not kept share."""
        own = [n * self._stride if kept else 0 for n, kept in zip(self._sizes, self._kept, strict=True)]
        flat = _arena(own, self._types)
        turns: dict[int, list[int]] = {}
        for number, kept in enumerate(self._kept):
            if not kept:
                turns.setdefault(number % self._every, []).append(number)
        for numbers in turns.values():
            largest = max(self._sizes[number] for number in numbers) * self._stride
            shared = empty(largest, self._types[numbers[0]])
            for number in numbers:
                flat[number] = shared
        return flat

    def _bits_of(self, purpose: str, layer: int) -> np.ndarray:
        if purpose not in self._bits:
            sizes = [bit_bytes(n, self._stride, self._tiled) for n in self._sizes[1:-1]]
            self._bits[purpose] = [np.empty(size, np.uint8) for size in sizes]
        return self._bits[purpose][layer - 1]

    def _signal(self, layer: int, stride: int, keep_probability: float) -> Activations:
        n = self._sizes[layer]
        values = self._flat[layer][: n * stride].reshape(n, stride)
        if not 0 < layer < len(self._sizes) - 1:
            return Activations(values)
        activation = self._activations[layer]
        dropping = keep_probability < 1
        return Activations(
            values,
            activation,
            self._bits_of("positive", layer) if activation[0] == _kernels.Activation.LEAKY else None,
            self._bits_of("kept", layer) if dropping else None,
            keep_probability if dropping else 1.0,
        )


# Predictions take at most so much memory at a time, unless a single sample needs more.
INFERENCE_BYTES = 1 << 30


def largest_batch(sizes: tuple[int, ...], types: Types, batch: int) -> int:
    """`batch`, or as many samples as predictions of a very wide network take at a time."""
    sample = 2 * max(n * kind.itemsize for n, kind in zip(sizes, types, strict=True))
    while batch > 1 and sample * batch > INFERENCE_BYTES:
        batch = (batch + 1) // 2
    return batch


class InferenceWorkspace:
    """Two buffers that layers use in turn."""

    def __init__(self, sizes: tuple[int, ...], types: Types, batch: int) -> None:
        self._sizes = sizes
        self._types = types
        self.stride = int(_kernels.padded_batch(batch))
        room = [n * self.stride * types[layer].itemsize for layer, n in enumerate(sizes)]
        self._flat = _arena([max(room[parity::2]) for parity in (0, 1)], [np.dtype(np.uint8)] * 2)

    def signal(self, layer: int, activation: KernelActivation) -> Activations:
        """The Activations for the output of layer number `layer` (0: the input)."""
        n, kind = self._sizes[layer], self._types[layer]
        values = self._flat[layer % 2][: n * self.stride * kind.itemsize].view(kind)
        return Activations(values.reshape(n, self.stride), activation)


def _arena(sizes: list[int], types: Types) -> list[Stored]:
    """Arrays of these sizes in one piece of memory, each on a cache line of its own."""
    line, starts = 64, [0]
    for size, kind in zip(sizes, types, strict=True):
        starts.append(starts[-1] + -(-size * kind.itemsize // line) * line)
    whole = _kernels.empty_bytes(starts[-1])
    return [
        whole[start : start + size * kind.itemsize].view(kind)
        for start, size, kind in zip(starts, sizes, types, strict=False)
    ]
