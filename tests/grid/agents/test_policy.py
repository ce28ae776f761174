"""Agents against networks asked home by home."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.grid.agents.policy import ActionMap, Agents


def fleet(n_agents=3, n_outputs=2):
    return ts.Fleet(n_agents, (4, 8, n_outputs), density=0.5, activation="tanh", output="identity", seed=2, threads=1)


def observations(n_homes):
    return np.random.default_rng(0).standard_normal((n_homes, 4)).astype(np.float32)


@pytest.mark.parametrize("network_of", [[0, 1, 2], [2, 0, 0, 1, 0, 2], [1] * 20])
@pytest.mark.parametrize("squashed", [False, True])
def test_each_home_gets_the_action_of_its_network(network_of, squashed):
    net, start = fleet(), np.float32([-1.0, 0.0])
    x = observations(len(network_of))
    found = Agents(net, ActionMap(start, 0.8, squashed), network_of).act(x)
    center = 0.8 * start
    for home, number in enumerate(network_of):
        z = net[number].predict(x[home : home + 1])[0]
        if squashed:
            z = np.tanh(z)
            want = center + np.where(z > 0, 1 - center, 1 + center) * z
        else:
            want = np.clip(center + z, -1, 1)
        np.testing.assert_allclose(found[home], want, rtol=1e-5, atol=1e-6)


def test_it_follows_the_fleet_while_that_learns():
    net = fleet()
    agents, x = Agents(net, ActionMap([0.0, 0.0])), observations(3)
    agents.act(x)
    net.layers[-1].values[:] = 0
    net.layers[-1].bias[:] = 0.25
    assert (agents.act(x) == 0.25).all()


def test_choices_are_those_of_the_largest_value():
    net = fleet(n_outputs=3)
    agents, x = Agents(net, ActionMap([-1.0, 0.5]), choices=(-1, 0.1, 0.9)), observations(3)
    values = net.predict(x)
    found = agents.act(x)
    np.testing.assert_allclose(found[:, 0], np.array([-1, 0.1, 0.9])[values.argmax(axis=1)], rtol=1e-6)
    assert (found[:, 1] == 0.5).all()


def test_homes_can_be_chosen_and_repeated():
    agents, x = Agents(fleet(), ActionMap([0.0, 0.0])), observations(3)
    some = agents.of_homes([2, 2, 0])
    assert (some.act(x[[2, 2, 0]]) == agents.act(x)[[2, 2, 0]]).all()


@pytest.mark.parametrize("choices", [None, (-1.0, 0.5)])
def test_files(tmp_path, choices):
    agents, x = Agents(fleet(), ActionMap([-1.0, 0.5], 0.7, True), [0, 2, 2, 1], choices=choices), observations(4)
    agents.save(tmp_path / "agents.safetensors")
    again = Agents.load(tmp_path / "agents.safetensors")
    assert (again.act(x) == agents.act(x)).all()
    ts.save(ts.SparseMLP((4, 2)), tmp_path / "net.safetensors")
    with pytest.raises(InputError, match="not a grid's agents"):
        Agents.load(tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 3],), "network_of must lie between 0 and 2, not 0 to 3"),
        (([],), "network_of must be the number of a network"),
        (([0.5, 1.0],), "network_of must be the number of a network"),
    ],
)
def test_networks_of_homes_are_checked(arguments, message):
    with pytest.raises(InputError, match=message):
        Agents(fleet(), ActionMap([0.0, 0.0]), *arguments)


def test_sizes_are_checked():
    with pytest.raises(InputError, match="fleet must have 1 outputs, not 2"):
        Agents(fleet(), ActionMap([0.0]))
    with pytest.raises(InputError, match=r"observations must be of shape \(3, 4\)"):
        Agents(fleet(), ActionMap([0.0, 0.0])).act(np.zeros((4, 3), np.float32))
    with pytest.raises(InputError, match="reach must lie"):
        ActionMap([0.0], reach=0)
