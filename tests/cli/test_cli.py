"""The command line: the way from data to a run and back, and every bad input."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file
from typer.testing import CliRunner

import trulysparse as ts
from trulysparse._core import memory
from trulysparse.cli import app
from trulysparse.evolution import NAMES

SMALL = ["--hidden", "30,20", "--epochs", "3", "--epsilon", "5", "--batch-size", "16", "--learning-rate", "0.05"]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def last_json(output: str) -> dict:
    return json.loads(output.strip().splitlines()[-1])


@pytest.fixture
def table(rng):
    """150 samples of 6 features in three classes named by text."""
    y = rng.integers(0, 3, 150)
    X = rng.standard_normal((150, 6)) + 3 * y[:, None]
    X[:, 5] = 4.0  # constant
    return X, np.array(["low", "mid", "high"])[y]


def write(tmp_path: Path, kind: str, X, y) -> Path:
    path = tmp_path / f"data.{kind}"
    if kind == "npz":
        np.savez(path, X=X, y=y)
    elif kind == "libsvm":
        dump_svmlight_file(X, np.unique(y, return_inverse=True)[1], str(path))
    else:
        pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
        frame = pd.DataFrame(X, columns=list("abcdef")).assign(kind=y)
        frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    return path


@pytest.mark.parametrize("options", [["--workers", 2], ["--workers", 3, "--parallel", "wassp", "--phase1-epochs", 1]])
def test_workers(tmp_path, options):
    figures = last_json(run("train", "digits", "--out", tmp_path / "r", *SMALL, *options, "--json"))
    assert figures["epochs"] == 3
    lines = [json.loads(line) for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert [line["phase"] for line in lines] == ([1, 1, 2] if len(options) == 2 else [1, 2])
    assert "staleness" in lines[0]
    assert lines[-1]["epoch"] == 3
    assert last_json(run("evaluate", tmp_path / "r", "digits", "--json"))["accuracy"] == figures["accuracy"]


@pytest.mark.parametrize("data", ["digits", "breast_cancer", "madelon-like"])
def test_built_in_data(tmp_path, data):
    figures = last_json(run("train", data, "--out", tmp_path / "r", *SMALL, "--json"))
    assert list(figures) == ["accuracy", "loss", "seconds", "epochs", "connections", "neurons", "peak_rss_mb"]
    assert figures["accuracy"] > (0.5 if data == "madelon-like" else 0.7)
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == ["config.json", "metrics.jsonl", "model.safetensors"]
    again = last_json(run("evaluate", tmp_path / "r", data, "--json"))
    assert again["accuracy"] == figures["accuracy"]
    assert again["loss"] == figures["loss"]


def test_topology_options_and_report(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib comes with the extra trulysparse[analysis]")
    options = ["--evolution", "rigl", "--connectivity", "small_world", "--density", "0.2", "--report", "--json"]
    pruning = ["--importance-pruning", 20, "--importance-start", 1, "--importance-every", 1]
    small = [*SMALL[:4], *SMALL[6:]]  # without --epsilon, in whose place --density is
    figures = last_json(run("train", "digits", "--out", tmp_path / "r", *small, *options, *pruning))
    assert figures["neurons"] < 30 + 20 + 10
    page = (tmp_path / "r" / "report.html").read_text()
    for title in ("Loss", "Score", "Exploration", "Dead neurons", "Use of the inputs", "Degrees"):
        assert f"<h2>{title}" in page
    assert page.count("data:image/png;base64,") >= 8
    records = [json.loads(line) for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert records[-1]["neurons"] == figures["neurons"] - 10
    again = last_json(run("evaluate", tmp_path / "r", "digits", "--json"))
    assert again["accuracy"] == figures["accuracy"]
    found = last_json(run("info", tmp_path / "r", "--topology", "--json"))
    assert len(found["topology"]["layers"]) == 3
    run("train", "digits", "--out", tmp_path / "r", *SMALL)
    assert not (tmp_path / "r" / "report.html").exists()


@pytest.mark.parametrize("evolution", NAMES)
def test_every_evolution_method(tmp_path, evolution):
    figures = last_json(run("train", "digits", "--out", tmp_path / "r", *SMALL, "--evolution", evolution, "--json"))
    assert figures["accuracy"] > 0.5


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet", "libsvm"])
def test_files_round_trip(tmp_path, table, kind):
    path = write(tmp_path, kind, *table)
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


def test_same_seed_same_model_whatever_the_threads(tmp_path):
    for threads in (1, 2):
        run("train", "digits", "--out", tmp_path / str(threads), *SMALL, "--threads", threads, "--dropout", 0.2)
    models = [(tmp_path / str(t) / "model.safetensors").read_bytes() for t in (1, 2)]
    assert models[0] == models[1]


def test_predict_needs_no_labels_and_picks_its_columns(tmp_path, table):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    path = write(tmp_path, "csv", *table)
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
    train = write(tmp_path, "libsvm", X, y)
    run("train", train, "--out", tmp_path / "r", *SMALL)
    dump_svmlight_file(np.ones((3, 2)), [0, 1, 2], str(tmp_path / "few.libsvm"))
    assert "3 predictions" in run("predict", tmp_path / "r", tmp_path / "few.libsvm", "--out", tmp_path / "p.csv")


def test_info(tmp_path):
    run("train", "digits", "--out", tmp_path / "r", *SMALL)
    output = run("info", tmp_path / "r", "--json")
    figures = last_json(output)
    net = ts.load(tmp_path / "r" / "model.safetensors")
    assert figures["connections"] == net.n_connections
    assert [layer["connections"] for layer in figures["layers"]] == [layer.n_connections for layer in net.layers]
    assert "64-30-20-10" in output


def test_options_reach_the_network(tmp_path):
    run(
        "train",
        "digits",
        "--out",
        tmp_path / "r",
        "--hidden",
        "12",
        "--epochs",
        1,
        "--activation",
        "leaky_relu",
        "--alpha",
        0.2,
        "--init",
        "xavier_uniform",
        "--fan",
        "sparse",
        "--scale",
        "minmax",
        "--epsilon",
        3,
        "--seed",
        7,
        "--evolution",
        "none",
        "--optimizer",
        "adam",
        "--schedule",
        "cosine",
        "--warmup",
        0.5,
        "--weight-decay",
        0.01,
    )
    net = ts.load(tmp_path / "r" / "model.safetensors")
    assert net.activation == ts.LeakyReLU(0.2)
    assert net.init == ts.WeightInit("xavier_uniform", "sparse")
    assert net.scaling.kind == "minmax"
    assert (net.layer_sizes, net.epsilon, net.seed) == ((64, 12, 10), 3.0, 7)
    drawn = ts.SparseMLP((64, 12, 10), epsilon=3, seed=7)
    np.testing.assert_array_equal(net.layers[0].connectivity.indices, drawn.layers[0].connectivity.indices)


def broken(tmp_path: Path, case: str, table) -> tuple[list[object], str]:
    """Arguments of a failing `train` and what the sentence must say."""
    X, y = table
    data = tmp_path / "bad.npz"
    csv_file = tmp_path / "bad.csv"
    nan, inf = X.copy(), X.copy()
    nan[17, 2], inf[3, 4] = np.nan, np.inf
    lines = ["a,b,kind", *(f"{i},{i * 2},{'xy'[i % 2]}" for i in range(20))]
    if case == "text":
        lines[8] = "7,fourteen,y"
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
        "suffix": (["data.txt"], "DATA must be one of digits"),
        "target": ([csv_file, "--target", "price"], "--target: there is no column 'price'; the columns are a, b, kind"),
        "text": ([csv_file], "column 'b' must hold numbers only, but row 7 holds 'fourteen'"),
        "empty cell": ([csv_file], r"X\[7, 'b'\] is nan"),
        "nan": ([data], r"X\[17, 2\] is nan"),
        "inf": ([data], r"X\[3, 4\] is inf"),
        "unseen": ([data], r"y_test\[0\] is 'odd', which is not one of the training labels"),
        "lengths": ([data], "X has 150 samples, but y has 149"),
        "test lengths": ([data], "X_test has 50 samples, but y_test has 10"),
        "test width": ([data], "X_train has 6 features, but X_test has 3"),
        "one class": ([data], r"y has one class only \(0\)"),
        "no X": ([data], "has no array 'X'"),
        "continuous": ([data], "SparseMLPRegressor"),
        "pickle": ([data], "without pickle"),
        "text X": ([data], "X must hold numbers"),
        "epsilon": ([data, "--epsilon", -1], "epsilon must lie in"),
        "zeta": ([data, "--zeta", 1.5], r"zeta must lie in \[0, 1\]"),
        "hidden": ([data, "--hidden", "100,0"], "--hidden must be at least 1"),
        "negative hidden": ([data, "--hidden", "-5"], "--hidden must be at least 1"),
        "hidden text": ([data, "--hidden", "a,b"], "--hidden must be comma-separated integers"),
        "epochs": ([data, "--epochs", 0], "--epochs must be at least 1"),
        "activation": ([data, "--activation", "gelu"], "activation must be one of"),
        "alpha": ([data, "--alpha", 2], r"alpha must lie in \[0, 1\]"),
        "scale": ([data, "--scale", "log"], "scale must be one of"),
        "evolution": ([data, "--evolution", "some"], "--evolution must be one of"),
        "learning rate": ([data, "--learning-rate", 0], "learning_rate must lie"),
        "dropout": ([data, "--dropout", 1], "dropout must lie"),
        "batch": ([data, "--batch-size", 0], "batch_size must be"),
        "test size": ([data, "--test-size", 1.5], "test_size must lie"),
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
    "text",
    "empty cell",
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
def test_bad_input(tmp_path, table, case):
    """One sentence that names the argument, exit code 2, nothing written."""
    if case in ("empty", "header only", "target", "text", "empty cell"):
        pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    arguments, message = broken(tmp_path, case, table)
    before = sorted(tmp_path.rglob("*"))
    out = [] if "--out" in arguments else ["--out", tmp_path / "run"]
    error = run("train", *arguments, *out, code=2)
    assert error.startswith("error: ")
    assert len(error.strip().splitlines()) == 1
    import re

    assert re.search(message, error), error
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_input_after_training(tmp_path, table, monkeypatch):
    X, y = table
    np.savez(tmp_path / "d.npz", X=X, y=y)
    run("train", tmp_path / "d.npz", "--out", tmp_path / "r", *SMALL)
    np.savez(tmp_path / "wide.npz", X=np.hstack([X, X]), y=y)
    np.savez(tmp_path / "odd.npz", X=X, y=np.full(150, "odd"))
    np.savez(tmp_path / "nolabels.npz", X=X)
    for arguments, message in (
        (("evaluate", tmp_path / "none", tmp_path / "d.npz"), "is not a run folder"),
        (("evaluate", tmp_path / "r", tmp_path / "wide.npz"), "X has 12 features, but the network has 6"),
        (("evaluate", tmp_path / "r", tmp_path / "odd.npz"), "which is not one of the training labels"),
        (("evaluate", tmp_path / "r", tmp_path / "nolabels.npz"), "no array 'y'"),
        (("evaluate", tmp_path / "r", tmp_path / "d.npz", "--part", "some"), "--part must be one of"),
        (("evaluate", tmp_path / "r", "digits", "--part", "test"), "--part test: 'digits' has no test set"),
        (("predict", tmp_path / "r", tmp_path / "wide.npz", "--out", tmp_path / "p.csv"), "12 features"),
        (("predict", tmp_path / "r", tmp_path / "d.npz", "--out", tmp_path / "p.txt"), "--out must end in"),
        (("predict", tmp_path / "r", tmp_path / "d.npz", "--out", tmp_path / "no" / "p.csv"), "does not exist"),
        (("info", tmp_path / "none"), "is not a run folder"),
    ):
        assert message in run(*arguments, code=2)
    assert "150 predictions" in run("predict", tmp_path / "r", tmp_path / "nolabels.npz", "--out", tmp_path / "p.csv")
    model = tmp_path / "r" / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-10])
    assert "truncated" in run("info", tmp_path / "r", code=2)
    monkeypatch.setattr(memory, "free_bytes", lambda: 0)
    assert "of memory is free" in run("train", "digits", "--out", tmp_path / "r2", code=2)


def test_divergence_ends_with_a_sentence(tmp_path):
    error = run("train", "digits", "--out", tmp_path / "r", *SMALL, "--learning-rate", 1e6, code=1)
    assert "training has diverged" in error
    assert not (tmp_path / "r" / "model.safetensors").exists()


def test_a_failed_run_leaves_the_old_model(tmp_path):
    run("train", "digits", "--out", tmp_path / "r", *SMALL)
    model = (tmp_path / "r" / "model.safetensors").read_bytes()
    run("train", "digits", "--out", tmp_path / "r", *SMALL, "--learning-rate", 1e6, code=1)
    assert (tmp_path / "r" / "model.safetensors").read_bytes() == model


def test_without_pandas_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "d.csv").write_text("a,y\n1,0\n2,1\n")
    monkeypatch.setitem(sys.modules, "pandas", None)
    error = run("train", tmp_path / "d.csv", "--out", tmp_path / "r", code=2)
    assert "pip install 'trulysparse[tables]'" in error


def test_as_a_program(tmp_path):
    """The installed command: quiet errors, JSON on the last line, no progress bar in a pipe."""
    environment = {**os.environ, "COLUMNS": "100"}
    command = [sys.executable, "-m", "trulysparse"]
    done = subprocess.run(
        [*command, "train", "digits", "--out", str(tmp_path / "r"), *SMALL, "--json"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stderr == ""
    assert last_json(done.stdout)["epochs"] == 3
    done = subprocess.run(
        [*command, "train", "none.npz", "--out", str(tmp_path / "x")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: DATA: file 'none.npz' does not exist\n"


COMPACT = ["--storage", "compact", "--precision", "bfloat16", "--fan", "sparse"]


@pytest.mark.parametrize(
    "options", [[], COMPACT, [*COMPACT, "--on-disk"], ["--evolution", "rigl", "--optimizer", "adam"]]
)
def test_killed_and_resumed(tmp_path, options):
    """A real kill, at some step; the model of the resumed run has the bytes of one that nobody disturbed."""
    arguments = [
        "train",
        "digits",
        "--hidden",
        "300,200",
        "--epochs",
        "6",
        "--batch-size",
        "16",
        "--dropout",
        "0.1",
        *options,
    ]
    run(*arguments, "--out", tmp_path / "whole")
    command = [sys.executable, "-m", "trulysparse", *arguments, "--out", str(tmp_path / "r"), "--checkpoint-every", "5"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = tmp_path / "r" / "metrics.partial.jsonl"
    while process.poll() is None and not (metrics.is_file() and metrics.read_text().count("\n") >= 2):
        time.sleep(0.005)
    process.kill()
    assert process.wait() != 0
    assert not (tmp_path / "r" / "model.safetensors").exists()
    figures = last_json(run("resume", tmp_path / "r", "--json"))
    assert figures["epochs"] == 6
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("r", "whole")]
    assert same[0] == same[1]
    records = [[json.loads(line) for line in (tmp_path / name / "metrics.jsonl").open()] for name in ("r", "whole")]
    for mine, theirs in zip(*records, strict=True):
        assert {**mine, "seconds": 0} == {**theirs, "seconds": 0}
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == ["config.json", "metrics.jsonl", "model.safetensors"]
    assert "no checkpoint to go on from" in run("resume", tmp_path / "r", code=2)
    again = last_json(run("evaluate", tmp_path / "r", "digits", "--json"))
    assert again["accuracy"] == figures["accuracy"]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--checkpoint-every", "-1"], "--checkpoint-every must be at least 0"),
        (["--checkpoint-every", "5", "--workers", "2"], "--workers cannot be combined with --checkpoint-every"),
        (["--checkpoint-every", "5", "--patience", "2"], "--patience cannot be combined with --checkpoint-every"),
        (["--on-disk"], "--on-disk needs --storage compact"),
        (["--precision", "bfloat16"], "needs storage='compact'"),
        (["--storage", "compact", "--evolution", "rigl"], "cannot evolve a network with storage='compact'"),
        (["--storage", "compact", "--workers", "2"], "needs a network with storage='indexed'"),
        (["--recompute", "0"], "recompute must be at least 1"),
        (["--stream"], "--stream: 'digits' is in memory as a whole"),
    ],
)
def test_options_of_large_networks_that_do_not_fit(tmp_path, options, message):
    assert message in run("train", "digits", "--out", tmp_path / "r", *SMALL, *options, code=2)
    assert not (tmp_path / "r").exists()


def test_streamed_training(tmp_path, table):
    X, y = table
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)
    figures = last_json(run("train", folder, "--out", tmp_path / "r", *SMALL, "--json"))
    assert figures["accuracy"] > 0.8
    assert last_json(run("evaluate", tmp_path / "r", folder, "--json"))["accuracy"] == figures["accuracy"]
    run("predict", tmp_path / "r", folder, "--out", tmp_path / "p.csv")
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 151
    path = write(tmp_path, "libsvm", X, y)
    streamed = last_json(run("train", path, "--out", tmp_path / "s", "--stream", *SMALL, "--json"))
    assert streamed["accuracy"] > 0.8


def test_data_that_has_changed_is_not_gone_on_with(tmp_path, table):
    X, y = table
    path = write(tmp_path, "npz", X, y)
    out = tmp_path / "r"
    command = [sys.executable, "-m", "trulysparse", "train", str(path), "--out", str(out), "--epochs", "1000"]
    process = subprocess.Popen(
        [*command, "--checkpoint-every", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not (out / "checkpoint" / "state.safetensors").exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    write(tmp_path, "npz", X + 1, y)
    assert "has changed since the training" in run("resume", out, code=2)


def test_info_on_a_compact_network(tmp_path):
    run("train", "digits", "--out", tmp_path / "r", *SMALL, *COMPACT)
    figures = last_json(run("info", tmp_path / "r", "--topology", "--json"))
    net = ts.load(tmp_path / "r" / "model.safetensors").indexed()
    for layer, indexed in zip(figures["layers"], net.layers, strict=True):
        assert layer["neurons_without_inputs"] == (np.diff(indexed.connectivity.by_output.ptr) == 0).sum()
        assert layer["inputs_without_outputs"] == (np.diff(indexed.connectivity.by_input.ptr) == 0).sum()
    assert figures["connections"] == net.n_connections


def test_damaged_checkpoints(tmp_path):
    folder = tmp_path / "r" / "checkpoint"
    folder.mkdir(parents=True)
    assert "has no checkpoint" in run("resume", tmp_path / "r", code=2)
    (folder / "config.json").write_text('{"data": "digits"}')
    assert "before its first checkpoint" in run("resume", tmp_path / "r", code=2)
    (folder / "state.safetensors").write_bytes(b"none")
    assert "truncated or not a checkpoint" in run("resume", tmp_path / "r", code=2)
    (folder / "config.json").write_text("{")
    assert "cannot be read" in run("resume", tmp_path / "r", code=2)
