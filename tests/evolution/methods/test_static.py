"""No evolution, by name."""

from __future__ import annotations

import trulysparse as ts
from evolution.training import trained


def test_static_and_none_give_the_same_network():
    a, b = (trained(method)[0].net for method in (ts.Static(), None))
    assert all(x.values.tobytes() == y.values.tobytes() for x, y in zip(a.layers, b.layers, strict=True))


def test_static_is_never_due():
    assert not any(ts.Static().due(done, 10, 100) for done in range(101))
