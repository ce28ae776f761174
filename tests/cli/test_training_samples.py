"""The samples that a run was trained on, for calibration."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts
from command import SMALL, run, write_table
from trulysparse.cli._run import Run
from trulysparse.cli._samples import Reading, pick, read_for
from trulysparse.cli._training_samples import samples_in_file, training_samples


def rows_of(X: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in np.ascontiguousarray(X, np.float64)}


def test_training_samples_are_those_of_the_training_and_none_that_was_held_out(trained, table):
    opened = Run.open(trained / "r")
    samples, data = training_samples(opened), str(trained / "d.npz")
    held_out, _, _ = pick(opened, data, read_for(opened, data, Reading(), need_target=True), "test")
    assert (len(samples), len(held_out)) == (120, 30)
    assert rows_of(samples) | rows_of(held_out) == rows_of(table[0])
    assert not rows_of(samples) & rows_of(held_out)


def test_none_is_held_out_of_the_samples_of_a_cross_validation_and_validation_samples_are(tmp_path, table):
    path = write_table(tmp_path, "npz", *table)
    run("train", path, "--out", tmp_path / "cv", *SMALL, "--cv", 2)
    assert len(training_samples(Run.open(tmp_path / "cv"))) == 150
    run("train", path, "--out", tmp_path / "v", *SMALL, "--validation-fraction", 0.5)
    assert len(training_samples(Run.open(tmp_path / "v"))) == 60


def test_columns_of_a_table_are_encoded(tmp_path, table):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    X, y = table
    frame = pd.DataFrame(X[:, :3], columns=list("abc")).assign(color=np.where(X[:, 0] > 0, "red", "blue"), kind=y)
    frame.to_csv(tmp_path / "t.csv", index=False)
    run("train", tmp_path / "t.csv", "--target", "kind", "--out", tmp_path / "r", *SMALL)
    opened = Run.open(tmp_path / "r")
    samples = training_samples(opened)
    assert samples.shape == (120, opened.net.layer_sizes[0])
    assert samples.dtype.kind == "f"
    frame.drop(columns="kind").to_csv(tmp_path / "new.csv", index=False)
    from_file = samples_in_file(str(tmp_path / "new.csv"), opened, opened.net)
    assert rows_of(samples) < rows_of(from_file)


def test_samples_in_files_are_read_from_the_first_on(tmp_path, table, monkeypatch):
    X, y = table
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", np.unique(y, return_inverse=True)[1])
    run("train", tmp_path / "X.npy", "--stream", "--out", tmp_path / "r", *SMALL)
    monkeypatch.setattr("trulysparse.cli._training_samples._MOST_STREAMED", 50)
    samples = training_samples(Run.open(tmp_path / "r"))
    assert len(samples) == 50
    assert rows_of(samples) < rows_of(X)


def test_data_that_are_gone_or_have_changed_are_refused_with_advice(trained, table):
    opened = Run.open(trained / "r")
    X, y = table
    np.savez(trained / "d.npz", X=X + 1, y=y)
    with pytest.raises(ts.InputError, match=r"has changed since the training; .*--calibrate FILE"):
        training_samples(opened)
    (trained / "d.npz").unlink()
    with pytest.raises(ts.InputError, match=r"is not there; .*--calibrate FILE"):
        training_samples(opened)
    config = json.loads((trained / "r" / "config.json").read_text())
    del config["fingerprint"]
    (trained / "r" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ts.InputError, match="do not say what it was trained on"):
        training_samples(Run.open(trained / "r"))


def test_samples_of_a_file_need_no_labels_but_all_features(trained):
    opened = Run.open(trained / "r")
    assert samples_in_file(str(trained / "nolabels.npz"), opened, opened.net).shape == (150, 6)
    for given in (opened, None):
        with pytest.raises(ts.InputError, match=r"--calibrate: .*12 features"):
            samples_in_file(str(trained / "wide.npz"), given, opened.net)
    with pytest.raises(ts.InputError, match=r"--calibrate: .*does not exist"):
        samples_in_file(str(trained / "no.npz"), opened, opened.net)
    X = np.zeros((3, 6))
    X[1, 2] = np.nan
    np.save(trained / "gaps_X.npy", X)
    with pytest.raises(ts.InputError, match=r"\[1, 2\] is nan"):
        samples_in_file(str(trained / "gaps_X.npy"), None, opened.net)
