"""Where a call of fit is, as checkpoints hold it: enough to go on at the same step with the same bits."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.io.callback_state import Arrays, Kept, split


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
        stop: whether a callback has ended training after the epoch before.
        parallel: where workers are, by name: JSON values and arrays; None: training is not parallel.
        kept: what callbacks remember, of a position that comes from a checkpoint; None: from none.
    """

    epoch: int = 1
    epoch_start: int = 0
    done: int = 0
    total: float = 0.0
    evolved: bool = False
    evolved_layers: int = 0
    seconds: float = 0.0
    records: list[dict[str, Any]] = field(default_factory=list)
    stop: bool = False
    parallel: dict[str, Any] | None = None
    kept: Kept | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The position as JSON can hold it: without `kept`, and without arrays."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "kept"}
        if self.parallel is not None:
            values["parallel"] = split(self.parallel, "position.parallel")[0]
        return values

    def arrays(self) -> Arrays:
        """The arrays that `to_json` leaves out."""
        return {} if self.parallel is None else split(self.parallel, "position.parallel")[1]

    @staticmethod
    def from_json(values: dict[str, Any] | None, arrays: Arrays | None = None) -> Position:
        """The position that `to_json` gave.

        Args:
            values: that.
            arrays: what `arrays` gave; None: nothing.

        Raises:
            InputError: where `values` is none.
        """
        try:
            position = Position(**values)  # type: ignore[arg-type]  # None is caught too
            position.kept = None
        except TypeError:
            raise InputError(f"position must hold what a training was at, not {values!r:.80}") from None
        for name, low in (("epoch", 1), ("epoch_start", 0), ("done", 0), ("evolved_layers", 0)):
            checks.integer(f"position.{name}", getattr(position, name), low=low)
        for name in ("total", "seconds"):
            checks.real(f"position.{name}", getattr(position, name))
        if not all(isinstance(each, bool) for each in (position.evolved, position.stop)):
            raise InputError("position.evolved and position.stop must be true or false")
        if not isinstance(position.records, list):
            raise InputError("position.records must be a list")
        if not all(isinstance(record, dict) for record in position.records):
            raise InputError("position.records must list objects")
        if not isinstance(position.parallel, dict | None):
            raise InputError("position.parallel must be an object or null")
        if position.parallel is not None:
            position.parallel = position.parallel | (arrays or {})
        return position
