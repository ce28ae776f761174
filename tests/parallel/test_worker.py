"""Workers: gradients of the model they are given."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from parallel_helpers import (
    problem,
    trainer_for,
)
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.parallel import Half, TopK


@pytest.mark.parametrize("compression", [Half(), TopK(0.1)])
def test_compressed_gradients_reach_the_same_accuracy(compression):
    X, y = problem(1000)
    plain = trainer_for(ts.WASAP(2, phase2_epochs=0)).fit(X, y, epochs=1)
    trainer = trainer_for(ts.WASAP(2, phase2_epochs=0, compression=compression), evolution=ts.SET(0.2))
    history = trainer.fit(X, y, epochs=6, callbacks=[ts.ImportancePruning(10, start=2, every=10)])
    assert ts.evaluate(trainer.net, X, y)["accuracy"] > 0.95
    assert history["gradient_mb"][0] < 0.4 * plain["gradient_mb"][0]


def test_gradients_of_read_only_weights_are_the_same(rng):
    net = ts.SparseMLP((10, 8, 3), epsilon=2)
    layer = net.layers[1]
    frozen = IndexedLayer(layer.connectivity, layer.values.copy(), layer.bias.copy(), layer.activation)
    frozen.values.flags.writeable = frozen.bias.flags.writeable = False
    X, y = rng.standard_normal((6, 10)), rng.integers(0, 3, 6)
    expected = ts.Trainer(net).gradients(X, y)
    gradients = ts.Trainer(net.with_layers([net.layers[0], frozen])).gradients(X, y)
    assert expected[0] == gradients[0]
    for (a, b), (c, d) in zip(expected[1], gradients[1], strict=True):
        np.testing.assert_array_equal(a.toarray(), c.toarray())
        np.testing.assert_array_equal(b, d)
