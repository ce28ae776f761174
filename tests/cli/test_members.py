"""Ensembles on the command line: trained one by one, kept, and gone on with."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts
from command import MODEL, contents, last_json, refused, run, signalled
from trulysparse.cli._members import FinishedMembers

COMMAND = [
    *("train", "breast_cancer", "--hidden", "12", "--epochs", 4, "--n-estimators", 3, "--batch-size", 64),
    *("--dropout", 0.1, "--skip", "--connectivity", "f_score"),
]


def test_networks_become_one(tmp_path):
    figures = last_json(run(*COMMAND, "--out", tmp_path / "r", "--json"))
    net = ts.load(tmp_path / "r" / MODEL)
    assert net.layer_sizes == (30, 36, 2)
    assert net.skip
    assert figures["connections"] == net.n_connections
    assert figures["accuracy"] > 0.8
    assert last_json(run("evaluate", tmp_path / "r", "breast_cancer", "--part", "test", "--json"))[
        "accuracy"
    ] == pytest.approx(figures["accuracy"])
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    assert config["n_estimators"] == 3
    assert not [name for name in contents(tmp_path / "r") if "checkpoint" in str(name)]


@pytest.mark.parametrize("at", [3, 20, 45, 80])
def test_a_broken_ensemble_goes_on_with_the_same_bits(tmp_path, monkeypatch, at):
    """Within the first network and later ones."""
    run(*COMMAND, "--out", tmp_path / "whole")
    error = signalled(monkeypatch, *COMMAND, "--out", tmp_path / "r", at=at)
    assert f"`trulysparse resume {tmp_path / 'r'}` goes on" in error
    assert "--overwrite" in refused(*COMMAND, "--out", tmp_path / "r")
    run("resume", tmp_path / "r")
    assert (tmp_path / "r" / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()


def test_folds_of_an_ensemble_go_on_with_the_same_bits(tmp_path, monkeypatch):
    command = [*COMMAND, "--cv", 2]
    run(*command, "--out", tmp_path / "whole")
    signalled(monkeypatch, *command, "--out", tmp_path / "r", at=60)
    run("resume", tmp_path / "r")
    assert (tmp_path / "r" / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()


def test_what_cannot_become_one_is_refused(tmp_path):
    for more in (["--storage", "compact"], ["--workers", 2]):
        options = [word for word in COMMAND if word not in ("--connectivity", "f_score")]
        assert "--n-estimators above 1" in refused(*options, *more, "--out", tmp_path / "r")


def test_finished_members_are_read_as_they_were_added(tmp_path):
    kept = FinishedMembers(tmp_path)
    assert len(kept) == 0
    networks = [ts.SparseMLP((3, 4, 2), epsilon=2, seed=seed) for seed in range(2)]
    for net in networks:
        kept.add(net, ts.History([{"epoch": 1, "loss": 0.5}]))
    read, histories = kept.read()
    assert [history["loss"] for history in histories] == [[0.5], [0.5]]
    for before, after in zip(networks, read, strict=True):
        np.testing.assert_array_equal(before.layers[0].values, after.layers[0].values)
    kept.clear()
    assert len(kept) == 0
