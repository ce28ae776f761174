"""What training measured, one record per epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]
"""Figures of one epoch by name: numbers, or lists with one value per layer."""


@dataclass
class History:
    """One record per epoch: epoch (from 1), loss (the weighted mean over the epoch), learning_rate, seconds,
    connections and, with validation data, val_loss and val_accuracy (classification) or val_r2 (regression).

    Args:
        records: the records.

    Example:
        >>> import trulysparse as ts
        >>> history = ts.History([{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.5}])
        >>> history["loss"], len(history)
        ([0.7, 0.5], 2)
        >>> [record["epoch"] for record in history]
        [1, 2]
    """

    records: list[Record] = field(default_factory=list)

    def __getitem__(self, name: str) -> list[Any]:
        """The values of one figure, epoch by epoch."""
        return [record[name] for record in self.records]

    def __len__(self) -> int:
        """How many epochs there are records of."""
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        """The records, the first epoch's first."""
        return iter(self.records)
