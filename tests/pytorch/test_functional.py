from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")

from trulysparse.connectivity import uniform  # noqa: E402
from trulysparse.torch.functional import backward, forward  # noqa: E402
from trulysparse.torch.topology import Topology  # noqa: E402


def test_backward_keeps_what_evolution_asks_for():
    topology = Topology(uniform(6, 5, 10, threads=1))
    weight, x, dy = torch.randn(10), torch.randn(2, 3, 6), torch.randn(2, 3, 5)
    backward(x, weight, dy, topology, (True, True, True))
    topology.captured = []
    backward(x, weight, dy, topology, (True, True, True))
    backward(x, weight, dy, topology, (False, True, False))
    assert len(topology.captured) == 2
    for kept_x, kept_dy in topology.captured:
        assert torch.equal(kept_x, x.reshape(6, 6))
        assert torch.equal(kept_dy, dy.reshape(6, 5))


def test_only_wanted_gradients_are_made():
    topology = Topology(uniform(6, 5, 10, threads=1))
    weight, x, dy = torch.randn(10), torch.randn(4, 6), torch.randn(4, 5)
    every = backward(x, weight, dy, topology, (True, True, True))
    for number in range(3):
        wanted = (number == 0, number == 1, number == 2)
        given = backward(x, weight, dy, topology, wanted)
        assert [gradient is not None for gradient in given] == list(wanted)
        torch.testing.assert_close(given[number], every[number])


def test_no_samples_give_gradients_of_zero():
    topology = Topology(uniform(6, 5, 10, threads=1))
    weight, x = torch.randn(10), torch.zeros(0, 6)
    assert forward(x, weight, None, topology, True).shape == (0, 5)
    dx, dw, db = backward(x, weight, torch.zeros(0, 5), topology, (True, True, True))
    assert dx.shape == (0, 6)
    assert not dw.any()
    assert not db.any()
