"""A batch: samples and targets of one update, and what loads both."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.data import Matrix, Reader, Scaling
from trulysparse.data.matrix import InMemoryMatrix, as_in_memory, as_matrix
from trulysparse.data.scaled_matrix import ScaledMatrix, same_scaling
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.target_scaling import standardised
from trulysparse.data.targets import Targets, ValueReader, Values
from trulysparse.nn.losses import Loss
from trulysparse.nn.mlp import SparseMLP

_COPIED = 1 << 26  # bytes of a tile of samples up to which a copy is kept


class Batch(NamedTuple):
    """Samples of one update.

    Attributes:
        reader: loads them.
        rows: their numbers, (n,).
        targets: labels of theirs, (n,), or what loads their values.
        weight: (n,); None: all 1.
    """

    reader: Reader
    rows: NDArray[np.int64]
    targets: NDArray[np.int32] | ValueReader
    weight: NDArray[np.float64] | None

    def part(self, start: int, stop: int) -> Batch:
        """The samples from start to stop of this batch."""
        weight = None if self.weight is None else self.weight[start:stop]
        targets = self.targets if isinstance(self.targets, ValueReader) else self.targets[start:stop]
        return Batch(self.reader, self.rows[start:stop], targets, weight)

    def load_targets(
        self, x: Floats, z: Floats, scaling: Scaling | None, threads: int, own: bool = False
    ) -> NDArray[Any]:
        """Targets as the loss takes them.

        Args:
            x: the samples as loaded, (n_inputs, columns).
            z: the output values, (n_outputs, columns), whose type and shape values have.
            scaling: what was applied to x.
            threads: how many threads to use.
            own: x will change: the targets must not be x itself.

        Returns:
            Labels, (n,); or values, (n_outputs, columns), 0 in the padding: x itself where the targets are the
            samples, scaled alike, else memory that the next batch overwrites.

        Raises:
            InputError: at a value in a file that is not usable.
        """
        targets = self.targets
        if isinstance(targets, ValueReader):
            return targets.batch(self.rows, x, z, scaling, threads, own)
        return targets

    def loads_again(self, x: Floats, z: Floats, scaling: Scaling | None) -> bool:
        """Whether the targets are the samples as loaded, and those are so many and so near that to load them again is
        better than to keep a copy. Arguments as of `load_targets`."""
        reader = self.reader.reader if isinstance(self.reader, SampleReader) else self.reader
        targets = self.targets
        return (
            x.nbytes > _COPIED
            and isinstance(reader, InMemoryMatrix)
            and isinstance(targets, ValueReader)
            and targets.are(x, z, scaling)
        )

    @property
    def total_weight(self) -> float:
        """The weight of all samples, their number where they have none."""
        return float(len(self.rows) if self.weight is None else self.weight.sum())


def checked_targets(net: SparseMLP, loss: Loss, matrix: Matrix, X: Any, y: Any) -> Targets:
    """Targets that a user gives, checked.

    Args:
        net: the network.
        loss: that takes them.
        matrix: of the samples.
        X: what it was made from. Where y is that very object, the targets are the samples themselves.
        y: labels or values; of a network with a target_scaling, values in their own unit. Those that are the samples,
            sparse or in files are scaled as they are loaded, others here.

    Raises:
        InputError: where the loss cannot take them.
    """
    is_input = y is X or y is matrix.x
    given, values, scaling = matrix.x if is_input else y, matrix, net.target_scaling
    if scaling is not None and (is_input or _stays_where_it_is(y)):
        if net.scaling is not None and same_scaling(scaling, net.scaling):
            scaling = net.scaling  # the very object, as each batch compares
        given = values = ScaledMatrix(matrix if is_input else _as_targets(y), scaling)
    elif scaling is not None:
        given = standardised(y, scaling)
    targets = loss.check_targets(given, net.layer_sizes[-1], net.dtype)
    if is_input and isinstance(targets, Values) and targets.given is given:
        return targets.as_input(values)
    return targets


def _as_targets(y: Any) -> Matrix:
    """Targets as a matrix that messages call y."""
    if isinstance(y, StreamMatrix):
        return y.called("y", "targets")
    if hasattr(type(y), "reader"):
        return as_matrix(y, "y")
    matrix = as_in_memory(y, "y")
    matrix.what = "targets"
    return matrix


def _stays_where_it_is(y: Any) -> bool:
    """Whether targets are not to be copied as a whole: sparse ones would become dense, and others are in files."""
    return sp.issparse(y) or isinstance(y, np.memmap) or hasattr(type(y), "reader")


class SampleReader:
    """Loads samples, and has with `targets` what loads their values; for one thread at a time.

    Args:
        samples: of the samples, opened when this is.
        targets: of their values.

    Attributes:
        reader: of the samples, while this is open.
    """

    reader: Reader

    def __init__(self, samples: AbstractContextManager[Reader], targets: ValueReader) -> None:
        self._samples = samples
        self.targets = targets
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.reader = self._open.enter_context(self._samples)
        self._open.enter_context(self.targets)
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """See Reader."""
        self.reader.load(rows, out, scaling, threads)

    def chunk(self, start: int, stop: int) -> Any:
        """See Reader."""
        return self.reader.chunk(start, stop)
