"""Report and comparison in a headless Chromium: nothing on its console, nothing that sticks out, both themes, paper."""

from __future__ import annotations

import numpy as np
import pytest

import browser
import trulysparse as ts
from agent_logs import agent_run
from grid_outcomes import controls, grid_report, home_week, street
from trulysparse.report import ComparedRun, RunReport, write_comparison, write_report
from trulysparse.report.grid_page import write_grid_report
from trulysparse.report.rl_compare_page import write_agent_comparison
from trulysparse.report.rl_page import AgentReport, write_agent_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium is installed"),
]

LONG = "average_outdoor_temperature_degrees_celsius_over_the_last_24_hours_"
RECORDS = [
    {"epoch": e, "loss": 1 / e, "val_loss": 2 / e, "val_accuracy": 1 - 1 / e, "connections_per_layer": [e, 2 * e]}
    for e in range(1, 100)
]


def classification(path, k, names):
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(k), 500)
    report = RunReport(
        title="Trained on " + "a/folder/with/a/long/name/" * 5 + "table.csv",
        command="trulysparse train " + "x" * 500,
        net=ts.SparseMLP((64, 100, k), epsilon=5, seed=0),
        records=RECORDS,
        kind="classification",
        facts={"data": "y" * 300, "target": LONG},
        scores={"accuracy": 0.5, "loss": 1.0},
        notes=["z" * 300],
        labels=np.array([f"{LONG}{i}" for i in range(k)]),
        y_true=rng.integers(0, k, 500),
        y_pred=probability.argmax(axis=1),
        probability=probability,
        feature_names=names,
        importance=rng.random(64),
        parts={"updates": 2.0, "reading": 1.0},
    )
    write_report(path, report)


def regression(path):
    y = np.random.default_rng(0).normal(size=(2000, 2))
    net = ts.SparseMLP((30, 40, 2), epsilon=5, output="identity", seed=0)
    known = {"title": "t", "command": "c", "net": net, "records": RECORDS, "kind": "regression"}
    write_report(path, RunReport(**known, targets=(LONG, "b"), y_true=y, y_pred=y * 0.9))


PAGES = {
    "digits": lambda path: classification(path, 10, None),
    "names": lambda path: classification(path, 2, [f"{LONG}{i}" for i in range(64)]),
    "many": lambda path: classification(path, 120, None),
    "regression": regression,
    "agents": lambda path: write_agent_report(
        path,
        AgentReport(
            title="TD3 on " + LONG,
            command="trulysparse rl train " + "x" * 500,
            run=agent_run(n_seeds=5),
            facts={"environment": LONG, "settings": "y" * 300},
            nets={"actor": ts.SparseMLP((17, 256, 256, 6), density=0.1, output="identity", seed=0)},
        ),
    ),
    "agents compared": lambda path: write_agent_comparison(
        path, [agent_run(f"{LONG}{i}", n_seeds=i, env=LONG, density=0.1 * i) for i in range(1, 8)]
    ),
    "grid": lambda path: write_grid_report(path, grid_report()),
    "grid, long names": lambda path: write_grid_report(
        path,
        grid_report(
            title=LONG * 2,
            command="trulysparse grid run " + "x" * 500,
            controls=controls(oracle=True, n_agents=4, suffix=LONG),
            weeks=[home_week(LONG, LONG)],
            feeders={LONG: street(200, long_name=LONG)},
            device=LONG,
            facts={"data": "y" * 300},
            notes=["z" * 300],
        ),
    ),
    "comparison": lambda path: write_comparison(
        path, [ComparedRun(name=f"{LONG}{i}", config={"data": LONG, "seed": i}, records=RECORDS) for i in range(6)]
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_pages_in_chromium(name, tmp_path):
    page = tmp_path / f"{name}.html"
    PAGES[name](page)
    assert browser.console(page) == []
    for width in (390, 820, 1280):
        measures = browser.probe(page, width)
        assert measures["width"] == measures["scroll"] == width
        assert measures["wide"] == []
        assert not measures["dark"]
    dark = browser.probe(page, 390, dark=True)
    assert dark["dark"]
    assert dark["ground"] != measures["ground"]
    browser.screenshot(page, tmp_path / "page.png", 390, 844)
    browser.print_pdf(page, tmp_path / "page.pdf")
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_console_errors_are_seen(tmp_path):
    page = tmp_path / "broken.html"
    page.write_text("<svg><path d='M0 0L oops'/></svg>")
    assert any("oops" in line for line in browser.console(page))


def test_what_sticks_out_is_seen(tmp_path):
    page = tmp_path / "wide.html"
    page.write_text("<!doctype html><body><main><p style='width:900px'>wide</p></main></body>")
    measures = browser.probe(page, 390)
    assert measures["scroll"] >= 900
    assert measures["wide"] == ["P"]
