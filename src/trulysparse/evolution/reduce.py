"""The number of connections falls: in the course of training, by a DensitySchedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse.connectivity.coordinates import KeepMask
from trulysparse.evolution.density import DensitySchedule
from trulysparse.evolution.prune import keep_largest
from trulysparse.evolution.rewire import Change, rewire
from trulysparse.evolution.soft import relative_importance
from trulysparse.evolution.view import LayerView
from trulysparse.nn.layers.indexed import IndexedLayer


def reduce(
    density: DensitySchedule,
    views: Sequence[LayerView],
    evolution_state: dict[str, Any],
    training_progress: float,
    total: int | None,
) -> None:
    """Removes connections until there are as many as there should be now, or has the prune rule do so.

    Args:
        density: how many there should be, and how the others go (its `scope`).
        views: the evolving layers, indexed, not yet pruned. With scope 'rule' each one's `surplus` and `fraction` are
            set; else the layers change.
        evolution_state: keeps the initial numbers of connections.
        training_progress: fraction of training that is over, 0 to 1.
        total: updates of the whole training; needed where the end is a number of updates.

    Raises:
        InputError: where `total` is needed and None.
    """
    if density.scope == "network":
        present = sum(view.layer.n_connections for view in views)
        surplus = present - density.target(evolution_state.setdefault("initial", present), training_progress, total)
        if surplus > 0:
            for view, keep_mask in zip(views, keep_largest(views, surplus), strict=True):
                _remove(view, keep_mask)
        return
    for view in views:
        n = view.layer.n_connections
        surplus = n - density.target(view.rule_state.setdefault("initial", n), training_progress, total)
        if surplus <= 0:
            continue
        if density.scope == "rule":
            view.surplus = surplus
            view.fraction = min(1.0, (surplus + 0.5 + view.fraction * (n - surplus)) / n)  # rules round down
        else:
            assert isinstance(view.layer, IndexedLayer)  # see Evolution.check_storage
            keep_mask = np.empty(n, np.uint8)
            _kernels.keep_by_magnitude([relative_importance(view.layer)], surplus, [keep_mask], view.threads)
            _remove(view, keep_mask)


def _remove(view: LayerView, keep_mask: KeepMask) -> None:
    assert isinstance(view.layer, IndexedLayer)  # see Evolution.check_storage
    rewire(view.layer, view.optimizer_state, Change(keep_mask), view.threads)
