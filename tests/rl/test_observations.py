"""What is no observation is refused with a sentence."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.rl.observations import finite_row, observation_array, refusal, require_shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.uint8, np.int64, np.uint64, np.int16, np.uint16])
def test_arrays_that_kernels_read_stay_as_they_are(dtype):
    array = np.ones(3, dtype)
    assert observation_array(array) is array


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.array([True, False]), np.float32),
        (np.ones(2, np.float16), np.float32),
        (np.ones(2, ">f4"), np.float64),
        (np.ones(2, np.longdouble), np.float64),
        ([1, 2.5], np.float64),
    ],
)
def test_others_are_converted(given, dtype):
    array = observation_array(given)
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, np.asarray(given, np.float64))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"position": 1}, "not of type object"),
        (None, "not of type object"),
        ("left", "not of type <U4"),
        ([1j], "not of type complex128"),
        ([[1.0], [1.0, 2.0]], "not a ragged sequence"),
    ],
)
def test_what_are_no_numbers(given, message):
    with pytest.raises(ts.InputError, match=f"observation must be an array of numbers, {message}"):
        observation_array(given)


@pytest.mark.parametrize("shape", [(), (4,), (2, 4), (1, 1, 3), (3, 1)])
def test_shapes(shape):
    require_shape(np.zeros(3), 3)
    require_shape(np.zeros((0, 3)), 3)
    with pytest.raises(ts.InputError, match=r"must have shape \(3,\) or \(n, 3\), not"):
        require_shape(np.zeros(shape), 3)


def test_values():
    assert "observation[2] is -inf; observations must be finite" in str(refusal(np.array([0, 0, -np.inf]), 2))
    assert "observation[1, 0] is 1e+30, which is too large" in str(refusal(np.array([[0, 1], [1e30, 1]]), 2))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2], r"low must have shape \(3,\), not \(2,\)"),
        (1.0, r"low must have shape \(3,\), not"),
        ("abc", "low must be an array of numbers"),
        ([0, np.nan, 1], r"low\[1\] must be finite, not nan"),
    ],
)
def test_rows(given, message):
    with pytest.raises(ts.InputError, match=message):
        finite_row("low", given, 3)
