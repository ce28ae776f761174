"""What homes begin with that have not learned."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.grid.agents.new_homes import with_new_homes
from trulysparse.grid.agents.policy import ActionMap


def fleet(n_agents, seed=1):
    return ts.Fleet(n_agents, (4, 6, 1), density=0.5, output="identity", seed=seed, threads=1)


def test_new_homes_get_the_owner_average_and_others_keep_their_own():
    net = fleet(3)
    agents = with_new_homes(net, ActionMap([-1.0]), [4, 0, 2], 6)
    assert agents.network_of.tolist() == [1, 3, 2, 3, 0, 3]
    x = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    found = agents.act(x)
    for network, home in enumerate([4, 0, 2]):
        want = np.clip(-0.8 + net[network].predict(x[[home]])[0], -1, 1)
        np.testing.assert_allclose(found[home], want, rtol=1e-5)
    average = agents.fleet[3]
    for number, layer in enumerate(average.layers):
        matrices = [net[agent].layers[number].weight.tocoo() for agent in range(3)]
        owners = {}
        for each in matrices:
            for key, value in zip(zip(each.row.tolist(), each.col.tolist(), strict=True), each.data, strict=True):
                owners.setdefault(key, []).append(float(value))
        entries = layer.weight.tocoo()
        assert layer.n_connections == net[0].layers[number].n_connections
        for row, column, value in zip(entries.row.tolist(), entries.col.tolist(), entries.data, strict=True):
            assert abs(value - np.mean(owners[row, column])) < 0.02 * abs(value) + 1e-3
        np.testing.assert_allclose(
            layer.bias, np.mean([net[agent].layers[number].bias for agent in range(3)], axis=0), atol=0.01
        )


def test_a_shared_network_is_that_of_all_homes():
    agents = with_new_homes(fleet(1), ActionMap([-1.0]), [0, 1], 5)
    assert agents.network_of.tolist() == [0] * 5


def test_without_new_homes_nothing_is_averaged():
    assert len(with_new_homes(fleet(2), ActionMap([-1.0]), [1, 0], 2).fleet) == 2


@pytest.mark.parametrize(
    ("trained", "message"),
    [([0, 0, 1], "each once"), ([0, 1, 9], "between 0 and 5"), ([0, 1], "as many homes as there are networks, 3")],
)
def test_homes_are_checked(trained, message):
    with pytest.raises(InputError, match=message):
        with_new_homes(fleet(3), ActionMap([-1.0]), trained, 6)
