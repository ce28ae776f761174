"""What training measured, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]
"""Figures of one epoch by name: numbers, or lists with a value a layer."""


@dataclass
class History:
    """One record an epoch: epoch, loss, learning_rate, seconds, connections and, with validation data,
    val_loss and val_accuracy (classification) or val_r2 (regression). history['loss'] is the column."""

    records: list[Record] = field(default_factory=list)

    def __getitem__(self, name: str) -> list[Any]:
        return [record[name] for record in self.records]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)
