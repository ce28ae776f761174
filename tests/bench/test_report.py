"""Output of a benchmark."""

from __future__ import annotations

import json
import sys

import pytest

import trulysparse as ts
from trulysparse import _kernels
from trulysparse.bench import report
from trulysparse.errors import MissingExtraError


def test_machine_names_what_figures_depend_on():
    machine = report.machine(3)
    assert (machine["threads"], machine["isa"]) == (3, _kernels.current_isa())
    assert machine["trulysparse"] == ts.__version__
    assert machine["processor"]


def test_table_has_four_digits_and_every_cell(capsys):
    report.table("Steps", ["peer", "ms", "calls"], [["trulysparse", 1.23456, 12], ["p" * 90, 1234.5678, 3]])
    shown = capsys.readouterr().out
    for text in ("Steps", "peer", "calls", "1.235 ", "1235 ", "12", "p" * 90):
        assert text in shown
    assert "1.2345" not in shown


def test_save_json_makes_folders_and_writes_whole_files(tmp_path):
    path = tmp_path / "a" / "b.json"
    report.save_json(path, {"ms": [1.5, 2]})
    assert json.loads(path.read_text()) == {"ms": [1.5, 2]}
    with pytest.raises(TypeError):
        report.save_json(path, {"ms": object()})
    assert json.loads(path.read_text()) == {"ms": [1.5, 2]}
    assert [each.name for each in path.parent.iterdir()] == ["b.json"]


def test_plot_writes_a_picture(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib comes with the extra trulysparse[bench]")
    path = tmp_path / "a" / "b.svg"
    lines = {"trulysparse": ([1, 10], [2.0, 3.0]), "peer": ([1, 10], [4.0, 30.0])}
    report.plot(path, x="batch", y="ms", lines=lines, title="Steps")
    assert path.read_text().count("<svg") == 1


def test_plot_without_matplotlib_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"matplotlib: pip install 'trulysparse\[bench\]'"):
        report.plot(tmp_path / "b.png", x="x", y="y", lines={}, title="")
    assert list(tmp_path.iterdir()) == []
