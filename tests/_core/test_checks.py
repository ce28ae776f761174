"""Checks of scalar arguments: what passes, and the sentence for what does not."""

from __future__ import annotations

import math
import os
from fractions import Fraction

import numpy as np
import pytest

from trulysparse._core import checks
from trulysparse.errors import InputError


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        ("1", {}, "rate must be a number, not '1'"),
        (None, {}, "rate must be a number, not None"),
        (True, {}, "rate must be a number, not True"),
        (1j, {}, "rate must be a number, not 1j"),
        (math.nan, {}, "rate must lie in (-inf, inf), not nan"),
        (math.inf, {}, "rate must lie in (-inf, inf), not inf"),
        (-1, {"low": 0}, "rate must lie in [0, inf), not -1"),
        (0, {"low": 0, "low_open": True}, "rate must lie in (0, inf), not 0"),
        (1, {"low": 0, "high": 1, "high_open": True}, "rate must lie in [0, 1), not 1"),
        (np.float32(2.5), {"low": 0, "high": 1}, "rate must lie in [0, 1], not 2.5"),
    ],
)
def test_real_out_of_range_is_refused_with_the_range(value, limits, message):
    with pytest.raises(InputError) as caught:
        checks.real("rate", value, **limits)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.int8(1), Fraction(1, 2)])
def test_real_within_range_is_a_float(value):
    number = checks.real("rate", value, low=0, high=1)
    assert type(number) is float
    assert number == value


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (1.0, {"low": 0}, "n must be an integer, not 1.0"),
        (True, {"low": 0}, "n must be an integer, not True"),
        ("3", {"low": 0}, "n must be an integer, not '3'"),
        (np.float64(2), {"low": 0}, "n must be an integer, not 2.0"),
        (0, {"low": 1}, "n must be at least 1, not 0"),
        (np.int64(-3), {"low": 0}, "n must be at least 0, not -3"),
        (5, {"low": 1, "high": 4}, "n must be between 1 and 4, not 5"),
    ],
)
def test_integer_out_of_range_is_refused_with_the_range(value, limits, message):
    with pytest.raises(InputError) as caught:
        checks.integer("n", value, **limits)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [1, 4, np.int8(3), np.uint64(2)])
def test_integer_within_range_is_an_int(value):
    number = checks.integer("n", value, low=1, high=4)
    assert type(number) is int
    assert number == value


@pytest.mark.parametrize("value", ["c", "A", None, 1, ["a"]])
def test_choice_of_something_else_is_refused_with_the_choices(value):
    with pytest.raises(InputError) as caught:
        checks.choice("mode", value, ("a", "b"))
    assert str(caught.value) == f"mode must be one of a, b, not {value!r}"


def test_flags_are_true_or_false():
    assert checks.flag("mode", True) is checks.flag("mode", np.True_) is True
    for value in ("yes", 1, None, np.ones(2)):
        with pytest.raises(InputError, match="mode must be True or False, not"):
            checks.flag("mode", value)


def test_choice_of_a_value_is_that_value():
    assert checks.choice("mode", "b", ("a", "b")) == "b"


def test_thread_count_none_is_what_this_process_may_run_on():
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert checks.thread_count(None) == available
    assert checks.thread_count(3) == 3
    with pytest.raises(InputError, match="threads must be at least 1, not 0"):
        checks.thread_count(0)


@pytest.mark.parametrize(
    ("value", "expected"), [(np.int8(3), 3), (np.float64(0.5), 0.5), (np.array([1, 2]), [1, 2]), ("x", "x")]
)
def test_plain_numpy_values_are_python_values(value, expected):
    assert checks.plain(value) == expected
    assert not isinstance(checks.plain(value), np.generic | np.ndarray)
