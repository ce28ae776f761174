"""The checked samples of a call of fit, and what to do with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.data import Matrix, Reader
from trulysparse.data.sample_weights import sample_weights
from trulysparse.nn.losses import Loss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.training.metrics import check_lengths
from trulysparse.training.passes import Batch


@dataclass(frozen=True)
class FitData:
    """Samples, and what fit does with them.

    Attributes:
        matrix: the samples.
        targets: of each, as the loss wants them.
        weight: of each; None: all 1.
        rows: numbers of the samples to train on, rising.
        epochs: how often to go through them.
        shuffle: whether each epoch takes them in a fresh order.
        validation: samples and targets to score after each epoch, or None.
        callbacks: called as training goes on.
    """

    matrix: Matrix
    targets: NDArray[Any]
    weight: NDArray[np.float64] | None
    rows: NDArray[np.int64]
    epochs: int = 1
    shuffle: bool = True
    validation: tuple[Matrix, NDArray[Any]] | None = None
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
            y: labels or targets.
            sample_weight: (n_samples,), at least 0; None: all 1.
            names: of X and y in messages.
            **settings: the other attributes.

        Raises:
            InputError: where they do not fit the network, the loss or each other.
        """
        matrix = net.matrix(X, names[0])
        targets = loss.check_targets(y, net.layer_sizes[-1], net.dtype)
        check_lengths(matrix.n_samples, len(targets), *names)
        weight = sample_weights(sample_weight, matrix.n_samples)
        return cls(matrix, targets, weight, np.arange(matrix.n_samples), **settings)

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The samples of one epoch in the order in which it takes them."""
        return self.matrix.order(self.rows, rng) if self.shuffle else self.rows

    def batch(self, rows: NDArray[np.int64], reader: Reader) -> Batch:
        """The samples `rows` as a batch. reader: of the matrix."""
        return Batch(reader, rows, self.targets[rows], None if self.weight is None else self.weight[rows])

    def total_weight(self, rows: NDArray[np.int64]) -> float:
        """The weight of the samples `rows`, their number where samples have none."""
        return float(len(rows) if self.weight is None else self.weight[rows].sum())
