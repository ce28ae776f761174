"""Where a call of fit is, as checkpoints hold it: enough to go on at the same step with the same bits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError


@dataclass
class Position:
    """Where a call of fit is.

    Attributes:
        epoch: number of the epoch, from 1.
        epoch_start: updates in all before this epoch began.
        done: updates of this epoch that are over.
        total: weighted sum of the losses of this epoch's samples so far.
        evolved: whether the evolution that is due at this step has taken place.
        evolved_layers: in the course of an evolution, how many layers have evolved.
        seconds: spent in this epoch so far.
        records: of the epochs before; see History.
    """

    epoch: int = 1
    epoch_start: int = 0
    done: int = 0
    total: float = 0.0
    evolved: bool = False
    evolved_layers: int = 0
    seconds: float = 0.0
    records: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The position as JSON can hold it."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any] | None) -> Position:
        """The position that `to_json` gave.

        Raises:
            InputError: where `values` is none.
        """
        try:
            position = Position(**values)  # type: ignore[arg-type]  # None is caught too
        except TypeError:
            raise InputError(f"position must hold what a training was at, not {values!r:.80}") from None
        for name, low in (("epoch", 1), ("epoch_start", 0), ("done", 0), ("evolved_layers", 0)):
            checks.integer(f"position.{name}", getattr(position, name), low=low)
        for name in ("total", "seconds"):
            checks.real(f"position.{name}", getattr(position, name))
        if not isinstance(position.evolved, bool) or not isinstance(position.records, list):
            raise InputError("position.evolved must be true or false, and position.records a list")
        if not all(isinstance(record, dict) for record in position.records):
            raise InputError("position.records must list objects")
        return position
