"""DeepR: connections keep the sign they started with."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import coordinates, one_step, trained, weights_of


def test_deepr_without_noise_removes_exactly_the_weights_that_changed_sign():
    trainer, _, _ = one_step(ts.DeepR(l1=0.0, noise=0.0))
    trainer.evolve()  # the first one stores the signs
    layer = trainer.net.layers[0]
    before = weights_of(trainer.net)[0]
    flipped = set(coordinates(layer)[::7])
    layer.values[::7] *= -1
    trainer.evolve()
    after = weights_of(trainer.net)[0]
    assert len(after) == len(before)
    assert all(after[place] == weight for place, weight in before.items() if place not in flipped)
    assert all(after[place] != -before[place] for place in flipped & set(after))


def test_deepr_output_layer_does_not_evolve():
    trainer, _ = trained(ts.DeepR())
    start = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0)
    assert coordinates(trainer.net.layers[-1]) == coordinates(start.layers[-1])


@pytest.mark.parametrize("arguments", [{"l1": -1}, {"noise": -1}, {"every": 0}, {"l1": np.nan}])
def test_deepr_bad_argument_is_refused(arguments):
    with pytest.raises(ts.InputError, match=next(iter(arguments))):
        ts.DeepR(**arguments)
