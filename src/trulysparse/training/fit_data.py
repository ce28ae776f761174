"""The checked samples of a call of fit, and its batches."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core.arrays import Floats
from trulysparse.data import Matrix, Reader, Scaling
from trulysparse.data.matrix import InMemoryMatrix
from trulysparse.data.sample_weights import sample_weights
from trulysparse.data.targets import Targets, ValueReader, Values, check_lengths
from trulysparse.nn.losses import Loss
from trulysparse.nn.mlp import SparseMLP


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

    def load_targets(self, x: Floats, z: Floats, scaling: Scaling | None, threads: int) -> NDArray[Any]:
        """Targets as the loss takes them.

        Args:
            x: the samples as loaded, (n_inputs, columns).
            z: the output values, (n_outputs, columns), whose type and shape values have.
            scaling: what was applied to x.
            threads: how many threads to use.

        Returns:
            Labels, (n,); or values, (n_outputs, columns), 0 in the padding: x itself where the targets are the
            samples and those are not scaled, else memory that the next batch overwrites.

        Raises:
            InputError: at a value in a file that is not usable.
        """
        targets = self.targets
        if isinstance(targets, ValueReader):
            return targets.batch(self.rows, x, z, scaling, threads)
        return targets

    @property
    def total_weight(self) -> float:
        """The weight of all samples, their number where they have none."""
        return float(len(self.rows) if self.weight is None else self.weight.sum())


def checked_batch(net: SparseMLP, loss: Loss, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Batch:
    """All the samples that a user gives as one batch, checked; see FitData.checked."""
    matrix = net.matrix(X)
    targets = checked_targets(net, loss, matrix, X, y)
    check_lengths(matrix.n_samples, len(targets))
    weight = sample_weights(sample_weight, matrix.n_samples)
    kept = targets.reader() if isinstance(targets, Values) else targets
    return Batch(matrix, np.arange(matrix.n_samples), kept, weight)


def checked_targets(net: SparseMLP, loss: Loss, matrix: Matrix, X: Any, y: Any) -> Targets:
    """Targets that a user gives, checked.

    Args:
        net: the network.
        loss: that takes them.
        matrix: of the samples.
        X: what it was made from. Where y is that very object, the targets are the samples themselves.
        y: labels or values.

    Raises:
        InputError: where the loss cannot take them.
    """
    is_input = y is X or y is matrix.x
    targets = loss.check_targets(matrix.x if is_input else y, net.layer_sizes[-1], net.dtype)
    if is_input and isinstance(targets, Values) and targets.given is matrix.x:
        return targets.as_input(matrix)
    return targets


class SampleReader:
    """Loads samples, and has with `targets` what loads their values; for one thread at a time.

    Args:
        samples: of the samples, opened when this is.
        targets: of their values.
    """

    def __init__(self, samples: AbstractContextManager[Reader], targets: ValueReader) -> None:
        self._samples = samples
        self.targets = targets
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._reader = self._open.enter_context(self._samples)
        self._open.enter_context(self.targets)
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """See Reader."""
        self._reader.load(rows, out, scaling, threads)

    def chunk(self, start: int, stop: int) -> Any:
        """See Reader."""
        return self._reader.chunk(start, stop)


@dataclass(frozen=True)
class FitData:
    """Samples, and what fit does with them.

    Attributes:
        matrix: the samples.
        targets: labels of each, or their values.
        weight: of each; None: all 1.
        rows: numbers of the samples to train on, rising.
        epochs: how often to go through them.
        shuffle: whether each epoch takes them in a fresh order.
        validation: samples to score after each epoch, or None.
        callbacks: called as training goes on.
    """

    matrix: Matrix
    targets: Targets
    weight: NDArray[np.float64] | None
    rows: NDArray[np.int64]
    epochs: int = 1
    shuffle: bool = True
    validation: FitData | None = None
    callbacks: Sequence[Any] = ()  # of Callback, whose hooks are given this object

    @classmethod
    def checked(
        cls,
        net: SparseMLP,
        loss: Loss,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        names: tuple[str, str] = ("X", "y"),
        **settings: Any,
    ) -> Self:
        """The samples that a user gives, checked.

        Args:
            net: the network that takes them.
            loss: that takes their targets.
            X: (n_samples, n_inputs).
            y: labels or values, as the loss takes them.
            sample_weight: (n_samples,), at least 0; None: all 1.
            names: of X and y in messages.
            **settings: the other attributes.

        Raises:
            InputError: where they do not fit the network, the loss or each other.
        """
        matrix = net.matrix(X, names[0])
        targets = checked_targets(net, loss, matrix, X, y)
        check_lengths(matrix.n_samples, len(targets), *names)
        weight = sample_weights(sample_weight, matrix.n_samples)
        return cls(matrix, targets, weight, np.arange(matrix.n_samples), **settings)

    @property
    def labelled(self) -> bool:
        """Whether targets are labels."""
        return not isinstance(self.targets, Values)

    def shared_by(self, readers: int) -> Self:
        """The same samples for `readers` readers at a time, which share the memory for reading ahead."""
        targets = self.targets.shared_by(readers) if isinstance(self.targets, Values) else self.targets
        return replace(self, matrix=self.matrix.shared_by(readers), targets=targets)

    def shuffled(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """The samples `rows` in a random order that can be read well: that of the samples, or that of the targets where
        the samples are in memory."""
        if isinstance(self.matrix, InMemoryMatrix) and isinstance(self.targets, Values):
            return self.targets.matrix.order(rows, rng)
        return self.matrix.order(rows, rng)

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The samples of one epoch in the order in which it takes them."""
        return self.shuffled(self.rows, rng) if self.shuffle else self.rows

    def reader(self, order: NDArray[np.int64] | None = None) -> AbstractContextManager[Reader]:
        """What loads samples and their targets for one thread; see Matrix.reader."""
        samples = self.matrix.reader(order)
        return SampleReader(samples, self.targets.reader(order)) if isinstance(self.targets, Values) else samples

    def batch(self, rows: NDArray[np.int64], reader: Reader) -> Batch:
        """The samples `rows` as a batch. reader: see `reader`."""
        weight = None if self.weight is None else self.weight[rows]
        if not isinstance(self.targets, Values):
            return Batch(reader, rows, self.targets[rows], weight)
        targets = reader.targets if isinstance(reader, SampleReader) else self.targets.reader()
        return Batch(reader, rows, targets, weight)

    def total_weight(self, rows: NDArray[np.int64]) -> float:
        """The weight of the samples `rows`, their number where samples have none."""
        return float(len(rows) if self.weight is None else self.weight[rows].sum())
