"""Memory for one batch's activations, kept from batch to batch."""

from __future__ import annotations

import numpy as np

from trulysparse import _kernels
from trulysparse._arrays import Floats, empty
from trulysparse.activations import KernelActivation
from trulysparse.layers import Signal


class TrainingWorkspace:
    """A Signal a layer (the input first) that lives from the forward to the backward pass. The gradient at a
    layer's pre-activation later overwrites its activations: nobody reads those after that."""

    def __init__(
        self, sizes: tuple[int, ...], activations: list[KernelActivation], dtype: np.dtype[np.floating]
    ) -> None:
        self._sizes = sizes
        self._activations: list[KernelActivation] = [(0, 0.0), *activations]
        self._dtype = dtype
        self._flat: list[Floats] = []
        self._bits: list[np.ndarray] = []
        self._stride = 0
        self._made: dict[tuple[int, float], list[Signal]] = {}

    def signals(self, batch: int, keep_probability: float) -> list[Signal]:
        """Signals for a batch of `batch` samples. Dropout acts on hidden layers."""
        stride = int(_kernels.padded_batch(batch))
        if stride > self._stride:
            bits = int(_kernels.bit_stride(stride))
            self._flat = []  # free the smaller ones first
            self._flat = _arena([n * stride for n in self._sizes], self._dtype)
            self._bits = [np.empty(2 * n * bits, np.uint8) for n in self._sizes[1:-1]]
            self._stride = stride
            self._made = {}
        made = self._made.get((stride, keep_probability))
        if made is None:
            made = [self._signal(layer, stride, keep_probability) for layer in range(len(self._sizes))]
            self._made[stride, keep_probability] = made
        return made

    def _signal(self, layer: int, stride: int, keep_probability: float) -> Signal:
        n = self._sizes[layer]
        values = self._flat[layer][: n * stride].reshape(n, stride)
        if not 0 < layer < len(self._sizes) - 1:
            return Signal(values)
        size = n * int(_kernels.bit_stride(stride))
        positive, kept = self._bits[layer - 1][:size], self._bits[layer - 1][size : 2 * size]
        activation = self._activations[layer]
        dropping = keep_probability < 1
        return Signal(
            values,
            activation,
            positive if activation[0] == 1 else None,
            kept if dropping else None,
            keep_probability if dropping else 1.0,
        )


class InferenceWorkspace:
    """Two buffers that layers use in turn."""

    def __init__(self, sizes: tuple[int, ...], dtype: np.dtype[np.floating], batch: int) -> None:
        self._sizes = sizes
        self.stride = int(_kernels.padded_batch(batch))
        self._flat = _arena([max(sizes[parity::2]) * self.stride for parity in (0, 1)], dtype)

    def signal(self, layer: int, activation: KernelActivation) -> Signal:
        """The Signal for the output of layer number `layer` (0: the input)."""
        n = self._sizes[layer]
        return Signal(self._flat[layer % 2][: n * self.stride].reshape(n, self.stride), activation)


def _arena(sizes: list[int], dtype: np.dtype[np.floating]) -> list[Floats]:
    """Arrays of these sizes in one piece of memory, each on a cache line of its own."""
    line = 64 // dtype.itemsize
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + -(-size // line) * line)
    whole = empty(starts[-1], dtype)
    return [whole[start : start + size] for start, size in zip(starts, sizes, strict=False)]
