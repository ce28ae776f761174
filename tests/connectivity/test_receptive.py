"""Receptive fields: distances as the model says, compared with drawing from all neurons one by one."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from trulysparse import connectivity as tc
from trulysparse.connectivity import receptive


def distances(con) -> np.ndarray:
    rows = np.repeat(np.arange(con.n_out), np.diff(con.indptr))
    centers = (2 * rows + 1) * con.n_in // (2 * con.n_out)
    away = np.abs(con.indices - centers)
    return np.minimum(away, con.n_in - away)


@pytest.mark.parametrize(
    ("n_in", "fan", "r"),
    [
        (40, 2, 0.25),
        pytest.param(200, 3, 0.5, marks=pytest.mark.slow),
        pytest.param(100, 2, 1.0, marks=pytest.mark.slow),
        pytest.param(61, 5, 0.7, marks=pytest.mark.slow),
        (12, 6, 0.4),
    ],
)
def test_distances_are_those_of_drawing_without_replacement(n_in, fan, r):
    """Naively: one partner after the other, with the weights of those that are left."""
    n_out, seeds = n_in, max(1, 12_000 // n_in)
    drawn = np.zeros(n_in // 2 + 1)
    for seed in range(seeds):
        con = tc.receptive_fields(n_in, n_out, fan * n_out, r=r, seed=seed, threads=1)
        drawn += np.bincount(distances(con), minlength=len(drawn))
    random = np.random.default_rng(1)
    away = np.minimum(np.arange(n_in), n_in - np.arange(n_in))
    weight = (1.0 + away) ** (-(1 - r) / r)
    naive = np.zeros(n_in // 2 + 1)
    for _ in range(n_out * seeds):
        chosen = random.choice(n_in, size=fan, replace=False, p=weight / weight.sum())
        naive += np.bincount(away[chosen], minlength=len(naive))
    assert drawn.sum() == naive.sum()
    both = drawn + naive > 0
    statistic = ((drawn - naive)[both] ** 2 / (drawn + naive)[both]).sum()
    freedom = both.sum() - 1
    assert statistic < freedom + 4 * np.sqrt(2 * freedom) + 4


def test_many_repeated_arrivals_are_waited_for():
    """Rates that fall slowly outside of the near ranks, nearly all of which are wanted."""
    log_rates = -2.0 * np.log1p(np.arange(40.0))
    fan = np.array([38, 0, 12])
    ranks = receptive._first_arrivals(fan, 38, 5, log_rates, np.random.Generator(np.random.Philox(0)))
    assert len(set(ranks[0])) == 38
    assert len(set(ranks[2, :12])) == 12
    assert ranks.max() < 40


def test_fields_are_the_stricter_the_smaller_r():
    means = [distances(tc.receptive_fields(500, 500, 5000, r=r, seed=1)).mean() for r in (0.01, 0.25, 0.5, 1.0)]
    assert means[0] == pytest.approx(2.5, abs=0.3)  # the ten nearest
    assert means == sorted(means)
    assert means[3] == pytest.approx(125, rel=0.05)


@pytest.mark.parametrize(("n_in", "n_out"), [(90, 40), (40, 90)])
def test_degrees_of_the_smaller_side(n_in, n_out):
    for degrees in ("fixed", "uniform"):
        con = tc.receptive_fields(n_in, n_out, 410, degrees=degrees, seed=2)
        check_invariants(con)
        small = con.by_output if n_out < n_in else con.by_input
        fan = np.diff(small.ptr)
        assert fan.min() >= 1
        assert (fan.max() - fan.min() <= 1) == (degrees == "fixed")
    # The larger side is covered evenly: centers are spread over all of it.
    many = tc.receptive_fields(n_in, n_out, 1200, r=0.01)
    assert np.diff((many.by_input if n_out < n_in else many.by_output).ptr).min() >= 10


@pytest.mark.parametrize("count", [0, 3, 90, 1599, 1600])
def test_exact_numbers_with_uniform_degrees(count):
    con = tc.receptive_fields(40, 40, count, degrees="uniform", seed=1, threads=1)
    check_invariants(con)
    assert con.n_connections == count


@pytest.mark.parametrize(
    ("change", "message"),
    [({"r": 0}, "r must lie"), ({"r": 1.5}, "r must lie"), ({"degrees": "even"}, "degrees must be one of")],
)
def test_bad_arguments(change, message):
    with pytest.raises(ts.InputError, match=message):
        tc.receptive_fields(5, 5, 4, **change)
