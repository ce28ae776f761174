"""trulysparse predict."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from command import SMALL, last_json, run, write_table


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet", "libsvm"])
def test_files_of_every_kind_go_from_training_to_prediction(tmp_path, table, kind):
    path = write_table(tmp_path, kind, *table)
    figures = last_json(run("train", path, "--out", tmp_path / "r", *SMALL, "--json"))
    assert figures["accuracy"] > 0.8
    assert figures["epochs"] == 3
    metrics = [json.loads(line) for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in metrics] == [1, 2, 3]
    assert metrics[-1]["val_accuracy"] == figures["accuracy"]
    assert last_json(run("evaluate", tmp_path / "r", path, "--json")) == {
        "accuracy": figures["accuracy"],
        "loss": figures["loss"],
        "samples": 30,
    }
    assert last_json(run("evaluate", tmp_path / "r", path, "--part", "all", "--json"))["samples"] == 150
    run("predict", tmp_path / "r", path, "--out", tmp_path / "p.csv", "--proba")
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 150
    names = [0, 1, 2] if kind == "libsvm" else ["high", "low", "mid"]
    for row in rows:
        shares = [float(row[f"probability_{name}"]) for name in names]
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert row["prediction"] == str(names[int(np.argmax(shares))])
        assert float(row["probability"]) == max(shares)
    run("predict", tmp_path / "r", path, "--out", tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz") as arrays:
        assert [str(p) for p in arrays["prediction"]] == [row["prediction"] for row in rows]


def test_predict_needs_no_labels_and_picks_its_columns(tmp_path, table):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    path = write_table(tmp_path, "csv", *table)
    run("train", path, "--target", "kind", "--out", tmp_path / "r", *SMALL)
    frame = pd.read_csv(path)
    run("predict", tmp_path / "r", path, "--out", tmp_path / "p1.csv")
    shuffled = frame.drop(columns="kind")[list("fedcba")].assign(extra=1)
    shuffled.to_csv(tmp_path / "other.csv", index=False)
    run("predict", tmp_path / "r", tmp_path / "other.csv", "--out", tmp_path / "p2.csv")
    assert (tmp_path / "p1.csv").read_text() == (tmp_path / "p2.csv").read_text()
    frame.drop(columns="c").to_csv(tmp_path / "less.csv", index=False)
    assert "no column 'c'" in run("predict", tmp_path / "r", tmp_path / "less.csv", "--out", tmp_path / "p.csv", code=2)


def test_a_libsvm_file_may_lack_the_last_features(tmp_path, table):
    X, y = table
    X[:, 5] = np.arange(150) % 2
    train = write_table(tmp_path, "libsvm", X, y)
    run("train", train, "--out", tmp_path / "r", *SMALL)
    dump_svmlight_file(np.ones((3, 2)), [0, 1, 2], str(tmp_path / "few.libsvm"))
    assert "3 predictions" in run("predict", tmp_path / "r", tmp_path / "few.libsvm", "--out", tmp_path / "p.csv")


@pytest.mark.parametrize(
    "data, out, message",
    [
        ("wide.npz", "p.csv", "12 features"),
        ("d.npz", "p.txt", "--out must end in"),
        ("d.npz", "no/p.csv", "does not exist"),
    ],
)
def test_predict_refuses_what_it_cannot_write_or_read(trained, monkeypatch, data, out, message):
    monkeypatch.chdir(trained)
    assert message in run("predict", "r", data, "--out", out, code=2)


def test_predict_takes_data_without_labels(trained):
    output = run("predict", trained / "r", trained / "nolabels.npz", "--out", trained / "p.csv")
    assert "150 predictions" in output


def test_folder_in_the_place_of_the_file_to_write_is_refused(tmp_path):
    (tmp_path / "p.csv").mkdir()
    assert "is a folder, not a file" in run("predict", "r", "digits", "--out", tmp_path / "p.csv", code=2)
