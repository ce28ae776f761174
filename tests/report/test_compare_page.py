"""Runs side by side."""

from __future__ import annotations

import math
import re

import pytest

from pictures import parsed, tables
from trulysparse.report import ComparedRun, write_comparison
from trulysparse.report.compare_page import comparison_html, differing_settings, rows_of, warnings_of

CONFIG = {"data": "d.csv", "fingerprint": "f", "target": None, "seed": 0, "test_size": 0.2, "epochs": 3, "model": "m"}


def run(name, *, config=(), results=None, finished=True, **last):
    known = {"connections": 10, "seconds": 0.5, **last}
    records = [{"epoch": e, "loss": 1 / e, "val_accuracy": 0.1 * e, **known} for e in (1, 2, 3)]
    config = {**CONFIG, **dict(config)}
    return ComparedRun(name=name, config=config, records=records, results=results or {}, finished=finished)


def test_only_differing_settings_and_none_that_follow_from_data():
    runs = [run("a"), run("b", config={"epochs": 5, "model": "other", "features": ["x"], "extra": True})]
    assert differing_settings(runs) == {"epochs": [3, 5], "extra": [None, True]}
    assert differing_settings([run("a"), ComparedRun(name="unfinished")]) == {}
    assert differing_settings([run("a", config={"seed": 1}), run("b", config={"seed": True})]) == {"seed": [1, True]}


def test_what_is_not_known_of_an_unfinished_run_is_no_difference():
    a = run("a", config={"target": "y", "alpha": 0.6})
    known = {"data": "/at/d.csv", "alpha": None, "report": True, "log": "mlflow", "fold": 1}
    b = run("b", config=known, finished=False)
    assert differing_settings([a, b]) == {}
    assert warnings_of([a, b]) == ["'b' is not finished: its figures are those so far"]
    other = run("b", config={**known, "target": "z", "fingerprint": "g"}, finished=False)
    assert differing_settings([a, other]) == {"target": ["y", "z"], "data": ["d.csv", "/at/d.csv"]}
    assert len(warnings_of([a, other])) == 2


def test_results_go_before_records():
    a, b = run("a", results={"accuracy": 0.95, "seconds": 9.0, "peak_rss_mb": 123.4}).figures(), run("b").figures()
    assert (a["accuracy"], a["seconds"], a["peak_rss_mb"], a["epochs"]) == (0.95, 9.0, 123.4, 3)
    assert (b["accuracy"], b["seconds"], b["peak_rss_mb"]) == (pytest.approx(0.3), 1.5, None)


def test_figures_that_no_run_has_are_left_out():
    rows = rows_of([run("a"), run("b", finished=False)])
    assert "r2" not in rows
    assert rows["training"] == ["finished", "unfinished"]
    assert rows["epochs"] == ["3", "3"]
    assert "training" not in rows_of([run("a")])


@pytest.mark.parametrize(
    "config, warning",
    [
        ({"fingerprint": "g"}, "different data"),
        ({"target": "other"}, "different data"),
        ({"seed": 1}, "other samples were held out"),
        ({"test_size": 0.3}, "other samples were held out"),
        ({"cv": 5}, "other samples were held out"),
        ({"group": "ward"}, "other samples were held out"),
        ({"epochs": 9}, None),
        ({"data": "a copy.csv"}, None),
    ],
)
def test_warnings(config, warning):
    found = warnings_of([run("a"), run("b", config=config)])
    assert len(found) == (warning is not None)
    assert warning is None or warning in found[0]


def test_a_test_set_of_its_own_does_not_depend_on_the_seed():
    assert (
        warnings_of([run("a", config={"has_test_set": True}), run("b", config={"has_test_set": True, "seed": 4})]) == []
    )


def test_unfinished_runs_are_named():
    assert warnings_of([run("a"), run("b", finished=False)]) == ["'b' is not finished: its figures are those so far"]


@pytest.mark.parametrize("n", [1, 2, 4, 5, 30])
def test_page(n, tmp_path):
    runs = [run(f"<b>run {i}</b>", config={"epochs": i}, val_loss=math.nan if i == 1 else 0.5) for i in range(n)]
    write_comparison(tmp_path / "c.html", runs)
    page = (tmp_path / "c.html").read_text()
    for picture in re.findall("<svg.*?</svg>", page, re.S):
        assert len(re.findall("<path", picture)) <= n
        parsed(picture)
    assert "<b>run" not in page
    assert len(page) < 200_000
    first = tables(page)[0]
    assert (len(first[0]) == n + 1) if n <= 4 else (len(first) == n + 1)


def test_best_of_each_curve():
    runs = [run("a"), run("b")]
    shown = {rows[0][0] + rows[0][-1]: rows for rows in tables(comparison_html(runs)) if rows[0][0] == "run"}
    assert shown["runat epoch"][1] == ["a", "0.3", "0.3", "3"]
    losses = next(rows for rows in tables(comparison_html(runs)) if rows[0][:1] == ["run"])
    assert losses[1] == ["a", "0.3333", "0.3333", "3"]


def test_runs_without_records():
    page = comparison_html([ComparedRun(name="a"), ComparedRun(name="b")])
    assert "<svg" not in page
    assert "same settings" in page
