"""trulysparse export."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from command import last_json, refused, run
from export.c_host import Exported, load_networks


@pytest.mark.parametrize("form, name", [("scipy", "net.npz"), pytest.param("torch", "net.pt", marks=pytest.mark.slow)])
def test_files_of_sparse_matrices_give_the_network_back(trained, form, name):
    if form == "torch":
        pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")
    net = ts.load(trained / "r" / "model.safetensors")
    X = np.load(trained / "d.npz")["X"]
    figures = last_json(run("export", trained / "r", "--to", form, "--out", trained / name, "--json"))
    assert figures == {"file": str(trained / name), "bytes": (trained / name).stat().st_size}
    read = ts.export.from_scipy if form == "scipy" else ts.export.from_torch
    assert np.array_equal(read(trained / name).predict_proba(X), net.predict_proba(X))


def test_an_onnx_file_is_of_the_form_and_name_that_are_asked_for(trained):
    onnx = pytest.importorskip("onnx", reason="onnx comes with the extra trulysparse[onnx]")
    found, both = {}, ["--form", "scatter", "--name", "wide", "--outputs", "label,scores"]
    for name, options in (("net", []), ("wide", both)):
        run("export", trained / "r", "--to", "onnx", "--out", trained / "net.onnx", *options)
        graph = onnx.load(trained / "net.onnx").graph
        found[name] = (
            graph.name,
            "ScatterND" in {node.op_type for node in graph.node},
            [each.name for each in graph.output],
        )
    assert found == {"net": ("net", False, ["probabilities"]), "wide": ("wide", True, ["label", "scores"])}


def test_c_files_compute_what_the_network_does(trained, tmp_path):
    """Of all weights and index forms, with names that go into one program."""
    net = ts.load(trained / "r" / "model.safetensors")
    X = np.load(trained / "d.npz")["X"].astype(np.float32)
    files = []
    for name, options in {
        "plain": [],
        "wide": ["--index", "u16"],
        "steps": ["--index", "delta8"],
        "small": ["--int8"],
        "file8": ["--int8", "--index", "u16", "--calibrate", trained / "nolabels.npz"],
    }.items():
        path = tmp_path / f"{name}.c"
        output = run("export", trained / "r", "--to", "c", "--out", path, "--name", name, *options, "--json")
        figures = last_json(output)
        assert figures["file"] == str(path)
        assert f"{figures['flash']:,}" in output
        assert f"{figures['ram']:,}" in output
        files.append(Exported(path, name, 6, 3))
    z = net.decision_function(X)
    for answer, file in zip(load_networks(tmp_path, files)([X] * len(files)), files, strict=True):
        near = 1e-5 if file.name in ("plain", "wide", "steps") else 0.05 * np.abs(z).max()
        assert np.allclose(answer.scores, z, atol=near, rtol=1e-5)
        assert (net.labels[answer.predictions] == net.predict(X)).mean() > 0.97


def test_a_file_that_is_there_is_replaced_and_stays_where_the_export_is_refused(trained):
    path = trained / "net.c"
    path.write_text("before")
    (trained / "d.npz").rename(trained / "away.npz")
    error = refused("export", trained / "r", "--to", "c", "--int8", "--out", path)
    assert "--calibrate FILE" in error
    assert path.read_text() == "before"
    run("export", trained / "r", "--to", "c", "--int8", "--out", path, "--calibrate", trained / "away.npz")
    assert "net_predict" in path.read_text()
    assert sorted(each.name for each in trained.iterdir() if each.name.startswith(".")) == []


def test_a_network_that_learns_on_the_device_comes_back_by_its_blob(trained):
    run("export", trained / "r", "--to", "c", "--training", "--out", trained / "net.c")
    text = (trained / "net.c").read_text()
    assert "ts_train_init" in text
    assert "net_blob" in text


def test_of_a_table_it_is_said_that_inputs_are_encoded(tmp_path, table):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    frame = pd.DataFrame(table[0], columns=list("abcdef")).assign(color="red", kind=table[1])
    frame.loc[::2, "color"] = "blue"
    frame.to_csv(tmp_path / "t.csv", index=False)
    run("train", tmp_path / "t.csv", "--out", tmp_path / "r", "--epochs", 1, "--hidden", 8)
    import typer.testing

    from trulysparse.cli import app

    arguments = ["export", str(tmp_path / "r"), "--to", "scipy", "--out", str(tmp_path / "n.npz")]
    done = typer.testing.CliRunner().invoke(app, arguments)
    assert "numbers that the columns of the table become" in done.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--to", "tflite", "--out", "n.c"], "--to must be one of c, onnx, scipy, torch, not 'tflite'"),
        (["--to", "onnx", "--out", "n.onnx", "--int8"], "--int8 is for --to c, not for --to onnx"),
        (["--to", "scipy", "--out", "n.npz", "--training"], "--training is for --to c, not for --to scipy"),
        (["--to", "torch", "--out", "n.pt", "--index", "u16"], "--index is for --to c, not for --to torch"),
        (["--to", "scipy", "--out", "n.npz", "--name", "a"], "--name is for --to c and onnx, not for --to scipy"),
        (["--to", "c", "--out", "n.c", "--form", "dense"], "--form is for --to onnx, not for --to c"),
        (["--to", "c", "--out", "n.c", "--calibrate", "d.npz"], "--calibrate is for --int8"),
        (["--to", "c", "--out", "n.c", "--training", "--int8"], "--int8 cannot be combined with --training"),
        (["--to", "c", "--out", "n.c", "--training", "--index", "u16"], "--index cannot be combined with --training"),
        (["--to", "c", "--out", "n.c", "--index", "u8"], "index must be one of auto, u16, delta8, not 'u8'"),
        (["--to", "c", "--out", "n.c", "--name", "2nd"], "name must be"),
        (["--to", "c", "--out", "n.c", "--outputs", "label"], "--outputs is for --to onnx, not for --to c"),
        (["--to", "onnx", "--out", "n.onnx", "--outputs", "logits"], "outputs"),
        (["--to", "onnx", "--out", "n.c"], "--out must end in .onnx with --to onnx, not 'n.c'"),
        (["--to", "c", "--out", "none/n.c"], "--out: folder 'none' does not exist"),
        (["--to", "c", "--out", "folder.c"], "--out: 'folder.c' is a folder, not a file"),
        (["--to", "c", "--out", "n.c", "--int8", "--calibrate", "wide.npz"], "--calibrate: "),
        (["--to", "c", "--out", "n.c", "--agent", "1"], "--agent: "),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(trained, monkeypatch, arguments, message):
    monkeypatch.chdir(trained)
    (trained / "folder.c").mkdir()
    before = sorted(trained.iterdir())
    assert message in refused("export", "r", *arguments)
    assert sorted(trained.iterdir()) == before
