"""Budget rules: how many connections each layer grows, given what all of them lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from trulysparse.connectivity.coordinates import ANY, works_with
from trulysparse.evolution.view import LayerView

Budget: TypeAlias = Callable[[Sequence[LayerView]], list[int]]


@works_with(ANY)
def as_lost(views: Sequence[LayerView]) -> list[int]:
    """Each layer as many as it lost."""
    return [view.removed for view in views]


def by_survivors(views: Sequence[LayerView]) -> list[int]:
    """In proportion to the connections that survived (Mostafa and Wang 2019, algorithm 1)."""
    return share(views, [view.layer.n_connections - view.removed for view in views])


def by_momentum(views: Sequence[LayerView]) -> list[int]:
    """In proportion to the mean |momentum| of the connections that survived (Dettmers and Zettlemoyer 2019, section
    4.1); as lost, where the optimizer has no momentum."""
    means = []
    for view in views:
        if not view.optimizer_state.weight or view.keep_mask is None:
            return as_lost(views)
        alive = max(1, int(np.count_nonzero(view.keep_mask)))
        means.append(float(np.abs(view.optimizer_state.weight[0]) @ view.keep_mask.astype(np.float32)) / alive)
    return share(views, means)


def share(views: Sequence[LayerView], weights: Sequence[float]) -> list[int]:
    """Deals out all that was lost in proportion to the weights; no layer gets more than it has room for, and what it
    can't take goes to the others."""
    counts = [0] * len(views)
    left = sum(view.removed for view in views)
    open_layers = list(range(len(views)))
    while left and open_layers:
        total = sum(weights[i] for i in open_layers)
        even = total <= 0
        parts = [left / len(open_layers) if even else left * weights[i] / total for i in open_layers]
        given = [min(int(part), views[i].n_empty - counts[i]) for i, part in zip(open_layers, parts, strict=True)]
        if not any(given):  # less than one each: the largest remainders first
            order = sorted(range(len(parts)), key=lambda j: -parts[j])
            for j in order[:left]:
                given[j] = min(1, views[open_layers[j]].n_empty - counts[open_layers[j]])
        for i, more in zip(open_layers, given, strict=True):
            counts[i] += more
            left -= more
        open_layers = [i for i in open_layers if counts[i] < views[i].n_empty]
    return counts
