"""Elements, text and axes."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pictures import parsed, texts
from trulysparse.report.style import DARK, LIGHT
from trulysparse.report.svg import COLORS, Axis, axes, element, escape, label, picture, spanning, tick_names

NASTY = '<script>alert("x")</script>&\'\x00\x0b\ud800\uffff]]>'


def test_text_stands_for_itself():
    shown = ET.fromstring(element("text", escape(NASTY), id=NASTY))
    wanted = '<script>alert("x")</script>&\'\ufffd\ufffd\ufffd\ufffd]]>'
    assert shown.text == wanted
    assert shown.get("id") == wanted
    assert len(shown) == 0


def test_long_texts_are_cut_and_long_paths_are_not():
    assert len(escape("a" * 10**6)) < 3000
    path = "M0 0" + "L1 1" * 5000
    assert ET.fromstring(element("path", d=path)).get("d") == path


def test_label_shortened_is_shown_whole_when_pointed_at():
    shown = ET.fromstring(label(0, 0, "a" * 50, length=10))
    assert shown[0].text == "a" * 50
    assert len(shown[0].tail) == 10


def test_picture_is_described():
    assert parsed(picture(10, 20, NASTY, [])).get("viewBox") == "0 0 10 20"


@pytest.mark.parametrize("log", [False, True])
def test_axis_maps_by_its_formula(log):
    axis = Axis(2.0, 50.0, 300.0, 20.0, log)
    for value in (2.0, 3.7, 11.0, 50.0):
        f = np.log if log else float
        assert axis(value) == pytest.approx(300 - 280 * (f(value) - f(2.0)) / (f(50.0) - f(2.0)))


@pytest.mark.parametrize(
    "low, high", [(0, 1), (0.3, 0.9), (-5, 1e6), (1e-12, 3e-12), (-1.7e308, 1.7e308), (5.347, 5.353)]
)
def test_ticks_are_round_ascending_and_within(low, high):
    ticks = Axis(low, high, 0, 1).ticks(5)
    assert 2 <= len(ticks) <= 11
    assert all(low - 1e-9 * abs(low) <= tick <= high * (1 + 1e-9) for tick in ticks)
    names = tick_names(ticks)
    assert len(set(names)) == len(ticks)
    if high < 1e4:
        assert [float(name) for name in names] == pytest.approx(ticks, rel=1e-3, abs=1e-3 * (high - low))


def test_ticks_of_few_whole_numbers_are_whole():
    assert Axis(0.5, 3.5, 0, 1).ticks(5, whole=True) == [1, 2, 3]
    assert Axis(99.5, 100.5, 0, 1).ticks(5, whole=True) == [100]


def test_ticks_logarithmic():
    assert Axis(0.5, 2000, 0, 1, log=True).ticks(5) == [1, 10, 100, 1000]
    assert Axis(0.5, 1e12, 0, 1, log=True).ticks(5)[:2] == [1, 1000]


@pytest.mark.parametrize(
    "values", [[], [0.0], [5.0], [-3.0, np.nan], [np.inf, 1.0], [1e308, -1e308], [1.0, 1.0 + 1e-15]]
)
@pytest.mark.parametrize("zero", [False, True])
def test_spanning_holds_all_and_is_not_empty(values, zero):
    low, high = spanning(values, zero=zero)
    assert np.isfinite([low, high]).all()
    assert low < high
    assert all(low <= value <= high for value in values if np.isfinite(value))
    assert not zero or low <= 0 <= high


def test_axes_are_named():
    shown = texts(picture(1, 1, "t", axes(Axis(0, 1, 0, 1), Axis(0, 1, 1, 0), "<x>", "y & z")))
    assert {"<x>", "y & z", "0", "1"} <= set(shown)


def luminance(color: str) -> float:
    """Relative luminance as the Web Content Accessibility Guidelines define it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("ground", ["ground", "raised"])
@pytest.mark.parametrize(
    "name, least", [("ink", 7), ("soft", 5.5), ("accent", 4.5), *((f"s{i}", 3) for i in range(1, 7))]
)
def test_colors_stand_out_in_both_themes(theme, ground, name, least):
    a, b = sorted((luminance(theme[ground]), luminance(theme[name])))
    assert (b + 0.05) / (a + 0.05) >= least


def test_colors_to_fall_back_on_are_those_of_the_light_theme():
    assert list(COLORS) == [LIGHT[f"s{i}"] for i in range(1, len(COLORS) + 1)]
