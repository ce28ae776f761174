"""Network: its layers are checked; copies, and both passes against float64 arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.connectivity import uniform
from trulysparse.nn.layers.indexed import IndexedLayer


def test_layers_set_by_the_user_are_checked_before_use(rng):
    net = ts.SparseMLP((5, 4, 3), epsilon=2)
    X = rng.normal(size=(6, 5))
    first = net.layers[0]
    for wrong in (uniform(5, 9, 8), uniform(4, 5, 8)):
        net.layers[0] = IndexedLayer(wrong, np.ones(8, np.float32), np.zeros(wrong.n_out, np.float32), (0, 0.0))
        with pytest.raises(ts.InputError, match=r"layers\[0\] connects"):
            net.predict(X)
        with pytest.raises(ts.InputError, match=r"layers\[0\] connects"):
            ts.Trainer(net).step(X, np.zeros(6, int))
    net.layers[0] = first
    first.values = first.values[:-1]
    with pytest.raises(ts.InputError, match=r"layers\[0\].values must be float32"):
        net.predict(X)
    net.layers.pop()
    with pytest.raises(ts.InputError, match="layers must have 2 entries, not 1"):
        net.predict(X)
