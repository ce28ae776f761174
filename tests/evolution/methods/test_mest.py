"""MEST: least |w| + weight * |gradient|."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import coordinates, one_step, weights_of


def test_mest_removes_least_weight_plus_gradient():
    trainer, batch, before = one_step(ts.MEST(0.3, weight=5.0))
    _, gradients = trainer.gradients(*batch)
    expected = []
    for layer, (gradient, _) in zip(trainer.net.layers, gradients, strict=True):
        dense = gradient.toarray().T
        places = coordinates(layer)
        scores = np.abs(layer.values) + 5.0 * np.abs([dense[place] for place in places])
        order = np.argsort(scores, kind="stable")[: int(0.3 * len(places))]
        expected.append({places[k] for k in order})
    trainer.evolve(*batch)
    for old, new, gone in zip(before, weights_of(trainer.net), expected, strict=True):
        assert len(new) == len(old)
        assert all(new[place] == w for place, w in old.items() if place not in gone)
        assert all(new[place] in (0, old.get(place)) for place in set(new) - (set(old) - gone))


@pytest.mark.parametrize("training_progress, fraction", [(0.0, 0.2), (0.5, 0.2), (0.6, 0.1), (0.75, 0.1)])
def test_mest_fraction_is_halved_in_the_last_quarter_of_evolution(training_progress, fraction):
    assert ts.MEST(0.2, stop=0.75).schedule.fraction_at(training_progress) == pytest.approx(fraction)
