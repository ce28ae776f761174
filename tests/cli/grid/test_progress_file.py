"""progress.csv of a run on the grid."""

from __future__ import annotations

import csv

import pytest

from trulysparse.cli.grid import _progress_file
from trulysparse.cli.grid._progress_file import ProgressFile, curves, read_rows
from trulysparse.errors import InputError

LOG = [{"step": 1, "cost": 0.9}, {"step": 2, "cost": 0.8, "replaced": 12}]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "progress.csv"


def test_rows_of_all_trainings_are_in_one_file(path):
    file = ProgressFile(path)
    file.tell("es", 0, LOG, last=True)
    file.tell("es, dense", 0, LOG[:1], last=True)
    with path.open() as text:
        rows = list(csv.DictReader(text))
    assert [(row["agents"], row["seed"], row["step"], row["cost"], row["replaced"]) for row in rows] == [
        ("es", "0", "1", "0.9", ""),
        ("es", "0", "2", "0.8", "12"),
        ("es, dense", "0", "1", "0.9", ""),
    ]
    assert read_rows(path) == rows


def test_rows_of_other_trainings_stay_and_those_told_anew_are_replaced(path):
    ProgressFile(path).tell("es", 0, LOG, last=True)
    file = ProgressFile(path)  # as after a kill
    file.tell("es", 1, LOG, last=True)
    file.tell("es", 1, LOG[:1], last=True)
    assert [(row["seed"], row["step"]) for row in read_rows(path)] == [("0", "1"), ("0", "2"), ("1", "1")]


def test_the_file_is_not_written_at_each_step(path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(_progress_file.time, "monotonic", lambda: now[0])
    file = ProgressFile(path)
    file.tell("es", 0, LOG[:1])
    assert not path.exists()
    now[0] += 11
    file.tell("es", 0, LOG[:1])
    assert len(read_rows(path)) == 1
    file.tell("es", 0, LOG)
    assert len(read_rows(path)) == 1
    file.tell("es", 0, LOG, last=True)
    assert len(read_rows(path)) == 2


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "agents,seed,step\nes,0\n", "agents,seed\nes,0,1,2\n"])
def test_a_damaged_file_is_a_sentence(path, text):
    path.write_text(text)
    with pytest.raises(InputError, match=r"progress\.csv' cannot be read"):
        ProgressFile(path)


def test_curves_are_those_of_each_training():
    rows = [
        {"agents": "es", "seed": "0", "step": "1", "cost": "0.9"},
        {"agents": "es", "seed": "1", "step": "1", "cost": ""},
        {"agents": "es", "seed": "1", "step": "2", "cost": "0.7"},
        {"agents": "es", "seed": "1", "step": "3", "cost": "?"},
    ]
    assert curves(rows, "cost") == {"es, seed 0": ([1.0], [0.9]), "es, seed 1": ([2.0], [0.7])}
    assert curves(rows, "best") == {}
