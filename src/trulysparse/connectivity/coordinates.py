"""Coordinates of a layer, connected or not, as rows by input neuron, and choices among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels

KeepMask: TypeAlias = NDArray[np.uint8]
"""One mark a connection in the order of connectivity.by_input: 1 stays, 0 goes."""
NewConnections: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32]]
"""New connections as rows by input neuron: (row pointers, n_in + 1; output neurons, ascending within a row)."""


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
    """What a growth rule returns for a layer in tiles: `count` uniformly random empty places, drawn as the new topology
    is made."""

    count: int


def nothing(n_in: int) -> NewConnections:
    """No places."""
    return np.zeros(n_in + 1, np.int64), np.empty(0, np.int32)


def chosen(places: NewConnections, keep: KeepMask, threads: int) -> NewConnections:
    """The marked ones of some places."""
    ptr, index, _ = _kernels.rewire(*places, keep, *nothing(len(places[0]) - 1), [], None, threads)
    return ptr, index


def absent(places: NewConnections, existing: NewConnections, threads: int, keep: KeepMask | None = None) -> KeepMask:
    """Marks the places that `existing` does not hold, or holds with keep == 0."""
    mark = np.empty(len(places[1]), np.uint8)
    _kernels.mark_empty(*existing, keep, *places, mark, threads)
    return mark
