"""Choices among coordinates, against sets."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.connectivity import uniform
from trulysparse.connectivity.coordinates import ANY, INDEXED, absent, chosen, nothing, storages_of, works_with

N_IN, N_OUT = 40, 30


def rows(seed, count=300):
    connections = uniform(N_IN, N_OUT, count, seed=seed).by_input
    return connections.ptr, connections.index


def pairs(coordinates):
    ptr, index = coordinates
    return list(zip(np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)).tolist(), index.tolist(), strict=True))


@pytest.mark.parametrize("threads", [1, 3])
def test_chosen_are_those_whose_mask_is_one(rng, threads):
    coordinates = rows(0)
    keep_mask = rng.integers(0, 2, 300).astype(np.uint8)
    expected = [pair for pair, keep in zip(pairs(coordinates), keep_mask, strict=True) if keep]
    assert pairs(chosen(coordinates, keep_mask, threads)) == expected


@pytest.mark.parametrize("masked", [False, True])
def test_absent_are_those_that_do_not_exist_or_go(rng, masked):
    coordinates, existing = rows(1), rows(2, 500)
    keep_mask = rng.integers(0, 2, 500).astype(np.uint8) if masked else None
    stay = {pair for k, pair in enumerate(pairs(existing)) if keep_mask is None or keep_mask[k]}
    found = absent(coordinates, existing, 2, keep_mask)
    assert found.tolist() == [int(pair not in stay) for pair in pairs(coordinates)]


def test_nothing_has_no_coordinates():
    ptr, index = nothing(5)
    assert ptr.tolist() == [0] * 6
    assert len(index) == 0


def test_rule_works_with_indexed_layers_unless_it_declares_more():
    def plain(view):
        return None

    @works_with(ANY)
    def both(view):
        return None

    class Gradient:
        needs_gradient = True
        storages = ANY

    assert storages_of(plain) == INDEXED
    assert storages_of(both) == ANY
    assert storages_of(Gradient()) == INDEXED
