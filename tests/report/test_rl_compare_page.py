"""Runs of agents side by side."""

from __future__ import annotations

import re

import pytest

from agent_logs import agent_run
from pictures import parsed, tables
from trulysparse.report.rl_compare_page import comparison_html, differing_settings, warnings_of, write_agent_comparison


def test_only_differing_settings():
    runs = [agent_run("a", version="1"), agent_run("b", version="2", density=0.2, hidden=[64, 64])]
    assert differing_settings(runs) == {"density": [0.1, 0.2], "hidden": [None, [64, 64]]}
    assert differing_settings([agent_run("a", x=1), agent_run("b", x=True)]) == {"x": [1, True]}


@pytest.mark.parametrize(
    "other, warning",
    [
        ({"env": "Ant-v5"}, "different environments"),
        ({"n_seeds": 5}, "different numbers of seeds"),
        ({"finished": False}, "'b' is not finished"),
        ({"n_seeds": 2}, "fewer than 3 seeds"),
    ],
)
def test_warnings(other, warning):
    assert any(warning in each for each in warnings_of([agent_run("a"), agent_run("b", **other)]))
    assert warnings_of([agent_run("a"), agent_run("b", density=0.2)]) == []


@pytest.mark.parametrize("n", [1, 3, 7])
def test_page(n, tmp_path):
    runs = [agent_run(f"run<{i}>", density=0.1 * (i + 1)) for i in range(n)]
    text = comparison_html(runs)
    assert "<0>" not in text
    for svg in re.findall("<svg.*?</svg>", text, re.S):
        parsed(svg)
    figures = tables(text)[0]
    assert len(figures[0]) == n + 1 if n <= 4 else len(figures) == n + 1
    assert ("The runs have the same settings." in text) == (n == 1)
    for heading in ("Figures", "Return", "What it took", "Settings that differ"):
        assert f"<h2>{heading}</h2>" in text
    write_agent_comparison(tmp_path / "page.html", runs)
    assert (tmp_path / "page.html").read_text() == text
