"""Samples laid out for the kernels, which networks can share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats, empty
from trulysparse.data import Matrix, Scaling
from trulysparse.errors import InputError
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.passes import Layered, tile_columns


class Columns:
    """Samples laid out for the kernels: features x samples, in tiles of columns. Networks can share them.

    Args:
        inputs: a tile of values (n_features, columns) each. Samples fill all columns but some of the last tile's, which
            are 0.
        n_samples: how many.
        lease: whatever must live as long as the values, or None.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> first, second = (ts.SparseMLP((4, 8, 1), epsilon=1, output="identity", seed=seed) for seed in (0, 1))
        >>> columns = first.lay_out(np.ones((3, 4)))
        >>> [net.forward(columns).output.shape for net in (first, second)]  # laid out once
        [(3, 1), (3, 1)]
    """

    def __init__(self, inputs: Sequence[Activations], n_samples: int, lease: object = None) -> None:
        self.inputs = inputs
        self.n_samples = n_samples
        self._lease = lease  # of the tape whose memory this is, or None

    @staticmethod
    def of(values: Floats, n_samples: int) -> Columns:
        """Samples that somebody else has laid out.

        Args:
            values: (n_features, columns), contiguous, columns a power of two up to 16 or a multiple of 16; those beyond
                the samples must be 0. It is read in place.
            n_samples: how many, at most `columns`.

        Returns:
            One tile.

        Raises:
            InputError: where the array does not have this form.
        """
        if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind != "f":
            raise InputError("values must be an array (n_features, columns) of float32 or float64")
        columns = values.shape[1]
        if not values.flags.c_contiguous or int(_kernels.padded_batch(columns)) != columns:
            raise InputError(
                f"values must be contiguous, and its columns a power of two up to 16 or a multiple of 16, not {columns}"
            )
        checks.integer("n_samples", n_samples, low=1, high=columns)
        return Columns([Activations(values)], n_samples)

    @property
    def n_features(self) -> int:
        """Rows."""
        return int(self.inputs[0].values.shape[0])

    @property
    def width(self) -> int:
        """Samples per tile, of all but the last."""
        return int(self.inputs[0].values.shape[1]) if len(self.inputs) > 1 else self.n_samples

    def spans(self) -> list[slice]:
        """The samples of each tile."""
        return spans(self.n_samples, self.width)


def spans(n_samples: int, width: int) -> list[slice]:
    """The samples of each of the tiles that `n_samples` make, `width` at a time."""
    return [slice(start, min(n_samples, start + width)) for start in range(0, n_samples, width)]


def load_tiles(
    matrix: Matrix, tiles: Sequence[slice], inputs: Sequence[Activations], scaling: Scaling | None, threads: int
) -> None:
    """Fills the inputs of tiles with their samples, scaled."""
    with matrix.reader(np.arange(matrix.n_samples)) as reader:
        for tile, x in zip(tiles, inputs, strict=True):
            reader.load(np.arange(tile.start, tile.stop), x.values, scaling, threads)


def lay_out(net: Layered, X: Any, threads: int) -> Columns:
    """Samples as a network's kernels take them, scaled; see Network.lay_out."""
    matrix = net.matrix(X)
    tiles = spans(matrix.n_samples, tile_columns(net.layer_sizes))
    inputs = []
    for tile in tiles:
        columns = int(_kernels.padded_batch(tile.stop - tile.start))
        inputs.append(Activations(empty(matrix.n_features * columns, net.dtype).reshape(-1, columns)))
    load_tiles(matrix, tiles, inputs, net.scaling, threads)
    return Columns(inputs, matrix.n_samples)
