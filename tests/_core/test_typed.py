"""Values from JSON against the types of a dataclass's fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from trulysparse._core.typed import checked_fields, checked_value, shown


class Thing:
    """What JSON has no values of."""


@dataclass
class Example:
    number: int
    share: float = 0.5
    name: str | Thing | None = None
    sizes: tuple[int, ...] = ()
    flag: bool = False
    table: dict[str, Any] | None = None


def test_fields_that_fit_are_taken_and_others_passed_over():
    values = {
        "number": 3,
        "share": 1,
        "name": "x",
        "sizes": [1, 2],
        "flag": True,
        "table": {"a": []},
        "unknown": object,
    }
    known = {name: value for name, value in values.items() if name != "unknown"}
    assert checked_fields(Example, values) == known | {"sizes": (1, 2)}


def test_missing_field_is_refused_where_all_must_be_there():
    assert checked_fields(Example, {}) == {}
    with pytest.raises(ValueError, match="number is missing"):
        checked_fields(Example, {}, whole=True)


@pytest.mark.parametrize(
    "name, value",
    [
        ("number", True),
        ("number", 1.5),
        ("number", "1"),
        ("number", None),
        ("number", 1 << 63),
        ("share", "0.5"),
        ("share", False),
        ("share", 10**400),
        ("name", 3),
        ("name", {}),
        ("sizes", 3),
        ("sizes", [1, "2"]),
        ("sizes", "12"),
        ("flag", 1),
        ("table", []),
    ],
)
def test_value_of_another_type_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} cannot be"):
        checked_fields(Example, {name: value})


def test_none_fits_where_it_is_named():
    assert checked_value("name", None, str | None) is None


def test_long_values_are_cut_in_messages():
    assert shown("x" * 100) == '"' + "x" * 36 + "..."
    assert shown([1]) == "[1]"
