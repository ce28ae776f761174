"""The checked samples of a call of fit, and what to do with them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.data import Matrix, Reader
from trulysparse.data.matrix import InMemoryMatrix
from trulysparse.data.sample_weights import sample_weights
from trulysparse.data.targets import Targets, Values, check_lengths
from trulysparse.nn.losses import Loss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.training.batch import Batch, SampleReader, checked_targets


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
