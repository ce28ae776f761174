"""GraNet: fewer connections along a cubic, by magnitude across layers."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import trained


def test_granet_in_training_follows_the_cubic():
    counts = []

    class Watch(ts.Callback):
        def on_evolution(self, trainer, grown):
            counts.append(trainer.net.n_connections)

    method = ts.GraNet(final=0.4, every=5, stop=0.75)
    initial = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0).n_connections
    trainer, _ = trained(method, epochs=4, callbacks=[Watch()])
    total = trainer.step_count
    due = [done for done in range(total) if method.due(done, total // 4, total)]
    assert len(counts) == len(due) > 2
    assert counts == sorted(counts, reverse=True)
    expected = [method.density.target(initial, done / total) for done in due]
    np.testing.assert_allclose(counts, expected, rtol=0.1)


def test_granet_density_keeps_the_largest_weights_of_all_layers():
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0)
    rng = np.random.default_rng(0)
    for layer in net.layers:
        layer.values[:] = rng.standard_normal(layer.n_connections)
    optimizer_state = [layer.new_state(ts.SGD()) for layer in net.layers]
    weights = np.sort(np.abs(np.concatenate([layer.values for layer in net.layers])))
    method = ts.GraNet(final=0.5, stop=0.5)
    method.start(net, optimizer_state, key=1, threads=1, training_progress=0.0, evolution_state=(state := {}))
    method.start(net, optimizer_state, key=2, threads=1, training_progress=0.5, evolution_state=state)
    remaining = np.sort(np.abs(np.concatenate([layer.values for layer in net.layers])))
    np.testing.assert_array_equal(remaining, weights[len(weights) - round(0.5 * len(weights)) :])


@pytest.mark.parametrize("arguments", [{"final": 0}, {"fraction": 2}, {"every": 0}, {"stop": 0}])
def test_granet_bad_argument_is_refused(arguments):
    with pytest.raises(ts.InputError):
        ts.GraNet(**arguments)
