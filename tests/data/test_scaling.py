"""A scaling that is stored in a network."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data import Scaling, unscaled


@pytest.fixture
def scaling(rng):
    offset, factor = rng.standard_normal(6), rng.random(6) + 0.5
    factor[2] = 0  # a constant feature
    return Scaling("standard", offset, factor)


def test_network_with_a_scaling_answers_as_one_without_on_scaled_samples(rng, scaling):
    X = rng.standard_normal((20, 6))
    net = ts.SparseMLP((6, 8, 3), epsilon=4, dtype="float64", seed=1)
    wanted = net.predict_proba((X - scaling.offset) * scaling.factor)
    net.scaling = scaling
    np.testing.assert_allclose(net.predict_proba(X), wanted, rtol=1e-12)


def test_feature_with_factor_0_has_no_effect(rng, scaling):
    X = rng.standard_normal((20, 6))
    net = ts.SparseMLP((6, 8, 3), epsilon=4, seed=1)
    net.scaling = scaling
    before = net.predict_proba(X)
    X[:, 2] = 1e6
    np.testing.assert_array_equal(net.predict_proba(X), before)


def test_arrays_are_offset_and_factor(scaling):
    offset, factor = scaling.arrays()
    assert offset is scaling.offset
    assert factor is scaling.factor


def test_some_features_are_left_as_they_are(rng, scaling):
    X, scaled = rng.standard_normal((20, 6)), np.array([True, True, False, False, True, False])
    some = unscaled(scaling, scaled)
    found = (X - some.offset) * some.factor
    np.testing.assert_array_equal(found[:, ~scaled], X[:, ~scaled])
    np.testing.assert_array_equal(found[:, scaled], ((X - scaling.offset) * scaling.factor)[:, scaled])
    assert some.kind == scaling.kind
