"""Memory for one batch's activations, kept from batch to batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Stored, empty
from trulysparse.nn.activation_function import LayerFunction
from trulysparse.nn.activations import (
    IDENTITY,
    KernelActivation,
    LayerActivation,
    needs_pre_activation,
    needs_sign,
)

Types = Sequence[np.dtype[Any]]

# Prepared calls hold on to their arrays, so layers of more connections do without: there, preparing costs next to
# nothing, and evolution needs the memory back.
PREPARED_CONNECTIONS = 1 << 20


@dataclass
class Activations:
    """A layer's output for one batch; the network's input is one with identity activation.

    Args:
        values: (n_neurons, stride); the first columns are the samples.
        activation: that has been applied.
        sign_bits: one bit per value: whether its pre-activation was above 0. None where the derivative needs no bit.
        dropout_bits: one bit per value: whether dropout has kept it. None without dropout.
        keep_probability: of dropout; 1: none.
        pre_activation: as values. None where the derivative does not need it, and in predictions.

    Attributes:
        kernel: what the kernels apply of the activation: the identity where it is a function of the user's.
        function: that function, or None.
    """

    values: Stored
    activation: LayerActivation = IDENTITY
    sign_bits: NDArray[np.uint8] | None = None
    dropout_bits: NDArray[np.uint8] | None = None
    keep_probability: float = 1.0
    pre_activation: Stored | None = None
    kernel: KernelActivation = field(init=False, repr=False)
    function: LayerFunction | None = field(init=False, repr=False)
    _calls: dict[str, tuple[tuple[object, ...], Any]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.activation, tuple):
            self.kernel, self.function = self.activation, None
        else:
            self.kernel, self.function = IDENTITY, self.activation

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles prepare their own calls."""
        return self.__dict__ | {"_calls": {}}

    def prepared_call(self, purpose: str, arrays: tuple[object, ...]) -> Any:
        """The kernel's call that was prepared for these very arrays, or None."""
        stored = self._calls.get(purpose)
        if stored is None or len(stored[0]) != len(arrays) or not all(map(is_, stored[0], arrays)):
            return None
        return stored[1]

    def store_call(self, purpose: str, n_connections: int, arrays: tuple[object, ...], call: Any) -> None:
        """Stores a prepared call for the next batch, unless the layer is large."""
        if n_connections <= PREPARED_CONNECTIONS:
            self._calls[purpose] = arrays, call


def bit_bytes(n: int, stride: int, tiled: bool) -> int:
    """Bytes for one bit per value of n x stride: each row in whole bytes or, with tiles, all rows in one run, in groups
    of sixteen bits."""
    return (n * stride + 15) // 16 * 2 if tiled else n * int(_kernels.bit_stride(stride))


def stored_layers(n_sizes: int, every: int) -> list[bool]:
    """Which layers' activations (the input first, the output last) stay in memory from the forward to the backward pass
    where only those of each `every`-th do."""
    return [number % every == 0 or number == n_sizes - 1 for number in range(n_sizes)]


class TrainingWorkspace:
    """Activations of each layer (the input first) from the forward to the backward pass, in memory that the next batch
    uses again. The gradient at a layer's pre-activation overwrites its activations: they are not read after that.

    Args:
        sizes: neurons per layer, the input first.
        activations: of each layer, the input left out.
        types: how values are held, the input's first.
        every: keep the values of each every-th layer only; those between take turns in every - 1 buffers, and are
            computed again when the backward pass needs them.
        tiled: whether connections lie in tiles.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        activations: list[LayerActivation],
        types: Types,
        *,
        every: int = 1,
        tiled: bool = False,
    ) -> None:
        self._sizes = sizes
        self._kinds: list[LayerActivation] = [IDENTITY, *activations]
        self._types = types
        self._stored = stored_layers(len(sizes), every)
        self._every = every
        self._tiled = tiled
        self._flat: list[Stored] = []
        self._pre: list[Stored] = []
        self._bits: dict[str, list[np.ndarray]] = {}
        self.stride = 0
        self._made: dict[tuple[int, float], list[Activations]] = {}

    def signals(self, batch: int, keep_probability: float) -> list[Activations]:
        """Activations for a batch of `batch` samples. Dropout acts on hidden layers."""
        stride = int(_kernels.padded_batch(batch))
        if stride > self.stride:
            self._flat, self._pre, self._bits, self._made = [], [], {}, {}  # free the smaller ones first
            self.stride = stride
            self._flat = self._buffers([n * stride for n in self._sizes])
            needed = [needs_pre_activation(kind) for kind in self._kinds]
            self._pre = self._buffers([n * stride * need for n, need in zip(self._sizes, needed, strict=True)])
        made = self._made.get((stride, keep_probability))
        if made is None:
            made = [self._activations_of(layer, stride, keep_probability) for layer in range(len(self._sizes))]
            self._made[stride, keep_probability] = made
        return made

    def _buffers(self, sizes: list[int]) -> list[Stored]:
        """Memory for so many values of each layer; those that do not stay share buffers."""
        own = [size if stored else 0 for size, stored in zip(sizes, self._stored, strict=True)]
        flat = _arena(own, self._types)
        turns: dict[int, list[int]] = {}
        for number, stored in enumerate(self._stored):
            if not stored:
                turns.setdefault(number % self._every, []).append(number)
        for numbers in turns.values():
            shared = empty(max(sizes[number] for number in numbers), self._types[numbers[0]])
            for number in numbers:
                flat[number] = shared
        return flat

    def _bits_of(self, purpose: str, layer: int) -> np.ndarray:
        if purpose not in self._bits:
            sizes = [bit_bytes(n, self.stride, self._tiled) for n in self._sizes[1:-1]]
            self._bits[purpose] = [np.empty(size, np.uint8) for size in sizes]
        return self._bits[purpose][layer - 1]

    def _activations_of(self, layer: int, stride: int, keep_probability: float) -> Activations:
        n = self._sizes[layer]
        values = self._flat[layer][: n * stride].reshape(n, stride)
        if not 0 < layer < len(self._sizes) - 1:
            return Activations(values)
        activation = self._kinds[layer]
        dropping = keep_probability < 1
        return Activations(
            values,
            activation,
            self._bits_of("sign", layer) if needs_sign(activation) else None,
            self._bits_of("dropout", layer) if dropping else None,
            keep_probability if dropping else 1.0,
            self._pre[layer][: n * stride].reshape(n, stride) if needs_pre_activation(activation) else None,
        )


# Predictions take at most this many bytes at a time, unless a single sample needs more.
INFERENCE_BYTES = 1 << 30


def largest_batch(sizes: tuple[int, ...], types: Types, batch: int) -> int:
    """`batch`, or as many samples as predictions of a very wide network take at a time."""
    sample = 2 * max(n * kind.itemsize for n, kind in zip(sizes, types, strict=True))
    while batch > 1 and sample * batch > INFERENCE_BYTES:
        batch = (batch + 1) // 2
    return batch


class InferenceWorkspace:
    """Two buffers that layers use in turn; keeps_input: and one of the network's input alone."""

    def __init__(self, sizes: tuple[int, ...], types: Types, batch: int, keeps_input: bool = False) -> None:
        self._sizes = sizes
        self._types = types
        self.stride = int(_kernels.padded_batch(batch))
        sizes_bytes = [n * self.stride * types[layer].itemsize for layer, n in enumerate(sizes)]
        self._turns = [2 if keeps_input and layer == 0 else layer % 2 for layer in range(len(sizes))]
        wanted = [0, 0, 0]
        for turn, size in zip(self._turns, sizes_bytes, strict=True):
            wanted[turn] = max(wanted[turn], size)
        self._flat = _arena(wanted, [np.dtype(np.uint8)] * 3)

    def activations(self, layer: int, activation: LayerActivation) -> Activations:
        """For the output of layer number `layer` (0: the input)."""
        n, kind = self._sizes[layer], self._types[layer]
        values = self._flat[self._turns[layer]][: n * self.stride * kind.itemsize].view(kind)
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
