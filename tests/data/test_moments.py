"""Means and deviations of columns against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from trulysparse.data.moments import Moments


@pytest.mark.parametrize("unit", [1e300, 1e-300, 2.0**500])
def test_moments_of_very_large_and_very_small_numbers(rng, unit):
    x = rng.normal(size=(100, 3))
    plain, far = Moments(3), Moments(3)
    for part in (x[:5], x[5:] * [1, 10, 100]):
        plain.add(part)
        far.add(part * unit)
    np.testing.assert_allclose(far.mean, plain.mean * unit, rtol=1e-12)
    np.testing.assert_allclose(far.deviation, plain.deviation * unit, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_moments_of_chunks_are_those_of_all_rows(rng, convert, weighted):
    x = np.where(rng.random((60, 4)) < 0.5, rng.normal(size=(60, 4)) + 3, 0)
    weight = rng.random(60) if weighted else np.ones(60)
    moments = Moments(4)
    for start, stop in ((0, 1), (1, 20), (20, 60)):
        moments.add(convert(x[start:stop]), weight[start:stop] if weighted else None)
    mean = np.average(x, axis=0, weights=weight)
    np.testing.assert_allclose(moments.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(moments.deviation, np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight)))


def test_moments_of_a_constant_column_have_no_deviation():
    moments = Moments(2)
    moments.add(np.tile([0.1, 7e7], (1000, 1)))
    np.testing.assert_array_equal(moments.deviation, 0)
