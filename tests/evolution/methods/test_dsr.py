"""DSR: one threshold for all layers, growth where connections survive."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import one_step, weights_of


@pytest.mark.parametrize("threshold", [0.02, 0.1])
def test_dsr_removes_all_under_the_threshold_and_grows_as_many(threshold):
    trainer, _, before = one_step(ts.DSR(threshold=threshold))
    removed = [{place for place, w in layer.items() if abs(w) < np.float32(threshold)} for layer in before[:-1]]
    trainer.evolve()
    after = weights_of(trainer.net)
    assert sum(map(len, after)) == sum(map(len, before))
    for old, new, gone in zip(before[:-1], after, removed, strict=False):
        assert gone.isdisjoint(new)
        assert all(new[place] == w for place, w in old.items() if place not in gone)
        assert all(new[place] == 0 for place in set(new) - set(old))
    survivors = [len(old) - len(gone) for old, gone in zip(before[:-1], removed, strict=True)]
    grown = [len(set(new) - set(old)) for old, new in zip(before[:-1], after, strict=False)]
    expected = np.array(survivors) / sum(survivors) * sum(map(len, removed))
    np.testing.assert_allclose(grown, expected, atol=1)


def test_dsr_threshold_adapts_from_one_evolution_to_the_next():
    trainer, _, _ = one_step(ts.DSR(fraction=0.3, threshold=1e-6))
    for power in (1, 2, 3):
        trainer.evolve()
        assert trainer.evolution_state["0"]["threshold"] == pytest.approx(1e-6 * 2**power)
