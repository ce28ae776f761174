"""trulysparse plan, and train where a network does not fit."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from command import last_json, refused, run
from trulysparse._core import memory
from trulysparse.cli import app
from trulysparse.cli.plan import layer_sizes
from trulysparse.planning import rates

TINY = ["--hidden", "8", "--epochs", "2", "--threads", "1"]


@pytest.fixture(autouse=True)
def rough_rates(monkeypatch):
    """Rates of this machine from layers that are quick to measure; they are used for estimates alone."""
    monkeypatch.setattr(rates, "MIN_NEURONS", 1 << 12)
    monkeypatch.setattr(rates, "MIN_BYTES", 1 << 12)
    rates.measured_rates.cache_clear()
    yield
    rates.measured_rates.cache_clear()


@pytest.mark.parametrize(
    "text", ["10,5x0,5", "10,5x-1,5", "10,5x,5", "10,x5", "10,,5", "10,5x2x2", "", "1e3,5", "5x999999999,2"]
)
def test_plan_refuses_odd_layers(text):
    assert "--layers" in refused("plan", "--layers", text)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--storage", "indexed", "--precision", "bfloat16"], "needs storage='compact'"),
        (["--precision", "bfloat16"], "needs storage='compact'"),
        (["--on-disk"], "--on-disk needs --storage compact"),
        (["--momentum-precision", "bfloat16"], "--momentum-precision bfloat16 needs --storage compact"),
        (["--momentum-precision", "float32", "--momentum", "0"], "--momentum-precision needs a --momentum above 0"),
        (["--no-skip", "--skip-density", "0.5"], "--skip-density needs --skip"),
        (["--samples", "0"], "--samples must be at least 1"),
    ],
)
def test_plan_refuses_what_train_does(tmp_path, options, message):
    assert message in refused("plan", "--layers", "64,30,10", *options)
    if "--samples" not in options:
        refused("train", "digits", "--out", tmp_path / "r", *TINY, *options)


def test_plan_has_the_defaults_of_train():
    chosen = ["--storage", "indexed", "--precision", "float32", "--batch-size", "128", "--momentum", "0.9"]
    found = [last_json(run("plan", "--layers", "64,30,10", "--json", *options)) for options in ([], chosen)]
    assert found[0]["bytes"] == found[1]["bytes"]
    assert last_json(run("plan", "--layers", "64,30,10", "--json", "--momentum", "0"))["bytes"] != found[0]["bytes"]


def test_plan_counts_a_skip_layer():
    found = [
        last_json(run("plan", "--layers", "640,30,10", "--epsilon", "5", "--json", *options))
        for options in ([], ["--skip"], ["--skip", "--skip-density", "0.5"])
    ]
    assert [each["connections"] - found[0]["connections"] for each in found] == [0, 3250, 3200]


def test_plan_knows_densities():
    options = ["--density", "0.1", "--densities", "uniform", "--output-density", "1"]
    assert last_json(run("plan", "--layers", "64,30,10", "--json", *options))["connections"] == 192 + 300
    assert last_json(run("plan", "--layers", "64,30,10", "--json", "--density", "0.1,0.5"))["connections"] == 192 + 150
    assert "one per layer, 2, not 3" in refused("plan", "--layers", "64,30,10", "--density", "0.1,0.5,1")


def test_plan_counts_pre_activations_where_the_activation_needs_them():
    options = "plan", "--layers", "64,30,20,10", "--json", "--batch-size", "16", "--activation"
    with_them, without = (last_json(run(*options, name)) for name in ("silu", "relu"))
    assert with_them["bytes"]["pre-activations"] == 4 * 16 * (30 + 20)
    assert "pre-activations" not in without["bytes"]
    assert with_them["resident_bytes"] > without["resident_bytes"]


COMPACT = ["--storage", "compact", "--precision", "bfloat16", "--momentum", "0"]


@pytest.mark.parametrize("text, expected", [("3,2", (3, 2)), ("65536,5x3,2", (65536, 5, 5, 5, 2))])
def test_sizes_of_text_are_layer_sizes(text, expected):
    assert layer_sizes(text) == expected


def invoke(*arguments: str, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def test_plan_command_prints_what_fits(monkeypatch):
    out, _ = invoke(
        "plan",
        "--layers",
        "65536,500000x2,2",
        "--epsilon",
        "1",
        "--batch-size",
        "8",
        "--samples",
        "1000",
        "--json",
        *COMPACT,
    )
    for word in (
        "settings that fit",
        "up to --batch-size",
        "connectivity",
        "activations",
        "resident at the peak",
        "samples per second",
        "epoch",
    ):
        assert word in out
    figures = json.loads(out.splitlines()[-1])
    assert figures["fits"]
    assert figures["connections"] == 2_065_538
    assert figures["suggestion"] is None
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000 << 20)
    options = ["--epsilon", "1", "--batch-size", "64", "--json", *COMPACT]
    out, err = invoke("plan", "--layers", "65536,500000x8,2", *options, code=2)
    assert "error: training needs about" in err
    assert "this fits: --storage compact" in err
    assert not json.loads(out.splitlines()[-1])["fits"]
    _, err = invoke("plan", "--layers", "3,what", code=2)
    assert "--layers must be comma-separated sizes" in err


def test_train_what_does_not_fit_is_refused_with_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 1600 << 20)
    arguments = ["train", "digits", "--out", str(tmp_path / "r"), "--hidden", "1000000,1000000", "--epsilon", "5"]
    out, err = invoke(*arguments, code=2)
    assert "resident at the peak" in out
    assert "this fits: --storage compact --precision" in err
    assert not (tmp_path / "r").exists()
