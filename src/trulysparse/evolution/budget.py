"""Budget rules: how many connections each layer grows, given how many all of them lost. A rule is a function of the
LayerViews, with their keep masks, that returns one count per view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from trulysparse.connectivity.coordinates import ANY, works_with
from trulysparse.evolution.view import LayerView

Budget: TypeAlias = Callable[[Sequence[LayerView]], list[int]]


@works_with(ANY)
def as_lost(views: Sequence[LayerView]) -> list[int]:
    """Every layer grows as many connections as it lost.

    Args:
        views: the evolving layers, pruned.

    Returns:
        The number of connections that each layer grows.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, budget
        >>> net = ts.SparseMLP((10, 10, 10), epsilon=2)
        >>> views = [
        ...     LayerView(layer, layer.new_state(ts.SGD(momentum=0.9)), number, fraction=0.5, key=0, threads=1)
        ...     for number, layer in enumerate(net.layers)
        ... ]
        >>> for view, n_removed in zip(views, (10, 30)):  # of 40 connections each
        ...     view.keep_mask = (np.arange(40) >= n_removed).astype(np.uint8)
        >>> budget.as_lost(views)
        [10, 30]
    """
    return [view.lost for view in views]


def by_survivors(views: Sequence[LayerView]) -> list[int]:
    """Layers grow in proportion to the connections that survived.

    Args:
        views: the evolving layers, pruned.

    Returns:
        The number of connections that each layer grows; together as many as were removed.

    Source: Mostafa and Wang (2019), algorithm 1.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, budget
        >>> net = ts.SparseMLP((10, 10, 10), epsilon=2)
        >>> views = [
        ...     LayerView(layer, layer.new_state(ts.SGD(momentum=0.9)), number, fraction=0.5, key=0, threads=1)
        ...     for number, layer in enumerate(net.layers)
        ... ]
        >>> for view, n_removed in zip(views, (10, 30)):  # of 40 connections each
        ...     view.keep_mask = (np.arange(40) >= n_removed).astype(np.uint8)
        >>> budget.by_survivors(views)
        [30, 10]
    """
    return split_in_proportion(views, [view.layer.n_connections - view.removed for view in views])


def by_momentum(views: Sequence[LayerView]) -> list[int]:
    """Layers grow in proportion to the mean |momentum| of the connections that survived.

    Args:
        views: the evolving layers, pruned.

    Returns:
        The number of connections that each layer grows; as `as_lost` where the optimizer has no momentum.

    Source: Dettmers and Zettlemoyer (2019), section 4.1.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, budget
        >>> net = ts.SparseMLP((10, 10, 10), epsilon=2)
        >>> views = [
        ...     LayerView(layer, layer.new_state(ts.SGD(momentum=0.9)), number, fraction=0.5, key=0, threads=1)
        ...     for number, layer in enumerate(net.layers)
        ... ]
        >>> for view, n_removed in zip(views, (10, 30)):  # of 40 connections each
        ...     view.keep_mask = (np.arange(40) >= n_removed).astype(np.uint8)
        ...     view.optimizer_state.weight[0][:] = n_removed
        >>> budget.by_momentum(views)
        [10, 30]
    """
    means = []
    for view in views:
        momentum = view.optimizer_state.momentum
        if momentum is None or view.keep_mask is None:
            return as_lost(views)
        n_surviving = max(1, int(np.count_nonzero(view.keep_mask)))
        means.append(float(np.abs(momentum) @ view.keep_mask.astype(np.float32)) / n_surviving)
    return split_in_proportion(views, means)


def split_in_proportion(views: Sequence[LayerView], weights: Sequence[float]) -> list[int]:
    """Divides all that was removed among the layers in proportion to `weights`. No layer gets more than it has empty
    coordinates; what one cannot take goes to the others.

    Args:
        views: the evolving layers, pruned.
        weights: one per layer, at least 0; all 0: equal parts.

    Returns:
        One count per layer.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, budget
        >>> net = ts.SparseMLP((10, 10, 10), epsilon=2)
        >>> views = [
        ...     LayerView(layer, layer.new_state(ts.SGD()), number, fraction=0.5, key=0, threads=1)
        ...     for number, layer in enumerate(net.layers)
        ... ]
        >>> for view in views:
        ...     view.keep_mask = (np.arange(view.layer.n_connections) >= 12).astype(np.uint8)
        >>> budget.split_in_proportion(views, [1.0, 3.0])
        [6, 18]
    """
    counts = [0] * len(views)
    left = sum(view.lost for view in views)
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
        for i, n_given in zip(open_layers, given, strict=True):
            counts[i] += n_given
            left -= n_given
        open_layers = [i for i in open_layers if counts[i] < views[i].n_empty]
    return counts
