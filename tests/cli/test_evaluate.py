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
