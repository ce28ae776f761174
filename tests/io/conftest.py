"""A trained network that several tests of files share."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data import Scaling


@pytest.fixture
def net(rng):
    net = ts.SparseMLP(
        (30, 40, 20, 3), epsilon=4, activation=ts.AllReLU(0.75), seed=3, init="xavier_uniform", fan="sparse"
    )
    net.scaling = Scaling("minmax", rng.random(30), rng.random(30))
    net.labels = np.array(["bee", "cat", "ant"])
    trainer = ts.Trainer(net, evolution=ts.SET())
    trainer.fit(rng.random((50, 30)), rng.integers(0, 3, 50), epochs=3)
    return net
