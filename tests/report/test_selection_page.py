"""The page of a selection of features."""

from __future__ import annotations

import re

import numpy as np
import pytest

import trulysparse as ts
from browser import CHROMIUM, console, probe
from pictures import parsed, tables
from trulysparse.report.numbers import number
from trulysparse.report.selection_page import (
    ALL,
    CHOSEN,
    RANDOM,
    Judged,
    SelectionReport,
    judged_rows,
    picture_shape,
    selection_html,
    write_selection_report,
)


def report(n=64, k=5, **options):
    scores = np.random.default_rng(0).random(n)
    chosen = np.argsort(-scores)[:k]
    return SelectionReport(title="Of <d>", command="trulysparse select d", scores=scores, chosen=chosen, **options)


def check_pictures(text):
    """All pictures of a page hold together."""
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        parsed(svg)


JUDGED = [Judged("SVC", name, scores) for name, scores in ((CHOSEN, [0.9, 0.8]), (ALL, [0.95, 0.95]), (RANDOM, [0.5]))]


def test_all_parts_are_there(tmp_path):
    page = tmp_path / "r.html"
    write_selection_report(page, report(judged=JUDGED, facts={"data": "a < b"}, notes=["a note"], protocol="2 folds."))
    text = page.read_text()
    for part in (
        "Of &lt;d&gt;",
        "a &lt; b",
        "a note",
        "2 folds.",
        "Map of the scores",
        "accuracy, SVC",
        "0.85",
    ):
        assert part in text
    check_pictures(text)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_shows_it_at_any_width(tmp_path):
    page = tmp_path / "r.html"
    write_selection_report(page, report(judged=JUDGED, protocol="2 folds."))
    assert console(page) == []
    assert probe(page, 400)["wide"] == []


def test_the_table_has_the_chosen_features_in_order():
    made = report(n=10, k=3, names=[f"f{i}" for i in range(10)])
    found = next(rows for rows in tables(selection_html(made)) if rows[0][:2] == ["rank", "feature"])
    assert [row[1] for row in found[1:]] == [f"f{i}" for i in made.chosen]
    shares = [float(row[3].strip(" %")) for row in found[1:]]
    np.testing.assert_allclose(shares, 100 * made.scores[made.chosen] / made.scores.sum(), atol=0.1)


def test_pictures_are_of_images_alone():
    assert "Map of the scores" in selection_html(report(n=64))
    assert "Map of the scores" not in selection_html(report(n=65))
    assert "Map of the scores" not in selection_html(report(n=64, names=[f"f{i}" for i in range(64)]))
    assert "Map of the scores" in selection_html(report(n=64, names=[f"pixel_{i}" for i in range(64)]))
    assert "an image of 5 x 13" in selection_html(report(n=65, shape=(5, 13)))
    assert "3 channels are averaged" in selection_html(report(n=75, shape=(3, 5, 5)))


@pytest.mark.parametrize(
    "shape, n, expected",
    [
        ((4, 6), 24, (4, 6, 1, False)),
        ((3, 4, 6), 72, (4, 6, 3, False)),
        ((4, 6, 3), 72, (4, 6, 3, True)),
        ((1, 4, 6), 24, (4, 6, 1, False)),
        ((4, 6, 1), 24, (4, 6, 1, True)),
    ],
)
def test_forms_of_images(shape, n, expected):
    assert picture_shape(shape, n) == expected


def test_what_does_not_fit_is_refused():
    with pytest.raises(ts.InputError, match="64 features are no image of 7 x 9"):
        report(shape=(7, 9))
    with pytest.raises(ts.InputError, match="an image has two or three dimensions, not 1"):
        report(shape=(64,))
    for chosen in ([], [64], [-1]):
        with pytest.raises(ts.InputError, match="chosen must hold numbers from 0 to 63"):
            SelectionReport(title="", command="", scores=np.ones(64), chosen=np.array(chosen, int))


@pytest.mark.parametrize("scores", [np.ones(30), np.zeros(1), np.linspace(-2, 1, 40), np.array([0.0, 1e300])])
def test_any_scores_make_a_page(scores):
    text = selection_html(SelectionReport(title="t", command="c", scores=scores, chosen=np.array([0])))
    check_pictures(text)
    assert ("begin at the lowest score" in text) == (scores.min() < 0)


def test_its_size_does_not_grow_with_features():
    small, large = (len(selection_html(report(n=n, k=200))) for n in (2_000, 200_000))
    assert large < small + 20_000


def test_scores_below_0_are_written_as_they_are():
    judged = [Judged("SVR", CHOSEN, [-3.0, -2.0]), Judged("SVR", ALL, [0.5, 0.5])]
    text = selection_html(report(judged=judged, measure="R²"))
    check_pictures(text)
    assert f"<title>{CHOSEN}: {number(-2.5)}</title>" in text
    assert f"<title>{ALL}: {number(0.5)}</title>" in text


def test_judged_rows():
    rows = judged_rows(JUDGED)
    assert rows["SVC"][CHOSEN]["mean"] == pytest.approx(0.85)
    assert rows["SVC"][CHOSEN]["deviation"] == pytest.approx(np.std([0.9, 0.8], ddof=1))
    assert rows["SVC"][RANDOM]["folds"] == [0.5]
    assert np.isnan(JUDGED[2].deviation)
