"""What a run knows of its data, and how evaluate, predict and resume use it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from typer.testing import CliRunner

from trulysparse.cli import app

SMALL = ["--hidden", 12, "--epsilon", 8, "--epochs", 20, "--learning-rate", 0.1, "--threads", 1, "--batch-size", 16]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    if code == 0:
        return result.stdout
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


def figures(*arguments: object) -> dict:
    return json.loads(run(*arguments, "--json").strip().splitlines()[-1])


def libsvm(path: Path, X: np.ndarray, y: np.ndarray, first: int, zeros: bool = False) -> Path:
    """Features numbered from `first`; zeros are left out unless asked for."""
    lines = [
        " ".join([str(label), *(f"{i + first}:{value}" for i, value in enumerate(row) if value or zeros)])
        for label, row in zip(y.tolist(), X.tolist(), strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def two(rng):
    """Feature 1 tells the classes apart; feature 0 is noise, and absent from the second half."""
    y = np.arange(80) % 2
    X = np.column_stack([rng.normal(size=80), np.where(y, 3.0, -3.0)]).round(3)
    X[40:, 0] = 0
    return X, y


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_a_libsvm_file_without_feature_0_is_read_as_the_training_file_was(tmp_path, two, stream):
    X, y = two
    train = libsvm(tmp_path / "train.libsvm", X[:40], y[:40], 0)
    absent = libsvm(tmp_path / "absent.libsvm", X[40:], y[40:], 0)
    written = libsvm(tmp_path / "written.libsvm", X[40:], y[40:], 0, zeros=True)
    run("train", train, "--out", tmp_path / "r", *SMALL, *stream)
    assert json.loads((tmp_path / "r" / "config.json").read_text())["zero_based"] is True
    assert figures("evaluate", tmp_path / "r", absent) == figures("evaluate", tmp_path / "r", written)
    assert figures("evaluate", tmp_path / "r", absent)["accuracy"] == 1
    for data, name in ((absent, "a.csv"), (written, "w.csv")):
        run("predict", tmp_path / "r", data, "--out", tmp_path / name)
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "w.csv").read_text()
    other = libsvm(tmp_path / "other.libsvm", X[40:], y[40:], 1)
    assert "has a feature 2, the network has 2 inputs" in run("evaluate", tmp_path / "r", other, code=2)
    assert figures("evaluate", tmp_path / "r", other, "--one-based")["accuracy"] == 1


def test_a_numbering_that_is_given_holds_for_training_too(tmp_path, two):
    X, y = two
    data = libsvm(tmp_path / "d.libsvm", X[40:], y[40:], 0)
    run("train", data, "--zero-based", "--out", tmp_path / "r", *SMALL, "--epochs", 1)
    assert json.loads((tmp_path / "r" / "config.json").read_text())["zero_based"] is True
    zero = libsvm(tmp_path / "z.libsvm", X[:40], y[:40], 0)
    assert "has a feature 0" in run("train", zero, "--one-based", "--out", tmp_path / "s", code=2)
    assert "--one-based is for .libsvm files" in run("train", "digits", "--one-based", "--out", tmp_path / "s", code=2)


@pytest.mark.parametrize("workers", [[], ["--checkpoint-every", 1]])
def test_without_a_header_every_sample_is_used_from_training_to_prediction(tmp_path, rng, workers):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    rows = [f"{a:.2f},{b:.2f},{'uv'[int(a > 0)]}" for a, b in rng.normal(size=(40, 2))]
    data = tmp_path / "d.csv"
    data.write_text("\n".join(rows) + "\n")
    assert "--no-header" in run("train", data, "--out", tmp_path / "r", code=2)
    run("train", data, "--no-header", "--out", tmp_path / "r", *SMALL, *workers)
    assert figures("evaluate", tmp_path / "r", data, "--part", "all")["samples"] == 40
    assert "40 predictions" in run("predict", tmp_path / "r", data, "--out", tmp_path / "p.csv")
    data.write_text("\n".join(row.rsplit(",", 1)[0] for row in rows) + "\n")
    assert "40 predictions" in run("predict", tmp_path / "r", data, "--out", tmp_path / "p.csv")
    assert "no column" in run("predict", tmp_path / "r", data, "--header", "--out", tmp_path / "p.csv", code=2)


@pytest.mark.parametrize("first", ["kind", "a"])
def test_a_later_file_without_a_header_has_the_columns_of_the_training_file(tmp_path, rng, first):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    frame = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"]).assign(kind=["u", "v"] * 20)
    frame = frame[["kind", "a", "b"] if first == "kind" else ["a", "b", "kind"]]
    frame.to_csv(tmp_path / "d.csv", index=False)
    run("train", tmp_path / "d.csv", "--target", "kind", "--out", tmp_path / "r", *SMALL)
    frame.to_csv(tmp_path / "bare.csv", index=False, header=False)
    named = figures("evaluate", tmp_path / "r", tmp_path / "d.csv", "--part", "all")
    assert figures("evaluate", tmp_path / "r", tmp_path / "bare.csv", "--no-header") == named
    run("predict", tmp_path / "r", tmp_path / "d.csv", "--out", tmp_path / "p.csv")
    frame.drop(columns="kind").to_csv(tmp_path / "less.csv", index=False, header=False)
    run("predict", tmp_path / "r", tmp_path / "less.csv", "--no-header", "--out", tmp_path / "q.csv")
    assert (tmp_path / "p.csv").read_text() == (tmp_path / "q.csv").read_text()


def test_resume_reads_the_data_as_the_training_did(tmp_path, rng, monkeypatch):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    from trulysparse.training.callbacks import checkpointer

    data = tmp_path / "d.csv"
    data.write_text("\n".join(f"{a:.2f},{b:.2f},{int(a > 0)}" for a, b in rng.normal(size=(40, 2))) + "\n")
    whole = figures("train", data, "--no-header", "--out", tmp_path / "whole", *SMALL)
    saved = checkpointer.Checkpointer.on_step_end
    calls = []

    def broken_off(self, *arguments):
        saved(self, *arguments)
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpointer.Checkpointer, "on_step_end", broken_off)
    options = ["--no-header", "--out", tmp_path / "r", *SMALL, "--checkpoint-every", 2]
    CliRunner().invoke(app, [str(a) for a in ("train", data, *options)])
    monkeypatch.undo()
    assert (tmp_path / "r" / "checkpoint" / "config.json").is_file()
    assert figures("resume", tmp_path / "r")["accuracy"] == whole["accuracy"]


def arrays(folder: Path, kind: str, name: str, X: np.ndarray) -> None:
    if kind == "dense":
        np.save(folder / f"X_{name}.npy", X)
        return
    matrix = sp.csr_array(X)
    for part in ("indptr", "indices", "data"):
        np.save(folder / f"X_{name}_{part}.npy", getattr(matrix, part))


@pytest.mark.parametrize("kinds", [("dense", "dense"), ("sparse", "sparse"), ("dense", "sparse"), None])
def test_all_samples_of_a_set_with_a_test_set(tmp_path, rng, kinds):
    X = rng.normal(size=(50, 4)).round(3)
    y = (X[:, 0] > 0).astype(int)
    data = tmp_path / ("d" if kinds else "d.npz")
    if kinds:
        data.mkdir()
        for kind, name, part in zip(kinds, ("train", "test"), (slice(0, 30), slice(30, 50)), strict=True):
            arrays(data, kind, name, X[part])
            np.save(data / f"y_{name}.npy", y[part])
    else:
        np.savez(data, X_train=X[:30], y_train=y[:30], X_test=X[30:], y_test=y[30:])
    np.savez(tmp_path / "whole.npz", X=X, y=y)
    run("train", data, "--out", tmp_path / "r", *SMALL)
    wanted = figures("evaluate", tmp_path / "r", tmp_path / "whole.npz")
    found = figures("evaluate", tmp_path / "r", data, "--part", "all")
    assert found == pytest.approx(wanted)
    assert found["samples"] == 50
    for part, samples in (("all", 50), ("test", 20), ("auto", 20)):
        told = run("predict", tmp_path / "r", data, "--out", tmp_path / f"{part}.csv", "--part", part)
        assert f"{samples} predictions" in told
    run("predict", tmp_path / "r", tmp_path / "whole.npz", "--out", tmp_path / "whole.csv")
    names = [(tmp_path / f"{part}.csv").read_text().splitlines() for part in ("all", "whole", "test")]
    answers = [[line.split(",")[0] for line in lines[1:]] for lines in names]
    assert answers[0] == answers[1]
    assert answers[2] == answers[1][30:]


def test_all_samples_without_labels_and_of_two_widths(tmp_path, rng):
    X, y = rng.normal(size=(50, 4)), np.arange(50) % 2
    np.savez(tmp_path / "d.npz", X=X, y=y)
    run("train", tmp_path / "d.npz", "--out", tmp_path / "r", *SMALL, "--epochs", 1)
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    np.save(folder / "X_train.npy", X[:30])
    np.save(folder / "X_test.npy", X[30:])
    told = run("predict", tmp_path / "r", folder, "--out", tmp_path / "p.csv", "--part", "all")
    assert "50 predictions" in told
    np.save(folder / "X_test.npy", X[30:, :3])
    for data in (folder, tmp_path / "two.npz"):
        np.savez(tmp_path / "two.npz", X_train=X, y_train=y, X_test=X[:, :3], y_test=y)
        error = run("predict", tmp_path / "r", data, "--out", tmp_path / "p.csv", "--part", "all", code=2)
        assert "X_train has 4 features, but X_test has 3" in error


def test_errors_among_all_samples_name_the_set_and_the_row_in_it(tmp_path, rng):
    X, y = rng.normal(size=(50, 4)), np.arange(50) % 2
    np.savez(tmp_path / "d.npz", X=X, y=y)
    run("train", tmp_path / "d.npz", "--out", tmp_path / "r", *SMALL, "--epochs", 1)
    folder = tmp_path / "d"
    folder.mkdir()
    X[33, 2] = np.inf
    for name, part in (("train", slice(0, 30)), ("test", slice(30, 50))):
        arrays(folder, "dense", name, X[part])
        np.save(folder / f"y_{name}.npy", y[part])
    for part in ("all", "test"):
        error = run("evaluate", tmp_path / "r", folder, "--part", part, code=2)
        assert "X_test[3, 2] is inf" in error


@pytest.mark.parametrize("labels", [[b"ham", b"spam"], ["2024-01-01", "2024-01-02"]])
def test_labels_of_bytes_and_dates_go_through_training(tmp_path, rng, labels):
    y = np.array(labels * 20, "M8[D]" if labels[0] == "2024-01-01" else None)
    np.savez(tmp_path / "d.npz", X=rng.normal(size=(40, 3)), y=y)
    run("train", tmp_path / "d.npz", "--out", tmp_path / "r", *SMALL, "--epochs", 1)
    run("evaluate", tmp_path / "r", tmp_path / "d.npz")
    run("predict", tmp_path / "r", tmp_path / "d.npz", "--out", tmp_path / "p.csv")
    words = {label.decode() if isinstance(label, bytes) else label for label in labels}
    assert {line.split(",")[0] for line in (tmp_path / "p.csv").read_text().splitlines()[1:]} <= words


def test_labels_that_cannot_be_saved_are_refused_before_training(tmp_path, rng):
    np.savez(tmp_path / "d.npz", X=rng.normal(size=(40, 3)), y=np.array([1, 2] * 20, "m8[s]"))
    assert "time spans" in run("train", tmp_path / "d.npz", "--out", tmp_path / "r", *SMALL, code=2)
    assert not (tmp_path / "r").exists()
