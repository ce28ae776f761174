"""Methods of selection by name."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.unsupervised.selection.attribution import AttributionSelection
from trulysparse.unsupervised.selection.gradient import GradientSelection
from trulysparse.unsupervised.selection.method import SelectionMethod
from trulysparse.unsupervised.selection.neurofs import NeuroFS
from trulysparse.unsupervised.selection.quickselection import QuickSelection
from trulysparse.unsupervised.selection.wast import WAST

METHODS: dict[str, type[SelectionMethod]] = {
    each.name: each for each in (QuickSelection, WAST, GradientSelection, AttributionSelection, NeuroFS)
}
NAMES = tuple(METHODS)


def make_method(method: str | SelectionMethod, **settings: Any) -> SelectionMethod:
    """A method by its name, with its source's settings where none are given.

    Args:
        method: one of NAMES, or a method.
        **settings: fields to change; those that are None stay as they are.

    Returns:
        The method.

    Raises:
        InputError: where the name is unknown, or the method has no such setting.

    Example:
        >>> from trulysparse.unsupervised.selection import make_method
        >>> make_method("quickselection", epochs=10).epochs
        10
    """
    if isinstance(method, str):
        made: Any = METHODS[checks.choice("method", method, NAMES)]()
    elif callable(getattr(method, "scores", None)) and hasattr(method, "needs_y"):
        made = method
    else:
        raise InputError(f"method must be one of {', '.join(NAMES)}, or a method of selection, not {method!r:.80}")
    given = {name: value for name, value in settings.items() if value is not None}
    known = {each.name for each in fields(made)} if is_dataclass(made) else set()
    unknown = sorted(set(given) - known)
    if unknown:
        raise InputError(f"{unknown[0]} is no setting of method {made.name!r}; leave it at None")
    found: SelectionMethod = replace(made, **given) if given else made
    return found
