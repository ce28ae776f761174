"""trulysparse evaluate."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from command import SMALL, last_json, run


def test_a_files_own_test_set(tmp_path, table):
    X, y = table
    np.savez(tmp_path / "d.npz", X_train=X[:100], y_train=y[:100], X_test=X[100:], y_test=y[100:])
    figures = last_json(run("train", tmp_path / "d.npz", "--out", tmp_path / "r", *SMALL, "--json"))
    again = last_json(run("evaluate", tmp_path / "r", tmp_path / "d.npz", "--json"))
    assert again == {"accuracy": figures["accuracy"], "loss": figures["loss"], "samples": 50}
    net = ts.load(tmp_path / "r" / "model.safetensors")
    assert float((net.predict(X[100:]) == y[100:]).mean()) == figures["accuracy"]
    assert "50 predictions" in run("predict", tmp_path / "r", tmp_path / "d.npz", "--out", tmp_path / "p.csv")
    assert "150 predictions" in run(
        "predict", tmp_path / "r", tmp_path / "d.npz", "--out", tmp_path / "p.csv", "--part", "all"
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["none", "d.npz"], "is not a run folder"),
        (["r", "wide.npz"], "X has 12 features, but the network has 6"),
        (["r", "odd.npz"], "which is not one of the training labels"),
        (["r", "nolabels.npz"], "no array 'y'"),
        (["r", "d.npz", "--part", "some"], "--part must be one of"),
        (["r", "d.npz", "--target", "species"], "--target: 'd.npz' has no columns to choose from"),
        (["r", "digits", "--part", "test"], "--part test: 'digits' has no test set"),
    ],
)
def test_evaluate_refuses_what_it_cannot_score(trained, monkeypatch, arguments, message):
    monkeypatch.chdir(trained)
    assert message in run("evaluate", *arguments, code=2)


def test_network_without_classes_in_a_run_folder_is_refused(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(trained)
    (tmp_path / "q").mkdir()
    ts.save(ts.SparseMLP([6, 8, 2], epsilon=4), tmp_path / "q" / "model.safetensors")
    (tmp_path / "q" / "config.json").write_text("{}")
    assert "names no classes" in run("evaluate", tmp_path / "q", "d.npz", code=2)


def test_test_size_out_of_range_in_the_settings_of_a_run_names_their_file(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(trained)
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "model.safetensors").write_bytes((trained / "r" / "model.safetensors").read_bytes())
    (tmp_path / "q" / "config.json").write_text('{"test_size": 7}')
    assert "config.json' cannot be read (test_size" in run("evaluate", tmp_path / "q", "d.npz", code=2)
