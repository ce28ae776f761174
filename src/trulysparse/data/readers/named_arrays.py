"""Arrays that are told apart by their names: X and y, or X_train, y_train, X_test and y_test, in capitals or not."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from trulysparse.data.table import Table
from trulysparse.errors import InputError

SPLIT = ("X_train", "y_train", "X_test", "y_test")
_ALL = ("X", "y", *SPLIT)


def roles(names: Collection[str]) -> dict[str, str]:
    """What each array is called that is one of X, y, X_train, ...: by its name, else by its name in other letters
    (x_train, as Keras has it)."""
    found = {}
    for role in _ALL:
        same = sorted(name for name in names if name.lower() == role.lower())
        if same:
            found[role] = role if role in same else same[0]
    return found


def table_of_arrays(
    path: Path,
    kind: str,
    names: Collection[str],
    get: Callable[[str], Any],
    need_target: bool,
    x_name: str | None = None,
) -> Table:
    """The table of a file of named arrays.

    Args:
        path: the file.
        kind: what messages call such a file, as in 'an .npz file'.
        names: the names of its arrays.
        get: gives an array by its name.
        need_target: whether missing labels are an error.
        x_name: the array to take for X where none is called so.

    Returns:
        The table.

    Raises:
        InputError: where an array is missing, or parts of both sets of names are there.
    """
    called = roles(names)
    if "X" not in called and x_name is not None:
        called["X"] = x_name
    needs = f"{kind} needs X and y, or X_train, y_train, X_test and y_test"
    both = sorted(set(called) & set(SPLIT))
    if both and set(called) & {"X", "y"}:
        raise InputError(
            f"DATA: '{path}' has {'X' if 'X' in called else 'y'} and {both[0]}; {needs}, not parts of both"
        )
    split = "X_train" in called
    wanted = SPLIT if split else ("X", "y")
    required = wanted if need_target else (("X_test",) if "X_test" in called else ("X",))
    for name in required:
        if name not in called:
            raise InputError(
                f"DATA: '{path}' has no array '{name}'; {needs} (it has {', '.join(sorted(names)) or 'none'})"
            )
    if not split and "X" not in called:
        wanted = ("X_test", "y_test")
    arrays = [get(called[name]) if name in called else None for name in wanted]
    X, y, X_test, y_test = (*arrays, None, None)[:4]
    other = [f"{role} is '{name}'" for role, name in called.items() if role != name and role in wanted]
    return Table(X, y, X_test, y_test, notes=[f"arrays: {', '.join(other)}"] if other else [])


def as_rows(array: Any) -> Any:
    """One row per sample: images become rows."""
    return array.reshape(len(array), -1) if array.ndim > 2 else array
