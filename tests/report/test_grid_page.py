"""The report of homes on a grid."""

from __future__ import annotations

import re

import numpy as np
import pytest

from grid_outcomes import controls, grid_hours, grid_report
from pictures import parsed, tables
from trulysparse.report.grid_page import GridReport, grid_html, write_grid_report
from trulysparse.report.numbers import MISSING

NASTY = "<script>alert(1)</script>"


def test_page_has_all_parts():
    text = grid_html(grid_report(title=NASTY, facts={NASTY: NASTY, "empty": ""}, notes=[NASTY]))
    assert re.findall("<h2>(.*?)</h2>", text) == [
        "Cost and saving",
        "All figures",
        "Seen and unseen homes and weeks",
        "A week of one home",
        "The grid",
        "Limits of the grid",
        "Devices",
        "While they learned",
        "Settings",
        "To repeat it",
    ]
    assert "<script" not in text
    assert "<th>empty" not in text
    pictures = re.findall("<svg.*?</svg>", text, re.S)
    assert len(pictures) == 8
    for svg in pictures:
        parsed(svg)
    for tile in ("93 %", "87 %", "71 %", "603.5", "0.944"):
        assert f"<b>{tile}</b>" in text


def test_the_best_rule_is_named_among_the_tiles_and_no_bound_is():
    text = grid_html(grid_report())
    assert "share of saving, self-consumption, the best rule" in text
    assert "perfect foresight, the best rule" not in text


@pytest.mark.parametrize("mode", ["follow", "setpoint"])
def test_the_mode_is_named(mode):
    text = grid_html(grid_report(mode=mode))
    assert f"<p>Mode {mode}" in text


def test_an_oracle_is_marked_red():
    assert "class='alarm'" not in grid_html(grid_report())
    text = grid_html(grid_report(controls=controls(oracle=True)))
    assert "<p class='alarm'><b>Oracle" in text
    assert "agents (oracle)" in text
    assert "class='alarm'" in grid_html(grid_report(oracle=True))


def test_page_of_rules_alone():
    own = [each for each in controls() if each.kind == "rule"]
    text = grid_html(GridReport(title="t", command="c", mode="follow", controls=own))
    assert re.findall("<h2>(.*?)</h2>", text) == [
        "Cost and saving",
        "All figures",
        "Seen and unseen homes and weeks",
        "To repeat it",
    ]


def test_page_is_written_whole(tmp_path):
    path = tmp_path / "report.html"
    write_grid_report(path, grid_report())
    assert path.read_text() == grid_html(grid_report())
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("first", [0, 400])
def test_page_of_a_flow_without_solution(first):
    """Hours from the first without solution on are not numbers."""
    hours = grid_hours()
    for values in (hours.transformer, hours.lowest, hours.highest, hours.line):
        values[first:] = np.nan
    text = grid_html(grid_report(hours=[hours]))
    [limits] = [table for table in tables(text) if "transformer, highest" in table[0]]
    assert "nan" not in text.replace("financ", "")
    assert (limits[1][1] == MISSING) == (first == 0)
    for svg in re.findall("<svg.*?</svg>", text, re.S):
        parsed(svg)
