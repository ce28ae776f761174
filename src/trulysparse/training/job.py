"""What a call of fit works on, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse.data import Matrix, Reader
from trulysparse.training.callbacks import Callback
from trulysparse.training.history import History

if TYPE_CHECKING:
    from trulysparse.training.trainer import Trainer

Batch: TypeAlias = tuple[Reader, NDArray[np.int64], NDArray[Any], NDArray[np.float64] | None]
"""What loads the data, the numbers of a batch's samples, their targets and weights."""


@dataclass(frozen=True)
class Job:
    """Samples, their targets and weights; what to do with them. rows: the samples to train on, in the order in which
    they lie."""

    matrix: Matrix
    targets: NDArray[Any]
    weight: NDArray[np.float64] | None
    rows: NDArray[np.int64]
    epochs: int
    shuffle: bool = True
    validation: tuple[Matrix, NDArray[Any]] | None = None
    callbacks: Sequence[Callback] = ()

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The samples of one epoch in the order in which it takes them."""
        return self.matrix.order(self.rows, rng) if self.shuffle else self.rows

    def batch(self, rows: NDArray[np.int64], reader: Reader) -> Batch:
        """The samples `rows` as a batch. reader: of the job's matrix."""
        return reader, rows, self.targets[rows], None if self.weight is None else self.weight[rows]

    def total_weight(self, rows: NDArray[np.int64]) -> float:
        """The weight of the samples `rows`, their number where samples have none."""
        return float(len(rows) if self.weight is None else self.weight[rows].sum())


class Parallel(Protocol):
    """A way to carry out a job on several workers; see trulysparse.parallel."""

    def fit(self, trainer: Trainer, job: Job) -> History:
        """Trains trainer.net on the job."""
