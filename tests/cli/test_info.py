"""trulysparse info."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from command import COMPACT, SMALL, last_json, run


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
