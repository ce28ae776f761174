from __future__ import annotations

import json

import numpy as np
import pytest

import boltzmann_reference as reference
from trulysparse.data import as_matrix
from trulysparse.errors import InputError
from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence, DivergenceSettings
from trulysparse.unsupervised.boltzmann.learner_state import restored, saved


@pytest.mark.parametrize(
    "settings", [DivergenceSettings(0.1, 0.9, 1e-4), DivergenceSettings(0.05, k=2, persistent=True)], ids=str
)
def test_a_restored_learner_goes_on_with_the_same_bits(rng, settings):
    machine = reference.small_machine(30, 20, dtype="float32")
    learner = ContrastiveDivergence(machine, settings, batch_size=10, seed=4, threads=1)
    X = as_matrix(rng.random((30, 30)).astype(np.float32))
    learner.update(X, np.arange(10))
    arrays, config = saved(learner)
    arrays = {name: np.array(each) for name, each in arrays.items()}
    twin = restored(machine.net.copy(), arrays, json.loads(json.dumps(config)), 1)
    for each in (learner, twin):
        each.update(X, np.arange(10, 20))
        each.update(X, np.arange(20, 30))
    np.testing.assert_array_equal(twin.machine.layer.values, machine.layer.values)
    np.testing.assert_array_equal(twin.machine.layer.bias, machine.layer.bias)
    np.testing.assert_array_equal(twin.machine.visible_bias, machine.visible_bias)


def test_what_does_not_fit_is_refused():
    learner = ContrastiveDivergence(
        reference.small_machine(), DivergenceSettings(momentum=0.5), batch_size=10, seed=4, threads=1
    )
    arrays, config = saved(learner)
    net = learner.machine.net
    with pytest.raises(InputError, match=r"visible_bias must be float64 of shape \(6,\), not missing"):
        restored(net, {**arrays, "visible_bias": None}, config, 1)
    with pytest.raises(InputError, match=r"momentum.hidden must be float64 of shape \(5,\), not float64 \(4,\)"):
        restored(net, {**arrays, "momentum.hidden": np.zeros(4)}, config, 1)
    with pytest.raises(InputError, match="visible must be one of"):
        restored(net, arrays, {**config, "visible": "poisson"}, 1)
