"""What learners consist of."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.rl.networks import new_evolver, new_networks, new_passes


def test_networks_start_within_their_fan_and_differ():
    first, second = new_networks(2, (6, 20, 3), None, 5, density=0.5, threads=1)
    for net in (first, second):
        for layer in net.layers:
            fan = np.diff(layer.connectivity.by_output.ptr)[:, None]
            assert (np.abs(layer.weight.toarray()) <= 1 / np.sqrt(np.maximum(fan, 1)) + 1e-6).all()
            assert not layer.bias.any()
    assert not np.array_equal(first.layers[0].values, second.layers[0].values)


def test_fleets_are_of_such_networks():
    (fleet,) = new_networks(1, (6, 20, 3), 4, 5, density=0.5, threads=1)
    passes = new_passes([fleet], 16, 1)
    passes.x[:] = 1
    for agent, z in enumerate(passes.forward()[0]):
        alone = new_passes([fleet[agent]], 16, 1)
        alone.x[:] = 1
        np.testing.assert_array_equal(alone.forward()[0], z)
        assert fleet[agent].output == "identity"
    state = [layer.new_state(ts.SGD(0.1)) for layer in fleet.layers]
    assert type(new_evolver(ts.SET(0.3, every_updates=2), fleet, state, threads=1)).__name__ == "FleetEvolver"
    with pytest.raises(ts.InputError, match="total_updates"):
        new_evolver(ts.SET(0.3, every_updates=2, until=0.5), fleet, state, threads=1)
