"""trulysparse grid report"""

from __future__ import annotations

import re

import pytest

from command import contents, refused, run
from pictures import tables


def test_the_report_is_that_of_the_run(tmp_path, quick):
    out = tmp_path / "r"
    run("grid", "run", "--out", out, *quick)
    before = contents(out)
    assert str(out / "report.html") in run("grid", "report", out)
    assert run("grid", "report", out, "--out", tmp_path / "page.html").strip().endswith("page.html")

    def without_time(text):
        return re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d", b"", text)

    after = contents(out)
    assert without_time(after.pop("report.html")) == without_time(before.pop("report.html"))
    assert after == before
    assert without_time((tmp_path / "page.html").read_bytes()) == without_time((out / "report.html").read_bytes())


def test_a_run_on_a_feeder_shows_the_grid(tmp_path, monkeypatch):
    import json

    text = {
        "transformer": {"kva": 10, "vk_percent": 4, "vkr_percent": 1.2},
        "cables": {"A": {"r_ohm_per_km": 0.2, "x_ohm_per_km": 0.08, "c_nf_per_km": 0, "i_max_a": 275}},
        "lines": [["busbar", "a", 100, "A"], ["a", "b", 50, "A"]],
        "homes": ["a", "b", "b"],
    }
    (tmp_path / "street.json").write_text(json.dumps(text))
    out = tmp_path / "r"
    options = ["--feeder", tmp_path / "street.json", "--no-bounds", "--agents", "tou-fill"]
    run("grid", "run", "--out", out, *options)
    page = (out / "report.html").read_text()
    for part in ("Transformer loading", "Voltages under time-of-use, fill", "b, home 2 and 3", "Limits of the grid"):
        assert part in page
    [limits] = [table for table in tables(page) if "transformer, highest" in table[0]]
    assert [row[0] for row in limits[1:]] == [
        "time-of-use, fill",
        "no control",
        "self-consumption",
        "fill, random hours",
    ]
    assert "Perfect foresight was not computed" in page


def test_an_unfinished_run_says_so(tmp_path, quick):
    out = tmp_path / "r"
    run("grid", "run", "--out", out, *quick, "--no-report", "--no-bounds")
    (out / "results.json").unlink()
    run("grid", "report", out)
    assert "The run is not finished" in (out / "report.html").read_text()


def test_an_oracle_is_marked_red(tmp_path):
    out = tmp_path / "r"
    run("grid", "run", "--out", out, "--agents", "self-consumption", "--no-bounds", "--no-report")
    text = (out / "config.json").read_text()
    (out / "config.json").write_text(text.replace('"oracle": false', '"oracle": true'))
    from trulysparse.errors import InputError

    with pytest.raises(AssertionError, match="predicted"):  # the sample has no forecasts
        run("grid", "report", out)
    assert InputError


@pytest.mark.parametrize("name", ["none", "file", "empty"])
def test_what_is_no_run_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert "RUN: " in refused("grid", "report", tmp_path / name)
    assert "--out must end in .html" in refused("grid", "report", tmp_path, "--out", tmp_path / "x.pdf")
