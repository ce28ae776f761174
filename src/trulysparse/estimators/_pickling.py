"""Pickles that say which version wrote them, before anything else of them is read."""

from __future__ import annotations

import warnings
from typing import Any

from trulysparse._core.version import __version__
from trulysparse.errors import InputError

STATE = 1
"""Number of the form of the state in pickles; a version that cannot read the one before counts it up."""


class VersionedPickles:
    """Pickles carry this package's version and the form of their state. What is read is checked against both first, so
    that whatever goes wrong after it is explained."""

    _kept_by = "the network there with ts.save(model.network_, path)"
    """What to save for a file that stays readable, and how."""

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        state = super().__reduce_ex__(protocol)[2]
        return begin, (type(self), __version__, STATE), state


def begin(cls: Any, version: str, state: int) -> Any:
    """An empty estimator that a pickle's state then fills.

    Args:
        cls: its class.
        version: of trulysparse that wrote the pickle.
        state: form of the pickle's state.

    Raises:
        InputError: where this version cannot read that form.
    """
    if state > STATE:
        raise InputError(
            f"this {cls.__name__} was pickled by trulysparse {version}, in a form that {__version__} cannot read: "
            f"install trulysparse {version}, or save {cls._kept_by}, whose files stay readable"
        )
    if version != __version__:
        warnings.warn(
            f"this {cls.__name__} was pickled by trulysparse {version} and is read by {__version__}, which may fail or "
            "give other results; networks saved with ts.save(model.network_, path) stay readable",
            UserWarning,
            stacklevel=2,
        )
    return cls.__new__(cls)
