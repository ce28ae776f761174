"""What callbacks, and workers, remember of a training, as checkpoints hold it: JSON values, and arrays beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import type_name
from trulysparse.errors import InputError
from trulysparse.io.tensors import TYPES

Arrays = dict[str, NDArray[Any]]


@dataclass
class Kept:
    """What a checkpoint holds of callbacks.

    Attributes:
        kinds: the class of each callback that keeps something, in the order of the callbacks.
        states: what each keeps.
        path: the checkpoint's file, or None.
        unknown: whether the checkpoint is of a release that kept nothing of callbacks.
    """

    kinds: list[str] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    path: Path | None = None
    unknown: bool = False

    def to_json(self) -> tuple[list[dict[str, Any]], Arrays]:
        """The states as JSON can hold them, and their arrays by name.

        Raises:
            InputError: where a state holds what neither JSON nor a file of arrays can hold.
        """
        entries: list[dict[str, Any]] = []
        arrays: Arrays = {}
        for number, (kind, state) in enumerate(zip(self.kinds, self.states, strict=True)):
            values, own = split(state, f"the state of {kind}")
            entries.append({"kind": kind, "values": values})
            arrays |= {f"callbacks.{number}.{name}": array for name, array in own.items()}
        return entries, arrays

    @staticmethod
    def from_json(entries: Any, arrays: Arrays, path: Path | None = None) -> Kept:
        """What `to_json` gave.

        Raises:
            InputError: where `entries` is none of it.
        """
        if not isinstance(entries, list) or not all(
            isinstance(each, dict) and isinstance(each.get("kind"), str) and isinstance(each.get("values"), dict)
            for each in entries
        ):
            raise InputError(f"callbacks must list what callbacks keep, not {entries!r:.80}")
        states = [each["values"] | under(f"callbacks.{number}.", arrays) for number, each in enumerate(entries)]
        return Kept([each["kind"] for each in entries], states, path)

    def check(self, kinds: Sequence[str]) -> None:
        """InputError where these are not the classes of the callbacks whose states it has."""
        if not self.unknown and list(kinds) != self.kinds:
            held, given = (", ".join(names) or "none" for names in (self.kinds, kinds))
            raise InputError(
                f"resume: the checkpoint holds the state of the callbacks {held}, but fit was given {given}: "
                "give the same ones in the same order"
            )


def under(prefix: str, arrays: Arrays) -> Arrays:
    """The arrays whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def split(values: dict[str, Any], what: str) -> tuple[dict[str, Any], Arrays]:
    """Values that JSON can hold, and arrays.

    Args:
        values: by name; each an array, or anything that JSON can hold.
        what: they are, for messages.

    Returns:
        (the values that are no arrays, the arrays).

    Raises:
        InputError: where one is neither.
    """
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    for name, array in arrays.items():
        if array.dtype.hasobject or type_name(array) not in TYPES:
            raise InputError(f"{what}: '{name}' is an array of {array.dtype}, which checkpoints cannot hold")
    plain = {name: value for name, value in values.items() if name not in arrays}
    for name, value in plain.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            raise InputError(f"{what}: '{name}' must be an array or what JSON can hold, not {value!r:.80}") from None
    return plain, arrays
