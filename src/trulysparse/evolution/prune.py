"""Prune rules: which connections remain.

A rule is a function of a LayerView that returns a keep mask, one mark per connection, or an object with `across`,
which decides for all layers together. A rule with needs_gradient = True sees x and dy. A rule that also works on tiled
layers (storage='compact'), whose weights may be bfloat16, declares it: storages = {"indexed", "tiled"}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeGuard

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import HELD, Floats, empty
from trulysparse.connectivity.coordinates import ANY, KeepMask, works_with
from trulysparse.evolution.soft import Soft as Soft  # noqa: PLC0414  # one of the rules of this module
from trulysparse.evolution.view import LayerView


class LayerPrune(Protocol):
    """Decides layer by layer."""

    def __call__(self, view: LayerView, /) -> KeepMask:
        """One mark per connection, 1: it remains."""


class NetworkPrune(Protocol):
    """Decides for all evolving layers together."""

    def across(self, views: Sequence[LayerView]) -> list[KeepMask]:
        """A keep mask for each layer."""


def decides_across(rule: LayerPrune | NetworkPrune) -> TypeGuard[NetworkPrune]:
    """Whether a rule decides for all layers together. (isinstance of a protocol takes longer than a small layer.)"""
    return hasattr(rule, "across")


@works_with(ANY)
def sign_magnitude(view: LayerView) -> KeepMask:
    """Removes the fraction of the positive weights closest to zero and the fraction of the negative weights closest to
    zero, both rounded down.

    Args:
        view: the layer.

    Returns:
        The keep mask, uint8 (n_connections,).

    Source: Mocanu et al. (2018), algorithm 1 (SET).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, prune
        >>> layer = ts.SparseMLP.from_matrices([np.array([[0.1, -0.4], [0.3, -0.2]])]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=0, threads=1)
        >>> prune.sign_magnitude(view).tolist()  # of 0.1, 0.3, -0.4, -0.2
        [0, 1, 1, 0]
    """
    keep_mask = np.empty(view.layer.n_connections, np.uint8)
    _kernels.keep_by_sign_magnitude(view.layer.values, view.fraction, keep_mask, view.threads)
    return keep_mask


def smallest(scores: Floats, view: LayerView) -> KeepMask:
    """Removes the fraction of connections of least |score|, rounded down; of equal ones the first.

    Args:
        scores: one per connection, in the order of connectivity.by_input and the type of the layer's weights.
        view: the layer.

    Returns:
        The keep mask, uint8 (n_connections,).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, prune
        >>> layer = ts.SparseMLP.from_matrices([np.ones((2, 2))]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=0, threads=1)
        >>> prune.smallest(np.array([0.3, -0.1, 0.2, 0.9], np.float32), view)
        array([1, 0, 0, 1], dtype=uint8)
    """
    keep_mask = np.empty(len(scores), np.uint8)
    _kernels.keep_by_magnitude([scores], int(view.fraction * len(scores)), [keep_mask], view.threads)
    return keep_mask


@works_with(ANY)
def magnitude(view: LayerView) -> KeepMask:
    """Removes the fraction of the layer's connections of least |weight|.

    Args:
        view: the layer.

    Returns:
        The keep mask, uint8 (n_connections,).

    Source: Evci et al. (2020), section 3.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, prune
        >>> layer = ts.SparseMLP.from_matrices([np.array([[0.1, -0.4], [0.3, -0.2]])]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=0, threads=1)
        >>> prune.magnitude(view).tolist()  # of 0.1, 0.3, -0.4, -0.2
        [0, 1, 1, 0]
    """
    return smallest(view.layer.values, view)


@works_with(ANY)
def random(view: LayerView) -> KeepMask:
    """Removes a fraction of the layer's connections, each subset equally likely.

    Args:
        view: the layer.

    Returns:
        The keep mask, uint8 (n_connections,).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, prune
        >>> layer = ts.SparseMLP.from_matrices([np.array([[0.1, -0.4], [0.3, -0.2]])]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=0, threads=1)
        >>> int(prune.random(view).sum())
        2
    """
    kind = HELD["float32"] if view.layer.values.dtype == np.uint16 else view.layer.values.dtype
    scores = empty(view.layer.n_connections, kind)
    _kernels.draw_weights(scores, _kernels.Draw.UNIFORM, 1.0, view.stream("prune"), view.threads)
    return smallest(scores, view)


@dataclass(frozen=True)
class GlobalMagnitude:
    """Removes the fraction of all connections of least |weight|, whatever layer they are in.

    Args:
        least: connections that each layer keeps in any case.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, prune
        >>> layer = ts.SparseMLP.from_matrices([np.array([[0.1, -0.4], [0.3, -0.2]])]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=0, threads=1)
        >>> prune.GlobalMagnitude().across([view])[0].tolist()
        [0, 1, 1, 0]
    """

    least: int = 1

    def across(self, views: Sequence[LayerView]) -> list[KeepMask]:
        """A keep mask for each layer."""
        total = sum(view.layer.n_connections for view in views)
        return keep_largest(views, int(views[0].fraction * total), self.least)


def keep_largest(views: Sequence[LayerView], n_removed: int, least: int = 1) -> list[KeepMask]:
    """Keep masks that remove the `n_removed` connections of least |weight| of all layers together, except the `least`
    largest of each layer."""
    keep_masks = [np.empty(view.layer.n_connections, np.uint8) for view in views]
    _kernels.keep_by_magnitude([view.layer.values for view in views], n_removed, keep_masks, views[0].threads)
    for view, keep_mask in zip(views, keep_masks, strict=True):
        n_kept = min(least, len(keep_mask))
        if np.count_nonzero(keep_mask) < n_kept:
            _kernels.keep_by_magnitude([view.layer.values], len(keep_mask) - n_kept, [keep_mask], view.threads)
    return keep_masks


@dataclass(frozen=True)
class MagnitudeAndGradient:
    """Removes the fraction of the layer's connections of least |w| + weight * |gradient|.

    Args:
        weight: of the gradient.

    Source: Yuan et al. (2021), MEST.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, prune
        >>> layer = ts.SparseMLP.from_matrices([np.array([[0.1, -0.4], [0.3, -0.2]])]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=0, threads=1)
        >>> view.x, view.dy = np.ones((2, 32), np.float32), np.zeros((2, 32), np.float32)
        >>> prune.MagnitudeAndGradient()(view).tolist()
        [0, 1, 1, 0]
    """

    weight: float = 0.01
    needs_gradient: ClassVar[bool] = True

    def __call__(self, view: LayerView) -> KeepMask:
        """The keep mask of one layer."""
        scores = np.abs(view.gradient())
        scores *= self.weight
        scores += np.abs(view.layer.values)
        return smallest(scores, view)


@dataclass(frozen=True)
class SignFlip:
    """Removes connections whose weight has changed its sign since the last evolution: a connection keeps the sign it
    started with. Before that, each weight drifts towards zero by `l1` and takes a step of normal noise.

    Args:
        l1: drift per evolution, at least 0.
        noise: standard deviation of the noise, at least 0.

    Source: Bellec et al. (2018), algorithm 1 (DeepR).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, prune
        >>> layer = ts.SparseMLP.from_matrices([np.array([[0.1, -0.4], [0.3, -0.2]])]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=0, threads=1)
        >>> rule = prune.SignFlip(noise=0)
        >>> rule(view).tolist()  # nothing has changed yet
        [1, 1, 1, 1]
        >>> layer.values[2] *= -1
        >>> rule(view).tolist()
        [1, 1, 0, 1]
    """

    l1: float = 1e-5
    noise: float = 1e-5

    def __post_init__(self) -> None:
        checks.real("l1", self.l1, low=0)
        checks.real("noise", self.noise, low=0)

    def __call__(self, view: LayerView) -> KeepMask:
        """The keep mask of one layer."""
        before = view.layer.values
        first_signs = view.rule_state.get("signs")
        if first_signs is None:
            self.remember(view)
            first_signs = view.rule_state["signs"]
        # In an array of its own: the layer does not change until the step is applied.
        values = view.new_values = before - np.asarray(self.l1, before.dtype) * np.sign(before)
        if self.noise:
            step = empty(len(values), values.dtype)
            _kernels.draw_weights(step, _kernels.Draw.NORMAL, self.noise, view.stream("walk"), view.threads)
            values += step
        negative = np.unpackbits(first_signs, count=len(values))
        keep_mask: KeepMask = (np.signbit(values) == negative).astype(np.uint8)
        return keep_mask

    def remember(self, view: LayerView) -> None:
        """Stores the signs, one bit per connection, for the next evolution."""
        view.rule_state["signs"] = np.packbits(np.signbit(view.layer.values))


@dataclass(frozen=True)
class AdaptiveThreshold:
    """Removes connections with |weight| under one threshold for all layers. The threshold doubles after it removed less
    than (1 - tolerance) of the wanted fraction, and halves after it removed more than (1 + tolerance).

    Args:
        threshold: the first one.
        tolerance: relative deviation from the wanted fraction that leaves the threshold as it is.

    Source: Mostafa and Wang (2019), algorithm 1 (DSR).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, prune
        >>> layer = ts.SparseMLP.from_matrices([np.array([[0.1, -0.4], [0.3, -0.2]])]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=0, threads=1)
        >>> prune.AdaptiveThreshold(0.25).across([view])[0].tolist()
        [0, 1, 1, 0]
    """

    threshold: float = 1e-3
    tolerance: float = 0.1

    def across(self, views: Sequence[LayerView]) -> list[KeepMask]:
        """A keep mask for each layer."""
        state = views[0].rule_state
        threshold = state.get("threshold", self.threshold)
        keep_masks = [(np.abs(view.layer.values) >= threshold).view(np.uint8) for view in views]
        total = sum(view.layer.n_connections for view in views)
        removed = total - sum(int(np.count_nonzero(keep_mask)) for keep_mask in keep_masks)
        wanted = views[0].fraction * total
        if removed < (1 - self.tolerance) * wanted:
            state["threshold"] = threshold * 2
        elif removed > (1 + self.tolerance) * wanted:
            state["threshold"] = threshold / 2
        return keep_masks
