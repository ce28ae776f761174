"""The problems that peers are timed on."""

from __future__ import annotations

from trulysparse.bench import network_of_density


def test_density():
    net = network_of_density((100, 200, 50, 10), 0.1)
    assert [layer.n_connections for layer in net.layers] == [2000, 1000, 500]
