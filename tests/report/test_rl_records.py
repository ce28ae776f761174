"""What agents log, of one seed and of several together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import trim_mean

from trulysparse.report.rl_records import SeedRecords, columns_of, curve_of, interquartile_mean

STEPS, SECONDS = "time/total_timesteps", "time/time_elapsed"


def seed(steps, values, seconds=None, number=0, name="x"):
    columns = {STEPS: np.array(steps, float), name: np.array(values, float)}
    if seconds is not None:
        columns[SECONDS] = np.array(seconds, float)
    return SeedRecords(seed=number, columns=columns)


def test_lines_of_different_figures_become_columns():
    rows = [{STEPS: 1, "a": 2}, {STEPS: 3}, {STEPS: 5, "b": math.inf}]
    columns = columns_of(rows)
    assert list(columns) == [STEPS, "a", "b"]
    np.testing.assert_array_equal(columns["a"], [2, np.nan, np.nan])
    np.testing.assert_array_equal(columns["b"], [np.nan, np.nan, np.inf])
    assert columns_of([]) == {}


def test_points_are_ascending_finite_and_the_last_of_a_step():
    one = seed([10, 30, 30, 20, 40], [1, 2, 3, 4, np.nan])
    steps, values = one.points("x")
    assert steps.tolist() == [10, 20, 30]
    assert values.tolist() == [1, 4, 3]
    assert one.last("x") == 3
    assert one.last("y") is None
    assert one.best() is None
    assert len(SeedRecords(seed=0, columns={}).points("x")[0]) == 0


def test_curve_of_seeds_that_log_at_the_same_steps():
    values = np.array([[1.0, 2, 3], [5, 4, 9], [0, 7, 1]])
    curve = curve_of([seed([10, 20, 30], row, [1, 2, 3]) for row in values], "x")
    np.testing.assert_array_equal(curve.steps, [10, 20, 30])
    np.testing.assert_allclose(curve.mean, values.mean(axis=0))
    np.testing.assert_array_equal(curve.low, values.min(axis=0))
    np.testing.assert_array_equal(curve.high, values.max(axis=0))
    np.testing.assert_array_equal(curve.seconds, [1, 2, 3])
    assert curve.n_seeds == 3


def test_curve_of_seeds_that_log_at_different_steps_lies_on_straight_lines():
    a, b = seed([0, 10], [0, 10], [0, 1]), seed([5, 15], [100, 200], [2, 4])
    curve = curve_of([a, b], "x")
    np.testing.assert_array_equal(curve.steps, [0, 5, 10, 15])
    np.testing.assert_allclose(curve.mean, [0, (5 + 100) / 2, (10 + 150) / 2, 200])
    np.testing.assert_allclose(curve.low, [0, 5, 10, 200])
    np.testing.assert_allclose(curve.high, [0, 100, 150, 200])
    np.testing.assert_allclose(curve.seconds, [0, 1.25, 2, 4])


def test_seconds_never_fall_where_a_slow_seed_stopped_early():
    slow, fast = seed([10, 20], [1, 1], [100, 200]), seed([10, 20, 30], [1, 1, 1], [1, 2, 3])
    curve = curve_of([slow, fast], "x")
    np.testing.assert_allclose(curve.seconds, [50.5, 101, 101])


def test_curve_without_seconds_or_values():
    curve = curve_of([seed([10, 20], [1, 2])], "x")
    assert np.isnan(curve.seconds).all()
    assert curve_of([seed([10], [np.nan])], "x") is None
    assert curve_of([seed([10], [1])], "y") is None
    only = curve_of([seed([10], [1]), SeedRecords(seed=1, columns={})], "x")
    assert only.n_seeds == 1


@pytest.mark.parametrize("n", range(1, 14))
def test_interquartile_mean_is_scipys_trimmed_mean(n):
    values = np.random.default_rng(n).normal(size=n)
    assert interquartile_mean(values) == pytest.approx(trim_mean(values, 0.25), rel=1e-12)
