"""Patterns by name and by object, of layers and of networks."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import trulysparse as ts
from trulysparse import connectivity as tc
from trulysparse.connectivity import network_patterns


class Whole:
    """A network pattern of the user's."""

    def __init__(self, change=lambda layers: layers):
        self.change = change

    def draw_network(self, layer_sizes, counts, *, seed=0, threads=None):
        self.seed = seed
        return self.change([tc.uniform(*layer_sizes[i : i + 2], n, seed=seed + i) for i, n in enumerate(counts)])


def test_names_and_objects():
    assert tc.make_pattern("erdos_renyi") is tc.uniform
    assert tc.make_pattern("brf") is tc.receptive_fields
    assert tc.make_pattern("connected") == tc.Connected()
    assert isinstance(tc.make_pattern("csti", np.ones((3, 2))), tc.CSTI)
    for own in (partial(tc.receptive_fields, r=0.5), Whole(), tc.Connected(8)):
        assert tc.make_pattern(own) is own
    assert set(tc.CONNECTIVITY_NAMES) > set(tc.PATTERNS)


@pytest.mark.parametrize("name", [*tc.PATTERNS, "connected"])
def test_a_seed_names_the_network(name):
    first, again, other = (
        ts.SparseMLP((30, 40, 20, 3), epsilon=2, connectivity=name, seed=seed, threads=threads)
        for seed, threads in [(1, 1), (1, 3), (2, 1)]
    )
    bits = [[layer.connectivity.indices.tobytes() for layer in net.layers] for net in (first, again, other)]
    assert bits[0] == bits[1]
    assert bits[0] != bits[2]


def test_a_network_pattern_of_ones_own():
    own = Whole()
    net = ts.SparseMLP((8, 6, 3), epsilon=1, connectivity=own, seed=5)
    assert [layer.n_connections for layer in net.layers] == [14, 9]
    assert own.seed > 0
    assert net.layers[1].connectivity.indices.tolist() == tc.uniform(6, 3, 9, seed=own.seed + 1).indices.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda layers: layers[:1], "must return 2 layers, not 1"),
        (lambda layers: layers[::-1], "must return a layer 8 x 6"),
        (lambda layers: None, "must be a sequence of Connectivity"),
        (lambda layers: [1, 2], "must return a Connectivity, not int"),
        (lambda layers: [layers[0], tc.uniform(6, 3, 0)], "at least one, not none"),
    ],
)
def test_what_a_pattern_returns_is_checked(change, message):
    with pytest.raises(ts.InputError, match=message):
        ts.SparseMLP((8, 6, 3), epsilon=1, connectivity=Whole(change))


@pytest.mark.parametrize("given", ["star", 3, None, tc.Connected, Whole])
def test_what_is_no_pattern_is_refused(given):
    with pytest.raises(ts.InputError, match="connectivity must be"):
        tc.make_pattern(given)


def test_layers_are_drawn_one_by_one():
    drawn = network_patterns.drawn_layers(tc.uniform, (8, 6, 3), (14, 9), 0, 1)
    assert next(drawn).n_connections == 14
    assert next(drawn).n_connections == 9
