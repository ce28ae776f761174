"""trulysparse train: what it refuses, in one sentence and before anything is written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from command import SMALL, run
from trulysparse._core import memory


def broken(tmp_path: Path, case: str, table) -> tuple[list[object], str]:
    """Arguments of a failing `train` and what the sentence must say."""
    X, y = table
    data = tmp_path / "bad.npz"
    csv_file = tmp_path / "bad.csv"
    nan, inf = X.copy(), X.copy()
    nan[17, 2], inf[3, 4] = np.nan, np.inf
    lines = ["a,b,kind", *(f"{i},{i * 2},{'xy'[i % 2]}" for i in range(20))]
    if case == "date":
        lines[1:] = [f"{i},2024-01-{i + 1:02},{'xy'[i % 2]}" for i in range(20)]
    if case == "empty cell":
        lines[8] = "7,,y"
    csv_file.write_text("\n".join(lines))
    train = {"X_train": X[:100], "y_train": y[:100]}
    arrays = {
        "nan": {"X": nan, "y": y},
        "inf": {"X": inf, "y": y},
        "lengths": {"X": X, "y": y[:-1]},
        "one class": {"X": X, "y": np.zeros(150, int)},
        "unseen": {**train, "X_test": X[100:], "y_test": np.full(50, "odd")},
        "test lengths": {**train, "X_test": X[100:], "y_test": y[:10]},
        "no X": {"Z": X, "y": y},
        "continuous": {"X": X, "y": X[:, 0]},
        "prices": {"X": X, "y": np.arange(150) * 7},
        "classes as numbers": {"X": X, "y": np.where(X[:, 0] > 0, "a", "b")},
        "two tests": {**train, "X_test": X[100:], "y_test": y[100:]},
        "test width": {**train, "X_test": X[100:, :3], "y_test": y[100:]},
        "pickle": {"X": X, "y": y.astype(object)},
        "text X": {"X": X.astype(str), "y": y},
    }
    if case in arrays:
        np.savez(data, **arrays[case])
    else:
        np.savez(data, X=X, y=y)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("a,b,kind\n")
    (tmp_path / "cut.npz").write_bytes(data.read_bytes()[:300])
    (tmp_path / "bad.libsvm").write_text("1 1:0.5 x:3\n")
    (tmp_path / "a_file").write_text("")
    return {
        "missing": ([tmp_path / "none.csv"], "DATA: file .* does not exist"),
        "empty": ([tmp_path / "empty.csv"], "DATA: file .* is empty"),
        "header only": ([tmp_path / "header.csv"], "has no rows"),
        "truncated": ([tmp_path / "cut.npz"], "not a whole .npz file"),
        "libsvm": ([tmp_path / "bad.libsvm"], "not a libsvm file"),
        "suffix": (["data.xyz"], "DATA must be one of digits"),
        "target": ([csv_file, "--target", "price"], "--target: there is no column 'price'; the columns are a, b, kind"),
        "date": ([csv_file], "column 'b'.*--ignore"),
        "empty cell": ([csv_file, "--missing", "refuse"], r"X\[7, 'b'\]"),
        "nan": ([data], r"X\[17, 2\] is nan"),
        "inf": ([data], r"X\[3, 4\] is inf"),
        "unseen": ([data], r"y_test\[0\] is 'odd', which is not one of the training labels"),
        "lengths": ([data], "X has 150 samples, but y has 149"),
        "test lengths": ([data], "X_test has 50 samples, but y_test has 10"),
        "test width": ([data], "X_train has 6 features, but X_test has 3"),
        "one class": ([data], r"y has one class only \(0\)"),
        "no X": ([data], "has no array 'X'"),
        "continuous": ([data, "--task", "classification"], "numbers as targets are a regression"),
        "prices": ([data], "150 different whole numbers: give --task regression"),
        "task": ([data, "--task", "ranking"], "--task must be one of"),
        "classes as numbers": ([data, "--task", "regression"], "y must hold numbers"),
        "two tests": ([data, "--test", data], "has a test set of its own"),
        "pickle": ([data], "without pickle"),
        "text X": ([data], "X must hold numbers"),
        "epsilon": ([data, "--epsilon", -1], "epsilon must lie in"),
        "zeta": ([data, "--zeta", 1.5], r"zeta must lie in \[0, 1\]"),
        "hidden": ([data, "--hidden", "100,0"], "--hidden must be at least 1"),
        "negative hidden": ([data, "--hidden", "-5"], "--hidden must be at least 1"),
        "hidden text": ([data, "--hidden", "a,b"], "--hidden must be comma-separated integers"),
        "epochs": ([data, "--epochs", 0], "--epochs must be at least 1"),
        "activation": ([data, "--activation", "swish"], "activation must be one of"),
        "alpha": ([data, "--alpha", 2], r"alpha must lie in \[0, 1\]"),
        "scale": ([data, "--scale", "log"], "scale must be one of"),
        "evolution": ([data, "--evolution", "some"], "--evolution must be one of"),
        "learning rate": ([data, "--learning-rate", 0], "learning_rate must lie"),
        "dropout": ([data, "--dropout", 1], "dropout must lie"),
        "batch": ([data, "--batch-size", 0], "batch_size must be"),
        "test size": ([data, "--test-size", 1.5], "--test-size must lie"),
        "memory": ([data, "--hidden", "2000000000", "--epsilon", 1000], "needs about .* of memory is free"),
        "out": ([data, "--out", tmp_path / "a_file" / "r"], "--out: .* is a file"),
        "workers": ([data, "--workers", 0], "--workers must be at least 1"),
        "many workers": ([data, "--workers", 1000], r"workers must be at most the \d+ samples"),
        "parallel": ([data, "--workers", 2, "--parallel", "mpi"], "--parallel must be one of wasap, wassp"),
        "backend": ([data, "--workers", 2, "--backend", "mpi"], "backend must be one of threads, ray"),
        "address": ([data, "--address", "here:6379"], "--address is for parallel training"),
        "phase": ([data, "--workers", 2, "--phase1-epochs", 99], "phase1_epochs .* must lie between 0 and epochs"),
        "parallel rigl": ([data, "--workers", 2, "--evolution", "rigl"], "evolution=RigL looks at the training data"),
    }[case]


CASES = [
    "missing",
    "empty",
    "header only",
    "truncated",
    "libsvm",
    "suffix",
    "target",
    "date",
    "empty cell",
    "prices",
    "task",
    "classes as numbers",
    "two tests",
    "nan",
    "inf",
    "unseen",
    "lengths",
    "test lengths",
    "test width",
    "one class",
    "no X",
    "continuous",
    "pickle",
    "text X",
    "epsilon",
    "zeta",
    "hidden",
    "negative hidden",
    "hidden text",
    "epochs",
    "activation",
    "alpha",
    "scale",
    "evolution",
    "learning rate",
    "dropout",
    "batch",
    "test size",
    "memory",
    "out",
    "workers",
    "many workers",
    "parallel",
    "backend",
    "address",
    "phase",
    "parallel rigl",
]


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused_in_one_sentence_and_writes_nothing(tmp_path, table, case):
    """One sentence that names the argument, exit code 2, nothing written."""
    if case in ("empty", "header only", "target", "text", "empty cell"):
        pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    arguments, message = broken(tmp_path, case, table)
    before = sorted(tmp_path.rglob("*"))
    out = [] if "--out" in arguments else ["--out", tmp_path / "run"]
    error = run("train", *arguments, *out, code=2)
    assert error.startswith("error: ")
    assert len(error.strip().splitlines()) == 1
    assert re.search(message, error), error
    assert sorted(tmp_path.rglob("*")) == before


def test_network_that_does_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 0)
    assert "of memory is free" in run("train", "digits", "--out", tmp_path / "r2", code=2)


def test_without_pandas_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "d.csv").write_text("a,y\n1,0\n2,1\n")
    monkeypatch.setitem(sys.modules, "pandas", None)
    error = run("train", tmp_path / "d.csv", "--out", tmp_path / "r", code=2)
    assert "pip install 'trulysparse[tables]'" in error


@pytest.mark.parametrize(
    "options, message",
    [
        (["--checkpoint-every", "-1"], "--checkpoint-every must be at least 0"),
        (["--checkpoint-every", "5", "--workers", "2"], "--checkpoint-every is for one process"),
        (
            ["--checkpoint-every", "5", "--no-checkpoints"],
            "--checkpoint-every cannot be combined with --no",
        ),
        (["--keep-checkpoints", "0"], "--keep-checkpoints must be at least 1"),
        (["--on-disk"], "--on-disk needs --storage compact"),
        (["--skip", "--on-disk", "--storage", "compact"], "--skip cannot be combined with --on-disk"),
        (["--no-skip", "--skip-density", "0.5"], "--skip-density needs --skip"),
        (["--skip", "--skip-density", "2"], "--skip-density must lie in"),
        (["--input-noise", "-1"], "--input-noise must lie in"),
        (["--input-dropout", "1"], "--input-dropout must lie in"),
        (["--precision", "bfloat16"], "needs storage='compact'"),
        (["--storage", "compact", "--evolution", "rigl"], "cannot evolve a network with storage='compact'"),
        (["--storage", "compact", "--workers", "2"], "needs a network with storage='indexed'"),
        (["--recompute", "0"], "recompute must be at least 1"),
        (["--fresh-state", "typical"], "--fresh-state needs --optimizer adam"),
        (["--fresh-state", "median", "--optimizer", "adam"], "--fresh-state must be one of zero, typical"),
        (["--stream"], "--stream: 'digits' is in memory as a whole"),
    ],
)
def test_options_of_large_networks_that_do_not_go_together_are_refused(tmp_path, options, message):
    assert message in run("train", "digits", "--out", tmp_path / "r", *SMALL, *options, code=2)
    assert not (tmp_path / "r").exists()
