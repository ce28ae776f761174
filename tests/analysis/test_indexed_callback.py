"""Callbacks that look at each connection."""

import numpy as np
import pytest

import trulysparse as ts
from analysis.networks import network
from trulysparse import analysis
from trulysparse.analysis.indexed_callback import IndexedCallback


@pytest.mark.parametrize(
    "kind", [analysis.Exploration, analysis.Overlap, analysis.SignFlips, analysis.TopologyRecorder]
)
def test_they_are_refused_for_compact_networks_before_training(kind):
    assert issubclass(kind, IndexedCallback)
    random = np.random.default_rng(0)
    X, y = random.standard_normal((16, 8)), random.integers(0, 3, 16)
    trainer = ts.Trainer(network(3.0, storage="compact"), batch_size=16)
    before = [layer.values.copy() for layer in trainer.net.layers]
    with pytest.raises(ts.InputError, match=f"{kind.__name__} needs a network with storage='indexed'"):
        trainer.fit(X, y, epochs=1, callbacks=[kind()])
    assert all((a == layer.values).all() for a, layer in zip(before, trainer.net.layers, strict=True))
