"""Size: what a network takes on a device, to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trulysparse.export.c_forms import Emitted, emit
from trulysparse.export.device_network import DeviceNetwork


@dataclass(frozen=True)
class LayerSize:
    """Bytes of a layer's constant arrays.

    Args:
        name: its sizes, such as '784-1000'.
        n_connections: weights that the network has there.
        form: of the index: 'full' (none), 'u16' or 'delta8'.
        n_bridges: connections of weight 0 that 'delta8' adds.
        weights: bytes of the weights.
        index: bytes of the index.
        rows: bytes of what there is once per output: lengths, biases, scales.
        other: bytes of anything else, such as an activation's table.

    Example:
        >>> LayerSize("4-8", 10, "u16", 0, 40, 20, 40, 0).flash
        100
    """

    name: str
    n_connections: int
    form: str
    n_bridges: int
    weights: int
    index: int
    rows: int
    other: int

    @property
    def flash(self) -> int:
        """All of it."""
        return self.weights + self.index + self.rows + self.other


@dataclass(frozen=True)
class Size:
    """Bytes of a network in C: exactly those of its arrays. Code comes on top of flash (about 1 kB, as the compiler
    makes it), and the stack on top of RAM (about 100 bytes).

    Args:
        weights: 'float32' or 'int8'.
        layers: a skip layer last.
        other: bytes of what belongs to no layer: scaling, bounds of actions, the head of a data file or blob.
        ram: bytes of the static buffers; of a training, of the memory that it takes without momentum, a sample a step,
            where pointers have 32 bits (see train_memory).
        files: those that were written.

    Example:
        >>> import trulysparse as ts
        >>> size = ts.export.c(ts.SparseMLP((64, 100, 10), epsilon=5, seed=0), "net.c", index="u16")
        >>> size.flash, size.ram  # 1,370 connections of 6 bytes and 110 lengths; 110 activations of 4 bytes
        (8330, 440)
        >>> print(size)
        layer    connections  index  weights  indices  rows  other  flash
        64-100           820    u16    3,280    1,640   100      0  5,020
        100-10           550    u16    2,200    1,100    10      0  3,310
        network                                                  0      0
        flash (bytes, without code)                                 8,330
        RAM (bytes, without stack)                                    440
    """

    weights: str
    layers: tuple[LayerSize, ...]
    other: int
    ram: int
    files: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def flash(self) -> int:
        """Bytes of constants."""
        return sum(layer.flash for layer in self.layers) + self.other

    @property
    def n_connections(self) -> int:
        """Weights that the network has."""
        return sum(layer.n_connections for layer in self.layers)

    def rows(self) -> list[dict[str, Any]]:
        """The table, a row for each layer.

        Returns:
            Dictionaries of name, n_connections, form, n_bridges, weights, index, rows, other and flash.
        """
        return [asdict(layer) | {"flash": layer.flash} for layer in self.layers]

    def to_json(self) -> dict[str, Any]:
        """All of it as numbers, texts, lists and dictionaries.

        Returns:
            What json.dumps takes.
        """
        return {
            "weights": self.weights,
            "n_connections": self.n_connections,
            "flash": self.flash,
            "ram": self.ram,
            "other": self.other,
            "layers": self.rows(),
            "files": [str(path) for path in self.files],
        }

    def __str__(self) -> str:
        head = ["layer", "connections", "index", "weights", "indices", "rows", "other", "flash"]
        lines = [head]
        for each in self.layers:
            numbers = (each.weights, each.index, each.rows, each.other, each.flash)
            lines.append([each.name, f"{each.n_connections:,}", each.form, *(f"{number:,}" for number in numbers)])
        lines.append(["network", *[""] * 5, f"{self.other:,}", f"{self.other:,}"])
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        texts = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
        width = len(texts[0])
        for what, number in (("flash (bytes, without code)", self.flash), ("RAM (bytes, without stack)", self.ram)):
            texts.append(what + f"{number:,}".rjust(width - len(what)))
        return "\n".join(text.rstrip() for text in texts)


def size_of_emitted(emitted: Emitted, weights: str, extra: int = 0, files: Sequence[Path] = ()) -> Size:
    """The size of a network whose arrays are there.

    Args:
        emitted: from `emit`.
        weights: its type.
        extra: bytes beside its arrays, such as those of a data file's head.
        files: that were written.

    Returns:
        The size.

    Example:
        >>> import trulysparse as ts
        >>> network = ts.export.DeviceNetwork.of(ts.SparseMLP((4, 8, 2), epsilon=1, seed=0))
        >>> size_of_emitted(emit(network), "float32", extra=16).other
        16
    """
    taken: dict[tuple[int | None, str], int] = {}
    for array in emitted.part.arrays:
        key = (array.layer, array.part)
        taken[key] = taken.get(key, 0) + array.n_bytes
    layers = tuple(
        LayerSize(
            f"{layer.n_in}-{layer.n_out}{' (skip)' if layer.skip else ''}",
            layer.n_connections,
            rows.form,
            rows.n_stored - layer.n_connections,
            *(taken.get((number, part), 0) for part in ("weights", "index", "rows", "other")),
        )
        for number, (layer, rows) in enumerate(zip(emitted.network.layers, emitted.rows, strict=True))
    )
    other = sum(n_bytes for (layer, _), n_bytes in taken.items() if layer is None)
    return Size(weights, layers, other + extra, emitted.part.ram, tuple(files))


def size_of(
    network: DeviceNetwork,
    weights: str = "float32",
    index: str = "auto",
    *,
    scaling: str = "auto",
    probabilities: bool = False,
) -> Size:
    """What export.c would say of a network, without a file and without samples.

    Args:
        network: any.
        weights: see export.c.
        index: see export.c.
        scaling: see export.c.
        probabilities: see export.c.

    Returns:
        The size.

    Raises:
        InputError: as export.c.

    Example:
        >>> import trulysparse as ts
        >>> network = ts.export.DeviceNetwork.of(ts.SparseMLP((64, 100, 10), epsilon=5, seed=0))
        >>> size_of(network, index="delta8").flash, size_of(network, "int8").flash < 4500
        (6960, True)
    """
    return size_of_emitted(emit(network, weights, index, scaling=scaling, probabilities=probabilities), weights)
