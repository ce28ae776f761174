"""What sparsify did: layer by layer, with bytes and speed, and what it left dense."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from trulysparse.torch.linear import SparseLinear

SAMPLES = 256
"""Rows of the batch that `speed` is measured with."""


@dataclass(frozen=True)
class LayerReport:
    """A layer that became sparse.

    Args:
        name: its names in the model.
        shape: (out_features, in_features).
        density: share of the weights that exist.
        connections: how many they are.
        bytes_before, bytes_after: of weights, indices and biases.
        training_bytes_before, training_bytes_after: with gradients and Adam's state.
        speed: times as fast as the dense layer, forward and backward of 256 samples, measured; None: it was not.
    """

    name: str
    shape: tuple[int, int]
    density: float
    connections: int
    bytes_before: int
    bytes_after: int
    training_bytes_before: int
    training_bytes_after: int
    speed: float | None


@dataclass(frozen=True)
class LeftDense:
    """A module that stayed dense.

    Args:
        name: its names in the model.
        kind: name of its class.
        reason: why.
    """

    name: str
    kind: str
    reason: str


@dataclass(frozen=True)
class SparsityReport:
    """What sparsify did; str() is a table.

    Args:
        layers: that became sparse.
        left: linear, recurrent and attention modules that stayed dense.

    Example:
        >>> from trulysparse.torch.report import LayerReport, SparsityReport
        >>> row = LayerReport("0", (256, 64), 0.1, 1638, 66560, 22000, 266240, 50000, None)
        >>> SparsityReport((row,), ()).bytes_after
        22000
    """

    layers: tuple[LayerReport, ...]
    left: tuple[LeftDense, ...]

    @property
    def bytes_before(self) -> int:
        """Of the layers that became sparse, before."""
        return sum(row.bytes_before for row in self.layers)

    @property
    def bytes_after(self) -> int:
        """Of the same layers, now."""
        return sum(row.bytes_after for row in self.layers)

    @property
    def density(self) -> float:
        """Of the layers that became sparse, together."""
        return sum(row.connections for row in self.layers) / sum(row.shape[0] * row.shape[1] for row in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {"layers": [asdict(row) for row in self.layers], "left": [asdict(row) for row in self.left]}

    def __str__(self) -> str:
        head = ("layer", "shape", "density", "connections", "bytes before", "after", "in training", "after", "speed")
        rows = [
            (
                row.name,
                f"{row.shape[1]} -> {row.shape[0]}",
                f"{row.density:.4g}",
                f"{row.connections:,}",
                f"{row.bytes_before:,}",
                f"{row.bytes_after:,}",
                f"{row.training_bytes_before:,}",
                f"{row.training_bytes_after:,}",
                "-" if row.speed is None else f"{row.speed:.2g}x",
            )
            for row in self.layers
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = [
            "  ".join(text.ljust(width) if i < 2 else text.rjust(width) for i, (text, width) in enumerate(cells))
            for cells in (list(zip(row, widths, strict=True)) for row in [head, *rows])
        ]
        lines += [f"left dense: {left.name} ({left.kind}): {left.reason}" for left in self.left]
        return "\n".join(lines)


def weight_bytes(layer: nn.Linear | SparseLinear) -> int:
    """Bytes of weights, biases and, of a sparse layer, both indices with positions and row pointers.

    Args:
        layer: dense or sparse.

    Returns:
        The bytes.

    Example:
        >>> from torch import nn
        >>> from trulysparse.torch.report import weight_bytes
        >>> weight_bytes(nn.Linear(4, 2))
        40
    """
    own = sum(parameter.numel() * parameter.element_size() for parameter in layer.parameters())
    if isinstance(layer, SparseLinear):
        con = layer.connectivity
        own += sum(each.nbytes for rows in (con.by_input, con.by_output) for each in (rows.ptr, rows.index))
        own += con.position.nbytes
    return own


def training_bytes(layer: nn.Linear | SparseLinear) -> int:
    """Bytes of a layer in training by Adam: with a gradient and two values of state per parameter.

    Args:
        layer: dense or sparse.

    Returns:
        The bytes.

    Example:
        >>> from torch import nn
        >>> from trulysparse.torch.report import training_bytes
        >>> training_bytes(nn.Linear(4, 2))
        160
    """
    return weight_bytes(layer) + 3 * sum(each.numel() * each.element_size() for each in layer.parameters())


def measured_speed(linear: nn.Linear, sparse: SparseLinear) -> float:
    """How many times as fast a sparse layer is as a dense one, in turns: forward and backward of 256 samples.

    Args:
        linear: the dense layer.
        sparse: of the same sizes.

    Returns:
        The ratio of the shortest times of eleven.

    Example:
        >>> from torch import nn
        >>> from trulysparse.torch import SparseLinear
        >>> from trulysparse.torch.report import measured_speed
        >>> linear = nn.Linear(64, 64)
        >>> measured_speed(linear, SparseLinear.from_linear(linear, 0.1)) > 0
        True
    """
    x = torch.zeros(SAMPLES, linear.in_features, dtype=linear.weight.dtype, requires_grad=True)
    times: dict[bool, float] = {}
    for turn in range(12):
        for is_sparse, layer in ((False, linear), (True, sparse)):
            taken = _taken(layer, x)
            if turn:  # the first one warms up
                times[is_sparse] = min(taken, times.get(is_sparse, taken))
    return times[False] / times[True]


def _taken(layer: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> float:
    with torch.enable_grad():
        start = time.perf_counter()
        y = layer(x)
        wanted = [each for each in (x, *layer.parameters()) if each.requires_grad]  # type: ignore[attr-defined]
        torch.autograd.grad(y, wanted, torch.ones_like(y))
        return time.perf_counter() - start
