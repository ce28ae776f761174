"""trulysparse plan, and train where a network does not fit."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from trulysparse._core import memory
from trulysparse.cli import app
from trulysparse.cli.plan import sizes
from trulysparse.planning import rates

COMPACT = ["--storage", "compact", "--precision", "bfloat16", "--momentum", "0"]


@pytest.mark.parametrize("text, expected", [("3,2", (3, 2)), ("65536,5x3,2", (65536, 5, 5, 5, 2))])
def test_sizes_of_text_are_layer_sizes(text, expected):
    assert sizes(text) == expected


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def test_plan_command_prints_what_fits(monkeypatch):
    monkeypatch.setattr(rates, "MIN_NEURONS", 1 << 12)  # quick to measure, and rough
    monkeypatch.setattr(rates, "MIN_BYTES", 1 << 12)
    out, _ = run(
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
        "samples a second",
        "an epoch",
    ):
        assert word in out
    figures = json.loads(out.splitlines()[-1])
    assert figures["fits"]
    assert figures["connections"] == 2_065_538
    assert figures["suggestion"] is None
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000 << 20)
    options = ["--epsilon", "1", "--batch-size", "64", "--json", *COMPACT]
    out, err = run("plan", "--layers", "65536,500000x8,2", *options, code=2)
    assert "error: training needs about" in err
    assert "this fits: --storage compact" in err
    assert not json.loads(out.splitlines()[-1])["fits"]
    _, err = run("plan", "--layers", "3,what", code=2)
    assert "--layers must be comma-separated sizes" in err


def test_train_what_does_not_fit_is_refused_with_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 1600 << 20)
    arguments = ["train", "digits", "--out", str(tmp_path / "r"), "--hidden", "1000000,1000000", "--epsilon", "5"]
    out, err = run(*arguments, code=2)
    assert "resident at the peak" in out
    assert "this fits: --storage compact --precision" in err
    assert not (tmp_path / "r").exists()
