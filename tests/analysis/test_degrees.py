"""Degrees and their fit."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from analysis.networks import network, patterns
from trulysparse import analysis
from trulysparse.connectivity import scale_free, uniform


def test_degrees_of_a_layer_equal_sums_of_the_dense_pattern():
    net = network()
    for layer, pattern in zip(net.layers, patterns(net), strict=True):
        np.testing.assert_array_equal(analysis.in_degrees(layer.connectivity), pattern.sum(axis=1))
        np.testing.assert_array_equal(analysis.out_degrees(layer.connectivity), pattern.sum(axis=0))


def test_degree_fit_insignificant_ratio_favours_neither():
    assert analysis.DegreeFit(2.5, 1, ratio=3.0, p=0.2).favours == "neither"
    assert analysis.DegreeFit(2.5, 1, ratio=3.0, p=0.05).favours == "power law"
    assert analysis.DegreeFit(2.5, 1, ratio=-3.0, p=0.05).favours == "exponential"


def test_fit_degrees_tells_hubs_from_chance():
    pytest.importorskip("powerlaw")
    hubs = analysis.fit_degrees(analysis.in_degrees(scale_free(20_000, 20_000, 100_000, exponent=2.3, seed=1)))
    assert hubs.favours == "power law"
    assert 1.8 < hubs.exponent < 3
    chance = analysis.fit_degrees(analysis.in_degrees(uniform(20_000, 20_000, 100_000, seed=1)))
    assert chance.favours != "power law"


def test_fit_degrees_too_few_values_is_refused():
    pytest.importorskip("powerlaw")
    with pytest.raises(ts.InputError, match="three different values"):
        analysis.fit_degrees(np.array([3, 3, 3]))
