"""Gradients on an older topology against naive versions."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from parallel_helpers import (
    problem,
    trainer_for,
    values_by_coordinates,
)
from trulysparse.parallel.gradient import Gradient, Topology, retain
from trulysparse.parallel.shards import BatchId
from trulysparse.pruning.remove_neurons import remove_neurons


def gradient_of(rng, net, version=0):
    return Gradient(
        BatchId(0, 0, 0),
        version,
        0,
        [rng.standard_normal(layer.n_connections) for layer in net.layers],
        [rng.standard_normal(layer.n_out) for layer in net.layers],
        0.0,
        1,
    )


@pytest.mark.parametrize("seed", range(5))
def test_retain_follows_neurons_through_evolution_and_removal(seed):
    """Neurons carry names through two evolutions and two removals; a gradient must follow the names."""
    rng = np.random.default_rng(seed)
    net = ts.SparseMLP((15, 40, 30, 4), epsilon=1.2, seed=seed, dtype="float64")
    trainer = ts.Trainer(net, evolution=ts.SET(0.4), seed=seed)
    names = [np.arange(n) for n in net.layer_sizes]
    gradient = gradient_of(rng, net)
    named = [
        {(i, j): value for (i, j), value in values_by_coordinates(layer.connectivity, g).items()}
        for layer, g in zip(net.layers, gradient.weights, strict=True)
    ]
    history = [Topology(0, [layer.connectivity for layer in net.layers])]
    for version in (1, 2, 3, 4):
        keep_masks = None
        if version % 2:
            marks = [rng.random(n) > 0.3 for n in net.layer_sizes[1:-1]]
            keep_masks = remove_neurons(net, trainer.optimizer_state, marks)
            trainer.resize()
            for number, kept in enumerate(keep_masks, start=1):
                names[number] = names[number][kept]
        else:
            trainer.evolve()
        history[-1].keep_masks = keep_masks
        history.append(Topology(version, [layer.connectivity for layer in net.layers]))
    for number, layer in enumerate(net.layers):
        weight, bias, dropped = retain(gradient, number, history, 2)
        n_retained = 0
        for (i, j), value in values_by_coordinates(layer.connectivity, weight).items():
            pair = int(names[number][i]), int(names[number + 1][j])
            assert value == named[number].get(pair, 0.0)
            n_retained += pair in named[number]
        np.testing.assert_array_equal(bias, gradient.biases[number][names[number + 1]])
        assert dropped == len(named[number]) - n_retained > 0


def test_gradients_of_an_older_topology_drop_removed_connections():
    X, y = problem(2000)
    often = ts.Evolution(ts.evolution.prune.sign_magnitude, ts.evolution.grow.uniform, ts.Schedule(0.3, every_steps=5))
    slow = ts.SGD(0.001, 0.9)  # stale gradients allow no more
    history = trainer_for(ts.WASAP(4, phase2_epochs=0), evolution=often, optimizer=slow).fit(X, y, epochs=4)
    assert sum(history["dropped"]) > 0
    assert history["loss"][-1] < 0.5 * history["loss"][0]
