"""trulysparse info."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import trulysparse as ts
from command import COMPACT, SMALL, last_json, run
from pictures import found
from trulysparse.report.numbers import number


def test_info_describes_the_saved_network(tmp_path):
    run("train", "digits", "--out", tmp_path / "r", *SMALL)
    output = run("info", tmp_path / "r", "--json")
    figures = last_json(output)
    net = ts.load(tmp_path / "r" / "model.safetensors")
    assert figures["connections"] == net.n_connections
    assert [layer["connections"] for layer in figures["layers"]] == [layer.n_connections for layer in net.layers]
    assert "64-30-20-10" in output


def test_info_on_a_compact_network(tmp_path):
    run("train", "digits", "--out", tmp_path / "r", *SMALL, *COMPACT)
    figures = last_json(run("info", tmp_path / "r", "--topology", "--json"))
    net = ts.load(tmp_path / "r" / "model.safetensors").indexed()
    for layer, indexed in zip(figures["layers"], net.layers, strict=True):
        assert layer["neurons_without_inputs"] == (np.diff(indexed.connectivity.by_output.ptr) == 0).sum()
        assert layer["inputs_without_outputs"] == (np.diff(indexed.connectivity.by_input.ptr) == 0).sum()
    assert figures["connections"] == net.n_connections


def test_info_refuses_a_folder_that_is_no_run(tmp_path):
    assert "is not a run folder" in run("info", tmp_path / "none", code=2)


def test_info_refuses_a_truncated_model(trained):
    model = trained / "r" / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-10])
    assert "truncated" in run("info", trained / "r", code=2)


def test_info_draws_the_network(tmp_path):
    run("train", "digits", "--out", tmp_path / "r", *SMALL)
    output = run("info", tmp_path / "r", "--svg", tmp_path / "n.svg", "--html", tmp_path / "n.html")
    net = ts.load(tmp_path / "r" / "model.safetensors")
    drawn = output[output.index("layer           neurons") :].splitlines()
    assert [line.split()[0] for line in drawn[1:5]] == ["input", "1", "2", "3"]
    for line, layer in zip(drawn[2:5], net.layers, strict=True):
        assert f" {layer.n_connections:,} " in line
        assert len(line) <= 80
    assert len(found((tmp_path / "n.svg").read_text(), "circle")) == 12 + 12 + 12 + 10
    assert "<svg" in (tmp_path / "n.html").read_text()
    assert "last epoch" in output
    assert "connections_per_layer" not in output


@pytest.mark.parametrize(
    "options, message",
    [
        (["--svg", "n.png"], "--svg must be a file that ends in .svg"),
        (["--html", "n.svg"], "--html must be a file that ends in .html"),
        (["--svg", "none/n.svg"], "--svg: folder 'none' does not exist"),
    ],
)
def test_info_refuses_other_files(trained, options, message):
    assert message in run("info", trained / "r", *options, code=2)


def test_info_draws_with_what_the_terminal_knows(trained):
    assert "█" in run("info", trained / "r")
    code = "from trulysparse.cli import main; main()"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-c", code, "info", str(trained / "r")], capture_output=True, check=True, env=environment
    )
    assert "#" in done.stdout.decode("ascii")


def test_info_says_what_was_trained_on_and_what_came_of_it(tmp_path, rng):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    rows = [f"{rng.normal():.3f},{rng.choice(['Paris', 'Rome'])},same,{rng.normal() * 9:.2f}" for _ in range(60)]
    (tmp_path / "t.csv").write_text("age,town,country,price\n" + "\n".join(rows) + "\n")
    figures = last_json(run("train", tmp_path / "t.csv", "--out", tmp_path / "r", *SMALL, "--json"))
    lines = [line.strip("│").split("│") for line in run("info", tmp_path / "r").splitlines() if "│" in line]
    shown = {name.strip(): text.strip() for name, text in lines}
    assert shown["inputs"] == "made of 2 of 3 columns"
    assert shown["target"] == "price"
    assert shown["scores"].startswith(f"r2 {number(figures['r2'])}, mae {number(figures['mae'])}, loss ")
    assert "labels" not in shown


def test_info_of_what_is_not_finished_or_a_file_says_what_to_give(tmp_path):
    (tmp_path / "my run" / "checkpoint").mkdir(parents=True)
    assert f"`trulysparse resume '{tmp_path}/my run'` goes on" in run("info", tmp_path / "my run", code=2)
    (tmp_path / "model.safetensors").write_text("")
    assert "is a file; give the folder that train wrote" in run("info", tmp_path / "model.safetensors", code=2)
