"""Where a call of fit is: enough to go on at the same step with the same bits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.training.history import Record


@dataclass
class Position:
    """Epoch `epoch` (from 1), which began after `epoch_start` updates in all, and of which `done` updates are over.

    total: the weighted sum of the losses of this epoch's samples so far. evolved: whether the evolution that is due at
    this step has taken place. evolved_layers: while it does, how many layers have. seconds: spent in this epoch before
    a break. records: of the epochs before.
    """

    epoch: int = 1
    epoch_start: int = 0
    done: int = 0
    total: float = 0.0
    evolved: bool = False
    evolved_layers: int = 0
    seconds: float = 0.0
    records: list[Record] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any] | None) -> Position:
        """What to_json gave, or InputError."""
        try:
            found = Position(**values)  # type: ignore[arg-type]  # None is caught too
        except TypeError:
            raise InputError(f"position must hold what a training was at, not {values!r:.80}") from None
        for name, low in (("epoch", 1), ("epoch_start", 0), ("done", 0), ("evolved_layers", 0)):
            checks.integer(f"position.{name}", getattr(found, name), low=low)
        for name in ("total", "seconds"):
            checks.real(f"position.{name}", getattr(found, name))
        if not isinstance(found.evolved, bool) or not isinstance(found.records, list):
            raise InputError("position.evolved must be true or false, and position.records a list")
        if not all(isinstance(record, dict) for record in found.records):
            raise InputError("position.records must list objects")
        return found
