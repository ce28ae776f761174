"""The share of dormant neurons against the definition, neuron by neuron."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.rl.dormant import TAU, dormant_share
from trulysparse.rl.learner import Learner


def learner(seed, n_networks=1, batch_size=20):
    made = Learner((5, 24, 18, 2), batch_size=batch_size, n_networks=n_networks, density=0.4, seed=seed)
    rng = np.random.default_rng(seed)
    made.x[:, :batch_size] = rng.standard_normal((5, batch_size))
    for net in made.nets:
        for layer in net.layers[:-1]:
            layer.bias[rng.random(layer.n_out) < 0.2] = -50
            layer.bias[rng.random(layer.n_out) < 0.1] = 3
    return made


@pytest.mark.parametrize("tau", [0.0, TAU, 0.5])
def test_as_counted_neuron_by_neuron(tau):
    learners = [learner(0), learner(1, n_networks=2)]
    dormant = neurons = 0
    for each in learners:
        for net in each.nets:
            h = each.x[:, : each.batch_size].astype(np.float64)
            for layer in net.layers[:-1]:
                h = np.maximum(layer.weight.toarray() @ h + layer.bias[:, None], 0)
                scores = np.abs(h).mean(axis=1)
                dormant += sum(score / scores.mean() <= tau for score in scores)
                neurons += len(scores)
    share = dormant_share(learners, tau)
    assert share == pytest.approx(dormant / neurons, abs=1e-12)
    assert 0.1 < share < 0.9


def test_padding_does_not_count():
    """Columns beyond the samples, at which neurons of a positive bias are active, make no neuron active."""
    made = learner(2, batch_size=17)
    assert made.columns > made.batch_size
    share = dormant_share([made])
    made.x[:, 17:] = 1000.0
    assert dormant_share([made]) == share


def test_nothing_is_changed_and_nothing_is_no_share():
    made = learner(3)
    before = [layer.values.copy() for layer in made.nets[0].layers]
    dormant_share([made])
    for layer, values in zip(made.nets[0].layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)
    assert dormant_share([]) == 0
    with pytest.raises(ts.InputError, match="tau must lie in"):
        dormant_share([made], tau=-1)
