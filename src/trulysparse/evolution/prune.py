"""Prune rules: which connections stay. A rule is a function of a LayerView that returns one mark a connection, or an
object with `across`, which decides for all layers together. A rule with needs_gradient = True sees x and dy. A rule
for layers in tiles too, with weights that may be bfloat16, declares it: storages = {"indexed", "tiled"}."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import HELD, Floats, empty
from trulysparse.connectivity.coordinates import ANY, KeepMask, works_with
from trulysparse.evolution.view import LayerView


class LayerPrune(Protocol):
    """Decides layer by layer."""

    def __call__(self, view: LayerView, /) -> KeepMask:
        """One mark a connection, 1: stays."""


@runtime_checkable
class NetworkPrune(Protocol):
    """Decides for all evolving layers together."""

    def across(self, views: Sequence[LayerView]) -> list[KeepMask]:
        """Marks for each layer."""


@works_with(ANY)
def sign_magnitude(view: LayerView) -> KeepMask:
    """SET: the fraction of the positive weights closest to zero and the fraction of the negative weights closest to
    zero go, both rounded down (Mocanu et al. 2018, algorithm 1)."""
    keep = np.empty(view.layer.n_connections, np.uint8)
    _kernels.keep_by_sign_magnitude(view.layer.values, view.fraction, keep, view.threads)
    return keep


def smallest(scores: Floats, view: LayerView) -> KeepMask:
    """The fraction of connections of least |score| goes, rounded down; of equal ones the first."""
    keep = np.empty(len(scores), np.uint8)
    _kernels.keep_by_magnitude([scores], int(view.fraction * len(scores)), [keep], view.threads)
    return keep


@works_with(ANY)
def magnitude(view: LayerView) -> KeepMask:
    """The fraction of the layer's connections of least |weight| goes (Evci et al. 2020, section 3)."""
    return smallest(view.layer.values, view)


@works_with(ANY)
def random(view: LayerView) -> KeepMask:
    """A fraction of the layer's connections goes, each subset equally likely."""
    kind = HELD["float32"] if view.layer.values.dtype == np.uint16 else view.layer.values.dtype
    scores = empty(view.layer.n_connections, kind)
    _kernels.draw_weights(scores, _kernels.Draw.UNIFORM, 1.0, view.stream("prune"), view.threads)
    return smallest(scores, view)


@dataclass(frozen=True)
class GlobalMagnitude:
    """The fraction of all connections of least |weight| goes, whatever layer they are in. least: connections that each
    layer keeps in any case."""

    least: int = 1

    def across(self, views: Sequence[LayerView]) -> list[KeepMask]:
        """Marks for each layer."""
        total = sum(view.layer.n_connections for view in views)
        return keep_largest(views, int(views[0].fraction * total), self.least)


def keep_largest(views: Sequence[LayerView], remove: int, least: int = 1) -> list[KeepMask]:
    """Marks off the `remove` connections of least |weight| of all layers together, save the `least` largest of each."""
    keeps = [np.empty(view.layer.n_connections, np.uint8) for view in views]
    _kernels.keep_by_magnitude([view.layer.values for view in views], remove, keeps, views[0].threads)
    for view, keep in zip(views, keeps, strict=True):
        spare = min(least, len(keep))
        if np.count_nonzero(keep) < spare:
            _kernels.keep_by_magnitude([view.layer.values], len(keep) - spare, [keep], view.threads)
    return keeps


@dataclass(frozen=True)
class MagnitudeAndGradient:
    """The fraction of the layer's connections of least |w| + weight * |gradient| goes (Yuan et al. 2021, MEST)."""

    weight: float = 0.01
    needs_gradient: ClassVar[bool] = True

    def __call__(self, view: LayerView) -> KeepMask:
        """One mark a connection."""
        scores = np.abs(view.gradient())
        scores *= self.weight
        scores += np.abs(view.layer.values)
        return smallest(scores, view)


@dataclass(frozen=True)
class SignFlip:
    """Connections whose weight has changed its sign since the last evolution go (Bellec et al. 2018, DeepR: a
    connection keeps the sign it was born with). Before that, each weight drifts towards zero by `l1` and takes a step
    of normal noise with deviation `noise`, the random walk of the paper's algorithm 1."""

    l1: float = 1e-5
    noise: float = 1e-5

    def __post_init__(self) -> None:
        checks.real("l1", self.l1, low=0)
        checks.real("noise", self.noise, low=0)

    def __call__(self, view: LayerView) -> KeepMask:
        """One mark a connection."""
        before = view.layer.values
        born = view.rule_state.get("signs")
        if born is None:
            self.remember(view)
            born = view.rule_state["signs"]
        # In an array of its own: the layer stays as it is until the evolution is carried out.
        values = view.moved = before - np.asarray(self.l1, before.dtype) * np.sign(before)
        if self.noise:
            step = empty(len(values), values.dtype)
            _kernels.draw_weights(step, _kernels.Draw.NORMAL, self.noise, view.stream("walk"), view.threads)
            values += step
        negative = np.unpackbits(born, count=len(values))
        keep: KeepMask = (np.signbit(values) == negative).astype(np.uint8)
        return keep

    def remember(self, view: LayerView) -> None:
        """Keeps the signs, one bit a connection, for the next evolution."""
        view.rule_state["signs"] = np.packbits(np.signbit(view.layer.values))


@dataclass(frozen=True)
class AdaptiveThreshold:
    """Connections with |weight| under one threshold for all layers go; the threshold doubles after it removed less than
    (1 - tolerance) of the fraction wanted, halves after more than (1 + tolerance) (Mostafa and Wang 2019, DSR)."""

    threshold: float = 1e-3
    tolerance: float = 0.1

    def across(self, views: Sequence[LayerView]) -> list[KeepMask]:
        """Marks for each layer."""
        state = views[0].rule_state
        threshold = state.get("threshold", self.threshold)
        keeps = [(np.abs(view.layer.values) >= threshold).view(np.uint8) for view in views]
        total = sum(view.layer.n_connections for view in views)
        removed = total - sum(int(np.count_nonzero(keep)) for keep in keeps)
        wanted = views[0].fraction * total
        if removed < (1 - self.tolerance) * wanted:
            state["threshold"] = threshold * 2
        elif removed > (1 + self.tolerance) * wanted:
            state["threshold"] = threshold / 2
        return keeps
