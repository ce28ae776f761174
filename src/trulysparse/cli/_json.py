"""JSON files of a run folder, read without trust: what they hold is checked before anything is done with it."""

from __future__ import annotations

import json
import types
import typing
from dataclasses import fields
from pathlib import Path
from typing import Any

from trulysparse.errors import InputError


def read_object(path: Path, argument: str = "RUN") -> dict[str, Any]:
    """The JSON object that a file holds; InputError, which names the file, where it does not."""
    try:
        return parse_object(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{argument}: '{path}' cannot be read ({error})") from None


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object in a text, or ValueError."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"it must hold a JSON object, not {_shown(found)}")
    return found


def checked(kind: type, values: dict[str, Any], *, whole: bool = False) -> dict[str, Any]:
    """Those of `values` that are fields of the dataclass `kind`, each of the type that the field names (lists become
    tuples where it is one), or ValueError. whole: whether all fields must be there."""
    hints = typing.get_type_hints(kind)
    found = {}
    for field in fields(kind):
        if field.name in values:
            found[field.name] = typed(field.name, values[field.name], hints[field.name])
        elif whole:
            raise ValueError(f"{field.name} is missing")
    return found


def typed(name: str, value: Any, hint: Any) -> Any:
    """`value` where it is of the type `hint`, or ValueError."""
    if not _fits(value, hint):
        raise ValueError(f"{name} cannot be {_shown(value)}")
    return tuple(value) if typing.get_origin(hint) is tuple else value


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if origin in (tuple, list):
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict)
    if hint in (int, float):
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
        return whole or (hint is float and isinstance(value, float))
    return isinstance(value, hint)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
