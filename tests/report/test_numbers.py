"""Numbers as tables and axes show them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trulysparse.report.numbers import number, percent, short, shortened


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (-0.0, "0"),
        (True, "True"),
        (np.int64(-12345), "-12,345"),
        (np.float32(0.1), "0.1"),
        (1234.56, "1,235"),
        (1e300, "1.000e+300"),
        (-1e-9, "-1e-09"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (None, "\N{EN DASH}"),
        ("a", "a"),
        ([1], "[1]"),
    ],
)
def test_number(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    "value", [1.0, 9999.0, 12_345.0, 999_950.0, 1_234_567.0, 4e9, 7e12, 3.3e15, 0.001234, -25_000.0]
)
def test_short_is_short_and_near(value):
    text = short(value)
    assert len(text) <= 8
    factor = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
    back = float(text[:-1]) * factor[text[-1]] if text[-1] in factor else float(text.replace(",", ""))
    assert back == pytest.approx(value, rel=0.06 if value > 1e15 else 0.006)


def test_percent():
    assert [percent(x) for x in (0, 0.5, 0.07, 0.9999, math.nan)] == ["0 %", "50 %", "7 %", "100.0 %", "\N{EN DASH}"]


@pytest.mark.parametrize("length", [3, 4, 10, 11, 26, 40])
def test_shortened_keeps_both_ends(length):
    name = "abcdefghijklmnopqrstuvwxyz"
    text = shortened(name, length)
    assert len(text) == min(length, 26)
    assert (text[0], text[-1]) == ("a", "z")
    assert ("…" in text) == (length < 26)
