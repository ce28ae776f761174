"""Weights of samples: what is taken, and what is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data.sample_weights import sample_weights


@pytest.mark.parametrize("given", [[1, 0, 2], (1, 0, 2), np.array([1, 0, 2], np.uint8), np.float32([1, 0, 2])])
def test_sample_weights_of_any_form_become_float64(given):
    weight = sample_weights(given, 3)
    assert weight.dtype == np.float64
    np.testing.assert_array_equal(weight, [1, 0, 2])


def test_sample_weights_absent_stay_absent():
    assert sample_weights(None, 3) is None


@pytest.mark.parametrize("given, shape", [([1, 1], r"\(2,\)"), ([[1, 1, 1]], r"\(1, 3\)"), (1.0, r"\(\)")])
def test_sample_weights_of_another_shape_are_refused(given, shape):
    with pytest.raises(ts.InputError, match=rf"sample_weight must have shape \(3,\), .* not {shape}"):
        sample_weights(given, 3)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, -np.inf])
def test_first_sample_weight_that_is_none_is_named(value):
    with pytest.raises(ts.InputError, match=rf"sample_weight\[1\] is {value}; weights must be finite and at least 0"):
        sample_weights([1, value, -5], 3)
