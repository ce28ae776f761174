"""trulysparse select."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file
from typer.testing import CliRunner

import trulysparse as ts
from command import contents, last_json, refused, run, write_table
from trulysparse.cli import _feature_judges, app, main
from trulysparse.data.files import read
from trulysparse.task.dataset import make_dataset
from trulysparse.task.options import TaskOptions
from trulysparse.unsupervised.selection import METHODS, NAMES

FAST = ["--method", "wast", "--epochs", 2, "--hidden", 20, "--threads", 1]
SELECTOR = dict(method="wast", epochs=2, hidden_layer_sizes=20, n_jobs=1)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(_feature_judges, "_TREES", 5)


@pytest.fixture
def folder(tmp_path, table):
    """A folder with the samples of `table` in d.npz and, as a table of columns a to f and kind, in data.csv."""
    X, y = table
    np.savez(tmp_path / "d.npz", X=X, y=y)
    write_table(tmp_path, "csv", X, y)
    return tmp_path


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_files_and_figures_say_what_python_says(folder, table):
    expected = ts.SparseFeatureSelector(3, random_state=4, **SELECTOR).fit(table[0])
    best = np.argsort(expected.ranking_)[:3].tolist()
    options = [*FAST, "--features", 3, "--seed", 4, "--json"]
    output = run("select", folder / "d.npz", "--out", folder / "f.csv", *options)
    found = rows_of(folder / "f.csv")
    assert [int(row["index"]) for row in found] == best
    assert [int(row["rank"]) for row in found] == [1, 2, 3]
    assert [float(row["score"]) for row in found] == [expected.scores_[i] for i in best]
    figures = last_json(output)
    assert [each["index"] for each in figures["features"]] == best
    assert (figures["n_samples"], figures["n_features"], figures["method"]) == (150, 6, "wast")
    assert figures["seconds"] >= figures["selection_seconds"] > 0
    run("select", folder / "data.csv", "--target", "kind", "--out", folder / "f.json", *options)
    kept = json.loads((folder / "f.json").read_text())
    assert [each["feature"] for each in kept["features"]] == ["abcdef"[i] for i in best]
    assert kept["scores"] == expected.scores_.tolist()
    run("select", folder / "d.npz", "--out", folder / "f.safetensors", *options)
    model = ts.load(folder / "f.safetensors")
    np.testing.assert_array_equal(model.transform(table[0]), table[0][:, sorted(best)])


def test_the_report_judges_and_draws(folder):
    page = folder / "page.html"
    options = [*FAST, "--features", 3, "--image-shape", "2,3", "--json", "--report"]
    output = run("select", folder / "d.npz", "--out", folder / "f.csv", *options, page)
    judged = last_json(output)["judged"]
    assert set(judged) == {"SVC", "extra trees", "5 neighbours"}
    assert set(judged["SVC"]) == {"chosen features", "all features", "random features"}
    assert len(judged["SVC"]["all features"]["folds"]) == 5
    assert judged["SVC"]["all features"]["mean"] > 0.9
    text = page.read_text()
    for part in ("an image of 2 x 3", "5 folds", "has the same value", "--hidden 20", "--report"):
        assert part in text
    assert "SVC" in output
    (folder / "pages").mkdir()
    run("select", folder / "d.npz", "--out", folder / "f.csv", *options, folder / "pages", "--cv", 0)
    assert "folds" not in (folder / "pages" / "report.html").read_text()


def test_the_command_of_the_report_repeats_it(folder, monkeypatch):
    monkeypatch.chdir(folder)
    run("select", "data.csv", "--out", "f.csv", "--report", "r.html", "--target", "kind", "--features", 2, *FAST,
        "--cv", 2, "--ignore", "a,b")  # fmt: skip
    before = (folder / "f.csv").read_text()
    line = (folder / "r.html").read_text().split("<pre>")[1].split("</pre>")[0].replace("&#x27;", "'")
    (folder / "f.csv").unlink()
    run(*shlex.split(line)[1:])
    assert (folder / "f.csv").read_text() == before


@pytest.mark.parametrize("method", NAMES)
def test_every_method(folder, method):
    settings = ["--epochs", 2, "--threads", 1, "--features", 2, "--json"]
    figures = last_json(run("select", folder / "d.npz", "--out", folder / "f.csv", "--method", method, *settings))
    assert len(figures["features"]) == 2
    assert 5 not in [each["index"] for each in figures["features"]]  # constant
    if METHODS[method].needs_y:
        np.savez(folder / "n.npz", X=np.ones((9, 2)))
        refused("select", folder / "n.npz", "--out", folder / "n.csv", "--method", method)


def test_data_out_is_trained_on(folder):
    run("select", folder / "data.csv", "--target", "kind", "--out", folder / "f.csv", "--features", 2, *FAST,
        "--data-out", folder / "less.csv")  # fmt: skip
    chosen = sorted(row["feature"] for row in rows_of(folder / "f.csv"))
    assert (folder / "less.csv").read_text().splitlines()[0] == ",".join([*chosen, "kind"])
    run("train", folder / "less.csv", "--out", folder / "r", "--hidden", 10, "--epochs", 2)
    assert ts.load(folder / "r" / "model.safetensors").layer_sizes == (2, 10, 3)


def test_samples_that_train_holds_out_are_left_out(folder, table):
    options = ["--test-size", 0.3, "--seed", 5, "--features", 2]
    run("select", folder / "d.npz", "--out", folder / "f.json", *FAST, *options)
    data = make_dataset(read(str(folder / "d.npz")), TaskOptions(test_size=0.3, seed=5))
    expected = ts.SparseFeatureSelector(2, random_state=5, **SELECTOR).fit(table[0][data.train.rows])
    kept = json.loads((folder / "f.json").read_text())
    assert kept["scores"] == expected.scores_.tolist()
    assert kept["n_samples"] == 105


def test_a_test_set_is_not_looked_at(tmp_path, table):
    X, y = table
    np.savez(tmp_path / "d.npz", X_train=X[:100], y_train=y[:100], X_test=X[100:], y_test=y[100:])
    out = tmp_path / "less.npz"
    run("select", tmp_path / "d.npz", "--out", tmp_path / "f.json", *FAST, "--features", 2, "--data-out", out)
    expected = ts.SparseFeatureSelector(2, random_state=0, **SELECTOR).fit(X[:100])
    assert json.loads((tmp_path / "f.json").read_text())["scores"] == expected.scores_.tolist()
    with np.load(out) as arrays:
        np.testing.assert_array_equal(arrays["X_test"], X[100:][:, expected.get_support()])
    again = ["select", tmp_path / "d.npz", "--out", tmp_path / "f.json", "--test-size", 0.2]
    assert "has a test set of its own" in refused(*again)


def test_data_without_labels(folder, table):
    np.savez(folder / "n.npz", X=table[0])
    assert last_json(run("select", folder / "n.npz", "--out", folder / "f.csv", *FAST, "--json"))["judged"] == {}
    run("select", folder / "n.npz", "--out", folder / "f.csv", *FAST, "--report", folder / "r.html")
    assert "has no labels" in refused("select", folder / "n.npz", "--out", folder / "f.csv", *FAST, "--cv", 3)
    figures = last_json(run("select", folder / "data.csv", "--no-target", "--out", folder / "f.csv", *FAST, "--json"))
    assert figures["n_features"] == 7
    run("select", folder / "data.csv", "--out", folder / "f.csv", *FAST, "--report", folder / "r.html")
    assert "&#x27;kind&#x27; is no feature" in (folder / "r.html").read_text()


def test_sparse_streamed_and_mixed_samples(tmp_path, rng):
    pd = pytest.importorskip("pandas")
    X = sp.random_array((80, 30), density=0.2, format="csr", rng=rng)
    sp.save_npz(tmp_path / "s.npz", X)
    np.save(tmp_path / "X.npy", X.toarray())
    found = {}
    for name, more in (("s.npz", []), ("X.npy", []), ("X.npy", ["--stream"])):
        run("select", tmp_path / name, "--out", tmp_path / "f.json", *FAST, "--features", 4, *more)
        found[name, *more] = np.array(json.loads((tmp_path / "f.json").read_text())["scores"])
    np.testing.assert_array_equal(found["X.npy", "--stream"], found["X.npy",])
    np.testing.assert_allclose(found["s.npz",], found["X.npy",], rtol=1e-4)
    frame = pd.DataFrame({"x": rng.normal(size=80), "city": rng.choice(["P", "Q", None], 80), "y": np.arange(80) % 2})
    frame.to_csv(tmp_path / "t.csv", index=False)
    out = [tmp_path / name for name in ("f.csv", "r.html", "less.csv")]
    run("select", tmp_path / "t.csv", "--out", out[0], *FAST, "--features", 1, "--report", out[1], "--data-out", out[2])
    assert rows_of(out[0])[0]["feature"] in ("x", "city")


@pytest.mark.parametrize("first", [0, 1])
def test_features_are_numbered_as_in_the_file(tmp_path, rng, first):
    X, y = rng.normal(size=(40, 5)), np.arange(40) % 2
    dump_svmlight_file(X, y, str(tmp_path / "d.libsvm"), zero_based=first == 0)
    out = [tmp_path / name for name in ("f.csv", "r.html")]
    run("select", tmp_path / "d.libsvm", "--out", out[0], *FAST, "--features", 2, "--report", out[1], "--cv", 2)
    found = rows_of(out[0])
    assert [int(row["feature"]) for row in found] == [int(row["index"]) + first for row in found]
    called = f"<td>{'feature ' if first == 0 else ''}{found[0]['feature']}</td>"
    assert called in out[1].read_text()
    assert "SVC" in out[1].read_text()


def test_constant_features_are_said_and_come_last(folder, rng):
    X = rng.normal(size=(40, 6))
    X[:, 1:5] = 3.0
    np.savez(folder / "c.npz", X=X)
    run("select", folder / "c.npz", "--out", folder / "f.csv", *FAST, "--features", 3)
    assert [int(row["index"]) for row in rows_of(folder / "f.csv")][:2] in ([0, 5], [5, 0])
    before = contents(folder)
    np.savez(folder / "c.npz", X=np.ones((40, 6)))
    before["c.npz"] = (folder / "c.npz").read_bytes()
    assert "has the same value in all samples" in refused("select", folder / "c.npz", "--out", folder / "f.csv", *FAST)
    assert contents(folder) == before


@pytest.mark.parametrize(
    "options, message",
    [
        (["--features", 7], "--features must be at most the 6 features of 'd.npz', not 7"),
        (["--features", 0], "--features must be at least 1, not 0"),
        (["--out", "f.txt"], "--out must end in .csv or .json or .safetensors"),
        (["--out", "none/f.csv"], "--out: folder 'none' does not exist"),
        (["--data-out", "d.npz"], "--data-out: 'd.npz' is DATA itself"),
        (["--data-out", "f.csv"], "--data-out and --out are the same file"),
        (["--data-out", "f.parquet"], "--data-out must end in .csv or .npz"),
        (["--report", "page.txt"], "--report must end in .html"),
        (["--method", "best"], "--method must be one of"),
        (["--method", "wast", "--accumulate"], "--accumulate is no setting of method 'wast'"),
        (["--epochs", 0], "--epochs must be at least 1, not 0"),
        (["--hidden", "a"], "--hidden must be comma-separated integers"),
        (["--hidden", "0"], "--hidden must be at least 1"),
        (["--learning-rate", -1], "--learning-rate must lie in"),
        (["--seed", -1], "--seed must be between 0 and"),
        (["--repeats", 0], "--repeats must be at least 1"),
        (["--threads", 0], "threads must be at least 1"),
        (["--cv", 1], "--cv must be at least 2 folds, or 0 for none, not 1"),
        (["--cv", 100], "--cv must be at most"),
        (["--test-size", 1.5], "--test-size must lie in"),
        (["--image-shape", "2,3"], "--image-shape is for the picture of --report"),
        (["--image-shape", "2,4", "--report", "r.html"], "--image-shape: 6 features are no image of 2 x 4"),
        (["--target", "a"], "--target: 'd.npz' has no columns to choose from"),
        (["--no-target", "--target", "a"], "--no-target cannot be combined with --target"),
        (["--no-target", "--task", "regression"], "--no-target cannot be combined with --task"),
        (["--no-target", "--cv", 3], "--cv: without labels there is nothing"),
        (["--task", "x"], "--task must be one of"),
        (["--ignore", "a"], "--ignore: the data has no named columns"),
        (["--stream"], "--stream: 'd.npz' is read as a whole"),
    ],
)
def test_refusals(folder, monkeypatch, options, message):
    monkeypatch.chdir(folder)
    before = contents(folder)
    out = [] if "--out" in options else ["--out", "f.csv"]
    assert message in refused("select", "d.npz", *out, *options)
    assert contents(folder) == before


def test_values_that_are_not_finite(folder, table):
    X, y = table
    X[7, 2] = np.nan
    np.savez(folder / "d.npz", X=X, y=y)
    assert "X[7, 2] is nan" in refused("select", folder / "d.npz", "--out", folder / "f.csv", *FAST)


def test_labels_that_cannot_be_used_are_in_the_way_only_where_they_are_asked_for(folder, table):
    np.savez(folder / "d.npz", X=table[0], y=np.zeros(150, int))
    output = run("select", folder / "d.npz", "--out", folder / "f.csv", *FAST, "--report", folder / "r.html", "--json")
    assert last_json(output)["judged"] == {}
    assert "y has one class only" in (folder / "r.html").read_text()
    assert "y has one class only" in refused("select", folder / "d.npz", "--out", folder / "f.csv", *FAST, "--cv", 2)


def test_an_existing_file_is_replaced_as_a_whole_or_stays(folder, monkeypatch):
    out = folder / "f.csv"
    out.write_text("old")
    before = contents(folder)
    with monkeypatch.context() as patch:
        patch.setattr(csv, "DictWriter", lambda *_: 1 / 0)  # in the course of writing
        result = CliRunner().invoke(app, ["select", str(folder / "d.npz"), "--out", str(out), *map(str, FAST)])
    assert isinstance(result.exception, ZeroDivisionError)
    assert contents(folder) == before
    run("select", folder / "d.npz", "--out", out, *FAST)
    assert out.read_text().startswith("rank,feature,index,score")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_word_and_without_a_file(folder, monkeypatch, capfd, number):
    def interrupt(self, X, y=None):
        os.kill(os.getpid(), number)

    monkeypatch.setattr(ts.SparseFeatureSelector, "fit", interrupt)
    monkeypatch.setattr(sys, "argv", ["trulysparse", "select", str(folder / "d.npz"), "--out", str(folder / "f.csv")])
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert end.value.code == 128 + number
    assert capfd.readouterr().err.strip() == "stopped"
    assert sorted(contents(folder)) == ["d.npz", "data.csv"]
