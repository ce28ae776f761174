"""The report: one file with all that is there."""

from __future__ import annotations

import base64
import re

import pytest

import trulysparse as ts

pytest.importorskip("matplotlib")

from trulysparse.report import write_report

NET = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
RECORDS = [{"epoch": 1, "loss": 0.7, "density": [0.3, 0.5]}, {"epoch": 2, "loss": 0.6, "density": [0.3, 0.5]}]


def test_report_holds_figures_of_what_was_recorded(tmp_path):
    write_report(tmp_path / "report.html", NET, RECORDS, title="A run", facts={"accuracy": 0.9})
    page = (tmp_path / "report.html").read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == ["Loss", "Density", "Use of the inputs", "Degrees"]
    assert "<td>accuracy</td><td>0.9</td>" in page
    images = re.findall("src='data:image/png;base64,(.*?)'", page)
    assert len(images) == 4
    assert all(base64.b64decode(image).startswith(b"\x89PNG") for image in images)


def test_report_texts_are_escaped(tmp_path):
    write_report(tmp_path / "report.html", NET, [], title="<b>", facts={"a<b": "<script>"})
    page = (tmp_path / "report.html").read_text()
    assert "<h1>&lt;b&gt;</h1>" in page
    assert "<td>a&lt;b</td><td>&lt;script&gt;</td>" in page
    assert "<script>" not in page


def test_report_existing_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("x" * 10_000_000)
    write_report(path, NET, RECORDS, title="A run", facts={})
    assert path.read_text().startswith("<!doctype html>")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
