"""Coordinates of a layer, connected or not, as rows by input neuron, and choices among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels

KeepMask: TypeAlias = NDArray[np.uint8]
"""One value per connection in the order of connectivity.by_input: 1 stays, 0 goes."""
Coordinates: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32]]
"""Rows by input neuron: (row pointers, n_in + 1; output neurons, ascending within a row)."""
NewConnections: TypeAlias = Coordinates
"""Coordinates that connections are to be grown at."""

INDEXED, ANY = frozenset({"indexed"}), frozenset({"indexed", "tiled"})
"""Storages that a rule may declare: connections indexed by neuron, or those and tiles (storage='compact')."""

Rule = TypeVar("Rule", bound=Callable[..., Any])


def works_with(storages: frozenset[str]) -> Callable[[Rule], Rule]:
    """Declares the storages that a rule works with; a rule that declares none gets indexed connections only."""

    def declared(rule: Rule) -> Rule:
        rule.__dict__["storages"] = storages
        return rule

    return declared


def storages_of(rule: object) -> frozenset[str]:
    """What a rule declares as `storages`. A rule that needs gradients sees them along indexed connections only."""
    if getattr(rule, "needs_gradient", False):
        return INDEXED
    return frozenset(getattr(rule, "storages", INDEXED))


@dataclass(frozen=True)
class Uniform:
    """What a growth rule returns for a layer in tiles: `count` uniformly random empty coordinates, drawn as the new
    topology is made."""

    count: int


def nothing(n_in: int) -> Coordinates:
    """No coordinates."""
    return np.zeros(n_in + 1, np.int64), np.empty(0, np.int32)


def chosen(coordinates: Coordinates, keep_mask: KeepMask, threads: int) -> Coordinates:
    """The coordinates whose keep_mask is 1."""
    ptr, index, _ = _kernels.rewire(*coordinates, keep_mask, *nothing(len(coordinates[0]) - 1), [], None, threads)
    return ptr, index


def absent(
    coordinates: Coordinates, existing: Coordinates, threads: int, keep_mask: KeepMask | None = None
) -> KeepMask:
    """1 for each of the coordinates that `existing` does not hold, or holds with keep_mask 0; else 0."""
    empty = np.empty(len(coordinates[1]), np.uint8)
    _kernels.mark_empty(*existing, keep_mask, *coordinates, empty, threads)
    return empty
