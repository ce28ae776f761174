"""Which layers evolve: of a network, a list, or one alone."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import network
from trulysparse.evolution.layers import evolving_layers, init_of, listed_layers, listed_states
from trulysparse.optim import OptimizerState


def test_layers_of_network_list_and_single_layer_are_the_same_objects():
    net = network("indexed")
    for given in (net, net.layers, tuple(net.layers)):
        assert all(a is b for a, b in zip(listed_layers(given), net.layers, strict=True))
    assert listed_layers(net.layers[1])[0] is net.layers[1]


@pytest.mark.parametrize("output_layer, expected", [(False, [0, 1]), (True, [0, 1, 2])])
def test_output_layer_stays_out_of_networks_alone(output_layer, expected):
    net = network("indexed")
    assert list(evolving_layers(net, output_layer)) == expected
    assert list(evolving_layers(net.layers, output_layer)) == [0, 1, 2]
    assert list(evolving_layers(net.layers[2], output_layer)) == [0]


@pytest.mark.parametrize("as_network", [True, False])
def test_evolving_chooses_layers_by_number(as_network):
    net = network("indexed")
    chosen = evolving_layers(net if as_network else net.layers, False, [2, np.int64(0)])
    assert list(chosen) == [0, 2]
    assert chosen[2] is net.layers[2]
    assert evolving_layers(net, True, []) == {}


@pytest.mark.parametrize(
    "evolving, message",
    [
        ([3], r"evolving\[0\] must be between 0 and 2, not 3"),
        ([0, -1], r"evolving\[1\] must be between 0 and 2, not -1"),
        ([1, 1], "evolving must name each layer once"),
        ([1.0], r"evolving\[0\] must be an integer"),
        (1, "evolving must be a sequence of numbers of layers"),
    ],
)
def test_evolving_of_another_kind_is_refused(evolving, message):
    with pytest.raises(ts.InputError, match=message):
        evolving_layers(network("indexed"), False, evolving)


def test_layers_of_another_kind_are_refused():
    layers = network("indexed").layers
    with pytest.raises(ts.InputError, match="layers must be a sequence of layers"):
        listed_layers(3)
    with pytest.raises(ts.InputError, match=r"layers\[1\] must be a layer, not ndarray"):
        listed_layers([layers[0], np.ones(3)])
    with pytest.raises(ts.InputError, match="the same layer twice"):
        listed_layers([layers[0], layers[1], layers[0]])


@pytest.mark.parametrize("storage", ["indexed", "compact"])
@pytest.mark.parametrize(
    "values", [lambda v: v[:-1].copy(), lambda v: v.astype(np.int32), lambda v: v.tolist(), lambda v: v.repeat(2)[::2]]
)
def test_layer_whose_weights_do_not_fit_is_refused(storage, values):
    layers = network(storage).layers
    layers[1].values = values(layers[1].values)
    with pytest.raises(ts.InputError, match=r"layers\[1\]\.values must be"):
        listed_layers(layers)


def test_state_of_a_single_layer_may_be_given_by_itself():
    layer = network("indexed").layers[0]
    state = layer.new_state(ts.Adam())
    assert listed_states(layer, state)[0] is listed_states([layer], [state])[0] is state


@pytest.mark.parametrize("spoil", [lambda states: states[:2], lambda states: states * 2, lambda states: []])
def test_state_of_another_number_of_layers_is_refused(spoil):
    net = network("indexed")
    states = [layer.new_state(ts.SGD()) for layer in net.layers]
    with pytest.raises(ts.InputError, match="optimizer_state must hold optimizer state of each of the 3 layers"):
        listed_states(net, spoil(states))


@pytest.mark.parametrize("wrong", [OptimizerState([np.ones(3, np.float32)], []), [np.ones(3)], None])
def test_state_that_does_not_lie_along_the_connections_is_refused(wrong):
    net = network("indexed")
    states = [layer.new_state(ts.SGD()) for layer in net.layers]
    states[1] = wrong
    with pytest.raises(ts.InputError, match=r"optimizer_state\[1\] must hold values along 220 connections"):
        listed_states(net, states)


def test_init_is_the_one_given_or_of_the_network_or_the_default():
    net, other = network("indexed", init="normal"), ts.WeightInit("xavier_uniform")
    assert init_of(net, None).rule == "normal"
    assert init_of(net, other) is init_of(net.layers, other) is other
    assert init_of(net.layers, None) == ts.WeightInit()
    with pytest.raises(ts.InputError, match="init must be a WeightInit or None, not 'normal'"):
        init_of(net, "normal")
