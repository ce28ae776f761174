"""OutputGradient: the gradient at a network's output, laid out tile by tile as a backward pass comes to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from trulysparse._core.arrays import Floats
from trulysparse.data.matrix import as_matrix, check_finite
from trulysparse.errors import InputError
from trulysparse.nn.columns import Columns


class OutputGradient:
    """The gradient of a loss at the output of all samples of a tape.

    A tile is laid out when its turn comes, in the memory of one tile, and is then in cache for the backward pass.

    Args:
        dY: (n_samples, n_outputs), or Columns of it.
        outputs: values of the output layer, (n_outputs, columns) for each tile.
        spans: the samples of each tile.
        memory: what gives memory of the size of each tile's output.
        activation: 'softmax', 'sigmoid' or 'identity', that has been applied to the outputs: the gradient is taken to
            the values before it.
        threads: how many.

    Raises:
        InputError: where dY does not have the shape of the output.
    """

    def __init__(
        self,
        dY: ArrayLike | Columns,
        outputs: Sequence[Floats],
        spans: Sequence[slice],
        memory: Sequence[Callable[[], Floats]],
        activation: str,
        threads: int,
    ) -> None:
        self._outputs, self._spans, self._memory = outputs, spans, memory
        self._activation, self._threads = activation, threads
        self._loaded = -1
        n_samples, n_outputs = spans[-1].stop, len(outputs[0])
        if isinstance(dY, Columns):
            self._columns: list[Floats] | None = [x.values for x in dY.inputs]
            if [(a.shape, a.dtype) for a in self._columns] != [(a.shape, a.dtype) for a in outputs]:
                raise InputError("dY must be laid out in the tiles of the tape's output")
            return
        self._columns = None
        if n_outputs == 1 and isinstance(dY, np.ndarray) and dY.ndim == 1:
            dY = dY[:, None]
        self._matrix = as_matrix(dY, "dY")
        if (self._matrix.n_samples, self._matrix.n_features) != (n_samples, n_outputs):
            raise InputError(
                f"dY must have the shape of the output, ({n_samples}, {n_outputs}), not "
                f"({self._matrix.n_samples}, {self._matrix.n_features})"
            )

    def fits(self, other: OutputGradient) -> bool:
        """Whether this gradient, laid out, may serve another tape too, given the same dY."""
        shapes = [[(a.shape, a.dtype) for a in each._outputs] for each in (self, other)]
        return shapes[0] == shapes[1] and self._activation == other._activation == "identity"

    def check_finite(self) -> None:
        """InputError at a value that is not finite; `tile` finds those of its tile."""
        if self._columns is None:
            check_finite(self._matrix)

    def tile(self, part: int) -> Floats:
        """The gradient of tile `part`, (n_outputs, columns). The next tile's may overwrite it.

        Raises:
            InputError: at a value that is not finite.
        """
        if self._columns is not None and self._activation == "identity":
            return self._columns[part]
        # All tiles but the last are of one size.
        values = self._memory[0 if part < len(self._spans) - 1 else -1]()
        if part == self._loaded:
            return values
        if self._columns is not None:
            values[:] = self._columns[part]
        else:
            span = self._spans[part]
            self._matrix.load(np.arange(span.start, span.stop), values, None, self._threads)
        outputs = self._outputs[part]
        if self._activation == "sigmoid":
            values *= outputs * (1 - outputs)
        elif self._activation == "softmax":
            values -= np.einsum("oc,oc->c", values, outputs)
            values *= outputs
        self._loaded = part
        return values
