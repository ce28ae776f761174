"""Weighted sampling without replacement: distinct, empty, and with the wanted probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.connectivity.sampling import coordinates_of, even_degrees, keys_of, merged_keys, sample_weighted


def everything(n_in, n_out):
    return coordinates_of(np.arange(n_in * n_out), n_in, n_out)


def draw(of_input, of_output, count, seed=0, taken=()):
    """Keys of `count` coordinates, none of them in `taken`."""
    n_in, n_out = len(of_input), len(of_output)

    def empty(coordinates):
        return ~np.isin(keys_of(coordinates, n_out), list(taken))

    def rest():
        return coordinates_of(np.setdiff1d(np.arange(n_in * n_out), list(taken)), n_in, n_out)

    return keys_of(sample_weighted(of_input, of_output, count, np.random.default_rng(seed), empty, rest), n_out)


@pytest.mark.parametrize("count", [0, 1, 100, 399, 400])
def test_drawn_are_distinct_and_as_many_as_wanted(rng, count):
    keys = draw(rng.random(20), rng.random(20), count)
    assert len(np.unique(keys)) == len(keys) == count
    assert (np.diff(keys) > 0).all()


def test_taken_coordinates_are_never_drawn(rng):
    taken = set(range(0, 400, 2))
    for seed in range(20):
        assert not taken & set(draw(rng.random(20), rng.random(20), 200, seed, taken).tolist())


def test_single_draws_follow_the_product_of_the_weights():
    of_input, of_output = np.array([1.0, 2.0, 5.0]), np.array([3.0, 1.0, 0.0, 4.0])
    runs = 4000
    counts = np.zeros(12)
    for seed in range(runs):
        counts[draw(of_input, of_output, 1, seed)] += 1
    wanted = np.outer(of_input / of_input.sum(), of_output / of_output.sum()).ravel()
    assert counts[wanted == 0].sum() == 0
    deviation = np.sqrt(runs * wanted * (1 - wanted))
    assert (np.abs(counts - runs * wanted) <= 5 * deviation + 1e-9).all()


def test_weights_that_reach_too_few_are_filled_up_uniformly():
    keys = draw(np.array([0.0, 1.0]), np.array([1.0, 0.0]), 3)
    assert len(keys) == 3  # only one coordinate has a weight


def test_keys_and_coordinates_are_inverse(rng):
    keys = np.flatnonzero(rng.random(600) < 0.2)
    ptr, index = coordinates_of(keys, 20, 30)
    assert ptr[-1] == len(keys)
    np.testing.assert_array_equal(keys_of((ptr, index), 30), keys)
    assert len(keys_of(everything(4, 5), 5)) == 20


def test_merged_keys_are_numpys_union():
    random = np.random.default_rng(0)
    for size in (0, 1, 40):
        first, second = (random.integers(30, size=size) for _ in range(2))
        np.testing.assert_array_equal(merged_keys(first, second), np.union1d(first, second))


@pytest.mark.parametrize(("n", "count"), [(1, 0), (4, 3), (4, 4), (5, 13)])
def test_even_degrees_differ_by_one_at_most(n, count):
    degrees = even_degrees(n, count, np.random.default_rng(0))
    assert degrees.sum() == count
    assert sorted(degrees) == sorted(count // n + (number < count % n) for number in range(n))
