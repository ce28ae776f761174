"""trulysparse grid report"""

from __future__ import annotations

import re

import numpy as np
import pytest

from command import contents, refused, run
from pictures import tables


def without_time(text):
    return re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d", b"", text)


def test_the_report_is_that_of_the_run(finished, whole_run, tmp_path):
    before = contents(finished)
    page = without_time((finished / "report.html").read_bytes())
    page = page.replace(str(whole_run[0]).encode(), str(finished).encode())  # in the command
    (finished / "report.html").unlink()
    assert str(finished / "report.html") in run("grid", "report", finished)
    after = contents(finished)
    assert without_time(after.pop("report.html")) == page
    del before["report.html"]
    assert after == before
    (finished / "results.json").unlink()
    run("grid", "report", finished, "--out", tmp_path / "page.html")
    assert "The run is not finished" in (tmp_path / "page.html").read_text()
    assert without_time((finished / "report.html").read_bytes()) == page


@pytest.mark.slow
def test_a_run_on_a_feeder_shows_the_grid(tmp_path, street):
    out = tmp_path / "r"
    run("grid", "run", "--out", out, "--feeder", street, "--agents", "tou-fill")
    page = (out / "report.html").read_text()
    for part in ("Transformer loading", "Voltages under TOU fill", "b, home 2 and 3", "Limits of the grid"):
        assert part in page
    [limits] = [table for table in tables(page) if "transformer, highest" in table[0]]
    names = [row[0] for row in limits[1:]]
    assert names == ["TOU fill", "no control", "self-consumption", "TOU fill, spread", "TOU fill, random"]
    assert "Perfect foresight was not computed" in page


@pytest.mark.slow
def test_an_oracle_is_marked_red(tmp_path, quick, short_sample):
    short_sample.predicted["price_1"] = np.roll(short_sample.price, -1)
    out = tmp_path / "r"
    try:
        run("grid", "run", "--out", out, *quick, "--oracle")
    finally:
        short_sample.predicted.clear()
    page = (out / "report.html").read_text()
    assert "<p class='alarm'><b>Oracle" in page
    assert "es (oracle)" in page


@pytest.mark.parametrize("name", ["none", "file", "empty"])
def test_what_is_no_run_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert "RUN: " in refused("grid", "report", tmp_path / name)
    assert "--out must end in .html" in refused("grid", "report", tmp_path, "--out", tmp_path / "x.pdf")
