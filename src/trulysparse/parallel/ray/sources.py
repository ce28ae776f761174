"""Where workers on other machines read their samples: from the files themselves, where there are files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse.data.targets import Values
from trulysparse.training.fit_data import FitData

Samples = tuple[Any, Any, NDArray[np.float64] | None]
"""X, targets and sample weights (or None)."""


class Source(Protocol):
    """A small description of the samples that is sent to workers, which open it.

    Attributes:
        in_own_unit: whether targets are as a user gives them, not yet standardised by the network's target_scaling.
    """

    @property
    def in_own_unit(self) -> bool: ...

    def open(self) -> Samples:
        """The samples."""


@lru_cache(maxsize=1)
def _loaded(load: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    """Calls the function once per process."""
    return load()


@dataclass(frozen=True, eq=False)
class _Called:
    in_own_unit: ClassVar[bool] = True
    load: Callable[[], tuple[Any, Any]]
    weight: NDArray[np.float64] | None

    def open(self) -> Samples:
        X, y = _loaded(self.load)
        return X, y, self.weight


@dataclass(frozen=True, eq=False)
class _Map:
    """A memory map, to be opened again where the worker runs."""

    path: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    order: str

    def open(self) -> Any:
        """The map."""
        order: Any = self.order
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order)


def _map_or_array(X: Any) -> Any:
    """A description of a memory map, where X is one that can be opened again, else X."""
    if not (isinstance(X, np.memmap) and X.filename is not None and (X.flags.c_contiguous or X.flags.f_contiguous)):
        return X
    base = X
    while isinstance(base.base, np.memmap):
        base = base.base
    start = base.offset + (X.__array_interface__["data"][0] - base.__array_interface__["data"][0])
    return _Map(str(Path(X.filename).resolve()), X.dtype, X.shape, start, "C" if X.flags.c_contiguous else "F")


@dataclass(frozen=True, eq=False)
class _Mapped:
    """Samples and targets of which some are memory maps; the others, and weights, are sent. y: None where targets are
    the samples themselves."""

    in_own_unit: bool
    X: Any
    y: Any
    weight: NDArray[np.float64] | None

    def open(self) -> Samples:
        X, y = (part.open() if isinstance(part, _Map) else part for part in (self.X, self.y))
        return X, X if y is None else y, self.weight


@dataclass(frozen=True, eq=False)
class _InStore:
    """Arrays in the cluster's object store: read without a copy on the node that holds them, sent once to others. y is
    None there where targets are the samples themselves."""

    in_own_unit: bool
    arrays: Any

    def open(self) -> Samples:
        import ray

        X, y, weight = ray.get(self.arrays)
        return X, X if y is None else y, weight


def source_of(data: FitData, load: Callable[[], tuple[Any, Any]] | None, put: Callable[[Any], Any]) -> Source:
    """Where the samples of a fit come from. load: given by the user; put: into the object store."""
    if load is not None:
        return _Called(load, data.weight)
    X, targets, in_own_unit = _map_or_array(data.matrix.x), data.targets, False
    y: Any = targets
    if isinstance(targets, Values):
        in_own_unit = targets.scaling is not None  # which workers apply as they load them
        y = None if targets.is_input else _map_or_array(targets.matrix.x)
    if isinstance(X, _Map) or isinstance(y, _Map):
        return _Mapped(in_own_unit, X, y, data.weight)
    return _InStore(in_own_unit, put((X, y, data.weight)))
