"""The report of a run of agents."""

from __future__ import annotations

import re

import trulysparse as ts
from agent_logs import agent_run
from pictures import parsed, tables
from trulysparse.report.rl_page import AgentReport, agent_html, write_agent_report

NASTY = "<script>alert(1)</script>"


def page(n_seeds=3, **more):
    known = {"title": f"TD3 {NASTY}", "command": f"trulysparse rl train {NASTY}", "run": agent_run(n_seeds=n_seeds)}
    return agent_html(AgentReport(**known, **more))


def test_page_of_several_seeds():
    net = ts.SparseMLP((3, 16, 1), density=0.5, output="identity", seed=0)
    text = page(facts={"environment": NASTY, "empty": ""}, nets={"actor": net, "critic": net})
    headings = re.findall("<h2>(.*?)</h2>", text)
    assert headings == [
        "Return",
        "Seeds",
        "Settings",
        "Connections and memory",
        "While it learned",
        "Network: actor",
        "Degrees",
        "Network: critic",
        "To repeat it",
    ]
    assert "<script" not in text
    assert "<th>empty" not in text
    for svg in re.findall("<svg.*?</svg>", text, re.S):
        parsed(svg)
    seeds = next(table for table in tables(text) if table[0][0] == "seed")
    assert [row[0] for row in seeds[1:]] == ["0", "1", "2"]
    assert {row[4] for row in seeds[1:]} == {"40"}
    assert "return, mean of 3 seeds" in text
    assert "return, interquartile mean" not in text  # of 3 seeds it is the mean
    assert "return, interquartile mean" in page(4)


def test_page_of_one_seed_says_nothing_of_seeds():
    text = page(1)
    assert "<h2>Seeds" not in text
    assert "interquartile" not in text
    assert "Return of each seed" not in text


def test_page_of_a_run_without_anything():
    run = agent_run(n_seeds=0)
    assert re.findall("<h2>(.*?)</h2>", agent_html(AgentReport(title="t", command="c", run=run))) == ["To repeat it"]


def test_page_is_written_whole(tmp_path):
    path = tmp_path / "report.html"
    report = AgentReport(title="t", command="c", run=agent_run())
    write_agent_report(path, report)
    assert path.read_text() == agent_html(report)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
