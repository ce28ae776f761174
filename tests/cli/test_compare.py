"""trulysparse compare."""

from __future__ import annotations

import json

import pytest

from command import SMALL, contents, last_json, refused, run


@pytest.fixture
def runs(tmp_path):
    """Runs a and b, which differ in their learning rate, and c, of other data."""
    run("train", "digits", "--out", tmp_path / "a", *SMALL)
    run("train", "digits", "--out", tmp_path / "b", *SMALL, "--learning-rate", "0.02")
    run("train", "breast_cancer", "--out", tmp_path / "c", *SMALL)
    return tmp_path


def test_compare_figures_and_differing_settings(runs):
    output = run("compare", runs / "a", runs / "b", "--json")
    figures = last_json(output)
    for name, shown in zip("ab", figures["runs"], strict=True):
        last = json.loads((runs / name / "metrics.jsonl").read_text().splitlines()[-1])
        assert shown["run"] == str(runs / name)
        assert shown["epochs"] == 3
        assert shown["accuracy"] == pytest.approx(last["val_accuracy"], abs=1e-6)
        assert shown["connections"] == last["connections"]
        assert shown["neurons"] == 60
    assert figures["differences"] == {"learning_rate": [0.05, 0.02]}
    assert figures["warnings"] == []
    assert "learning_rate" in output
    assert "epsilon" not in output


def test_compare_warns_where_data_differ(runs):
    figures = last_json(run("compare", runs / "a", runs / "c", "--json"))
    assert figures["warnings"] == [
        "the runs were trained on different data or targets: their scores cannot be compared"
    ]


def test_compare_changes_nothing_and_loads_no_model(runs):
    (runs / "a" / "model.safetensors").write_bytes(b"")
    before = contents(runs)
    run("compare", runs / "a", runs / "b")
    assert contents(runs) == before


def test_compare_page(runs):
    page = runs / "page.html"
    run("compare", runs / "a", runs / "b", runs / "c", "--out", page)
    text = page.read_text()
    for part in ("Training loss", "Validation accuracy", "learning_<wbr>rate"):
        assert part in text
    assert "different data" in text


def test_compare_with_a_run_that_was_broken_off(runs, broken_off):
    figures = last_json(run("compare", runs / "a", broken_off, "--json"))
    assert [shown["finished"] for shown in figures["runs"]] == [True, False]
    assert any("is not finished" in warning for warning in figures["warnings"])
    assert "dropout" in figures["differences"]


def test_compare_one_run_and_many(runs):
    assert last_json(run("compare", runs / "a", "--json"))["differences"] == {}
    assert run("compare", *[runs / "a"] * 20).count("learning_rate") == 0
    assert "The runs have the same settings." in run("compare", runs / "a", runs / "a")


@pytest.mark.parametrize(
    "options, message",
    [
        (["none"], "does not exist"),
        (["."], "is not a run folder"),
        (["a", "--out", "page.txt"], "--out must end in .html"),
        (["a", "--out", "none/page.html"], "--out: folder"),
    ],
)
def test_compare_refusals(runs, monkeypatch, options, message):
    monkeypatch.chdir(runs)
    before = contents(runs)
    assert message in refused("compare", *options)
    assert contents(runs) == before
