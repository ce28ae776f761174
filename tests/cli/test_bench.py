"""trulysparse bench."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from command import refused
from trulysparse.cli import app


def test_bench_writes_what_it_prints(tmp_path):
    result = CliRunner().invoke(
        app,
        [
            "bench",
            "--networks",
            "fashion",
            "--peers",
            "trulysparse,sparseprop",
            "--seconds",
            "0.05",
            "--batch-size",
            "8",
            "--out",
            str(tmp_path / "b.json"),
            "--json",
        ],
    )
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout.splitlines()[-1])
    assert figures == json.loads((tmp_path / "b.json").read_text())
    assert figures["results"][0]["connections"] == 125680
    assert figures["results"][0]["rows"][0]["ratio"] == 1.0
    assert CliRunner().invoke(app, ["bench", "--peers", "nobody"]).exit_code == 2


def test_bench_makes_no_folders(tmp_path):
    assert "does not exist" in refused("bench", "--seconds", 0.01, "--out", tmp_path / "no" / "figures.json")
    assert list(tmp_path.iterdir()) == []
