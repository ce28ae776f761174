"""Errors that a user can act on. Each message names the argument, what was given and what is allowed."""

from __future__ import annotations


class InputError(ValueError):
    """Something handed in is not what it must be: an argument, a file, a column, a label."""


class NotIndexedError(InputError, AttributeError):
    """A network with storage='compact' is asked for connections indexed by neuron, which it does not have."""


class NotEnoughMemoryError(MemoryError):
    """The network or the training would not fit in free memory; raised before anything is allocated."""


class DivergenceError(ArithmeticError):
    """The loss is no longer finite; the parameters are of no use from here on."""


class MissingExtraError(ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}: pip install 'trulysparse[{extra}]'")
