"""Values from JSON, checked against the types of a dataclass's fields before anything is done with them."""

from __future__ import annotations

import json
import types
import typing
from dataclasses import fields
from typing import Any

_PLAIN = (str, bool, types.NoneType)


def checked_fields(kind: type, values: dict[str, Any], *, whole: bool = False) -> dict[str, Any]:
    """Those of `values` that are fields of the dataclass `kind`, each of the type that the field names (lists become
    tuples where it is one), or ValueError. whole: whether all fields must be there. Types that JSON has no values of
    are passed over: of `str | SGD` a text fits."""
    hints = typing.get_type_hints(kind)
    checked = {}
    for field in fields(kind):
        if field.name in values:
            checked[field.name] = checked_value(field.name, values[field.name], hints[field.name])
        elif whole:
            raise ValueError(f"{field.name} is missing")
    return checked


def checked_value(name: str, value: Any, hint: Any) -> Any:
    """`value` where it is of the type `hint`, or ValueError."""
    if not _fits(value, hint):
        raise ValueError(f"{name} cannot be {shown(value)}")
    kinds = [hint, *typing.get_args(hint)]
    in_tuple = isinstance(value, list) and any(typing.get_origin(each) is tuple for each in kinds)
    return tuple(value) if in_tuple else value


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
    return hint in _PLAIN and isinstance(value, hint)


def shown(value: Any) -> str:
    """A JSON value in at most 40 characters, for a message."""
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
