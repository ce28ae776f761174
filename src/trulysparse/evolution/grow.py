"""Growth rules: where new connections of a layer go. A rule is a function of a LayerView that returns view.count
distinct empty places as rows by input neuron. A rule with needs_gradient = True sees x and dy. A rule that works on
layers in tiles too declares it, storages = {"indexed", "tiled"}, and returns Uniform(view.count) for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.connectivity.coordinates import (
    ANY,
    KeepMask,
    NewConnections,
    Uniform,
    absent,
    chosen,
    nothing,
    works_with,
)
from trulysparse.connectivity.sampling import sample_weighted
from trulysparse.errors import InputError
from trulysparse.evolution.view import LayerView
from trulysparse.nn.layers.tiled import TiledLayer

# Multiply-adds of one layer's dense gradient beyond which it is refused: minutes on a core.
MOST_WORK = 1e13


class Grow(Protocol):
    """Where a layer grows."""

    def __call__(self, view: LayerView, /) -> NewConnections | Uniform:
        """view.count empty places."""


@works_with(ANY)
def uniform(view: LayerView) -> NewConnections | Uniform:
    """Any empty places, those just emptied included, every subset equally likely. Linear in the connections."""
    if isinstance(view.layer, TiledLayer):
        return Uniform(view.count)
    return _uniform(view, view.keep_mask, view.count, "grow")


def uniform_excluding_pruned(view: LayerView) -> NewConnections:
    """As uniform, but not where a connection has just been removed (as far as there is room)."""
    room = view.layer.n_in * view.layer.n_out - view.layer.n_connections
    return _uniform(view, None if view.count <= room else view.keep_mask, view.count, "grow")


@works_with(ANY)
def no_growth(view: LayerView) -> NewConnections | Uniform:
    """No places: connections only go."""
    if isinstance(view.layer, TiledLayer):
        return Uniform(0)
    return nothing(view.layer.n_in)


def _uniform(view: LayerView, keep: KeepMask | None, count: int, purpose: str) -> NewConnections:
    rows = view.layer.connectivity.by_input
    ptr, index = _kernels.sample_empty(
        rows.ptr, rows.index, view.layer.n_out, keep, count, view.stream(purpose), view.threads
    )
    return ptr, index


class LargestGradient:
    """RigL: the empty places where |loss gradient| is largest on the batch at hand (Evci et al. 2020, section 3),
    exactly. The dense gradient is made tile by tile and forgotten: time n_in * n_out * batch, memory linear in the
    number grown. For layers whose n_in * n_out is out of reach see GuidedGradient."""

    needs_gradient: ClassVar[bool] = True

    def __call__(self, view: LayerView) -> NewConnections:
        """view.count empty places."""
        x, dy = view.signals()
        work = view.layer.n_in * view.layer.n_out * x.shape[1]
        if work > MOST_WORK:
            raise InputError(
                f"the exact gradient of a layer {view.layer.n_in} x {view.layer.n_out} takes {work:.1g} multiply-adds; "
                f"above {MOST_WORK:.0g}, grow by GuidedGradient (the method GSE), which is linear in connections"
            )
        rows = view.layer.connectivity.by_input
        ptr, index = _kernels.grow_by_gradient(rows.ptr, rows.index, view.keep_mask, x, dy, view.count, view.threads)
        return ptr, index


@dataclass(frozen=True)
class GuidedGradient:
    """GSE: of a random set of empty places, those where |loss gradient| is largest (Heddes et al. 2024, algorithm 1).
    Time and memory linear in connections.

    candidates: places looked at, as a multiple of the layer's connections (gamma). distribution: 'uniform', or 'bound',
    which looks at place (i, j) with probability proportional to sum|x_i| * sum|dy_j|, an upper bound of the gradient.
    """

    candidates: float = 1.0
    distribution: str = "uniform"
    needs_gradient: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.real("candidates", self.candidates, low=0, low_open=True)
        checks.choice("distribution", self.distribution, ("uniform", "bound"))

    def __call__(self, view: LayerView) -> NewConnections:
        """view.count empty places."""
        wanted = min(view.n_empty, max(view.count, round(self.candidates * view.layer.n_connections)))
        if self.distribution == "uniform":
            places = _uniform(view, view.keep_mask, wanted, "candidates")
        else:
            x, dy = view.signals()
            places = weighted(view, np.abs(x).sum(axis=1), np.abs(dy).sum(axis=1), wanted)
        return best(view, places, view.gradient_at(places))


@dataclass(frozen=True)
class Active:
    """Places between active neurons: (i, j) with probability proportional to mean|x_i| on the batch at hand times the
    summed |incoming weights| of j. Time and memory linear in connections."""

    needs_gradient: ClassVar[bool] = True

    def __call__(self, view: LayerView) -> NewConnections:
        """view.count empty places."""
        x, _ = view.signals()
        rows = view.layer.connectivity.by_input
        strength = np.bincount(rows.index, weights=np.abs(view.layer.values), minlength=view.layer.n_out)
        return weighted(view, np.abs(x).sum(axis=1), strength, view.count)


def best(view: LayerView, places: NewConnections, scores: Floats) -> NewConnections:
    """Of the given places the view.count with the largest |score|."""
    keep = np.empty(len(scores), np.uint8)
    _kernels.keep_by_magnitude([scores], len(scores) - view.count, [keep], view.threads)
    return chosen(places, keep, view.threads)


def weighted(view: LayerView, of_input: NDArray[Any], of_output: NDArray[Any], count: int) -> NewConnections:
    """`count` empty places, (i, j) with probability proportional to of_input[i] * of_output[j]; see sample_weighted."""

    def empty(places: NewConnections) -> NDArray[np.bool_]:
        rows = view.layer.connectivity.by_input
        return absent(places, (rows.ptr, rows.index), view.threads, view.keep_mask).astype(np.bool_)

    random = np.random.Generator(np.random.Philox(key=view.stream("weighted")))
    return sample_weighted(
        of_input, of_output, count, random, empty, lambda: _uniform(view, view.keep_mask, view.n_empty, "rest")
    )
