"""Erdős-Rényi draws: exact counts, uniformity, determinism, limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from conftest import check_invariants
from trulysparse import _kernels
from trulysparse.connectivity import erdos_renyi
from trulysparse.errors import InputError


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.01, 60), st.integers(0, 2**40))
def test_count_is_exact(n_in, n_out, epsilon, seed):
    con = erdos_renyi(n_in, n_out, epsilon, seed=seed, threads=2)
    assert con.n_connections == min(round(epsilon * (n_in + n_out)), n_in * n_out)
    check_invariants(con)


@pytest.mark.parametrize("epsilon", [0.5, 4, 24.9, 25.01, 49, 1000])
def test_same_for_any_thread_count(epsilon):
    draws = [erdos_renyi(100, 100, epsilon, seed=7, threads=t) for t in (1, 2, 5)]
    big = [erdos_renyi(30_000, 50_000, 3, seed=7, threads=t) for t in (1, 2, 5)]
    for first, *others in (draws, big):
        for other in others:
            np.testing.assert_array_equal(first.by_input.index, other.by_input.index)
            np.testing.assert_array_equal(first.by_output.index, other.by_output.index)
            np.testing.assert_array_equal(first.position, other.position)


def test_seeds_differ():
    a, b = (erdos_renyi(100, 100, 5, seed=s) for s in (0, 1))
    assert not np.array_equal(a.by_input.index, b.by_input.index)


@pytest.mark.parametrize("epsilon", [0.6, 2.5, 4.0])
def test_every_place_is_equally_likely(epsilon):
    """Chi-square over the places of a small layer, at low, medium and high density."""
    hits, draws = np.zeros((12, 9)), 4000
    for seed in range(draws):
        con = erdos_renyi(9, 12, epsilon, seed=seed, threads=1)
        hits[np.repeat(np.arange(12), np.diff(con.indptr)), con.indices] += 1
    density = con.density
    # Coordinates of one draw are not independent (the count is fixed): the variance shrinks by 1 - 1/places.
    statistic = ((hits - draws * density) ** 2).sum() / (draws * density * (1 - density)) * (1 - 1 / hits.size)
    assert 1e-4 < stats.chi2.sf(statistic, hits.size - 1) < 1 - 1e-4


def test_degrees_are_those_of_independent_choices():
    con = erdos_renyi(20_000, 20_000, 2, seed=3)
    degrees = np.diff(con.indptr)
    assert degrees.mean() == 4
    assert degrees.var() == pytest.approx(4, rel=0.05)


@pytest.mark.slow
def test_five_million_by_five_million_is_not_special():
    con = erdos_renyi(5_000_000, 5_000_000, 1, seed=0)
    assert con.n_connections == 10_000_000
    assert _kernels.first_invalid(con.by_input.ptr, con.by_input.index, con.n_out) == -1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2**31, 5, 1e-9), "32-bit"),
        ((0, 5, 1), "n_in must be at least 1"),
        ((5, -1, 1), "n_out must be at least 1"),
        ((5, 5, 0), "epsilon must lie in"),
        ((5, 5, -2), "epsilon must lie in"),
        ((5, 5, float("nan")), "epsilon must lie in"),
        ((2**30, 2**30, 3), "connections"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        erdos_renyi(*arguments)


def test_sampling_the_empty_places_fills_the_layer():
    con = erdos_renyi(40, 30, 8, seed=1)
    missing = 40 * 30 - con.n_connections
    ptr, index = _kernels.sample_empty(con.by_input.ptr, con.by_input.index, 30, None, missing, 5, 2)
    taken = np.zeros((40, 30), int)
    taken[np.repeat(np.arange(40), np.diff(con.by_input.ptr)), con.by_input.index] += 1
    taken[np.repeat(np.arange(40), np.diff(ptr)), index] += 1
    assert (taken == 1).all()
    with pytest.raises(ValueError, match="empty places"):
        _kernels.sample_empty(con.by_input.ptr, con.by_input.index, 30, None, missing + 1, 5, 2)
