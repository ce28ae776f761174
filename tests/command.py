"""The command line in this process, for the tests of its commands."""

from __future__ import annotations

import functools
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import typer.testing
from sklearn.datasets import dump_svmlight_file
from typer.testing import CliRunner

from trulysparse.cli import app
from trulysparse.training import ProgressBar

# A runner builds the commands with all their options at each call, which takes longer than most trainings here.
typer.testing._get_command = functools.cache(typer.testing._get_command)  # type: ignore[attr-defined]

SMALL = ["--hidden", "30,20", "--epochs", "3", "--epsilon", "5", "--batch-size", "16", "--learning-rate", "0.05"]
SMALL += ["--optimizer", "sgd"]
COMPACT = ["--storage", "compact", "--precision", "bfloat16", "--fan", "sparse"]
ON_DISK = [*COMPACT, "--on-disk"]
MODEL = "model.safetensors"
RUN_FILES = ["config.json", "metrics.jsonl", MODEL, "results.json"]


def run(*arguments: object, code: int = 0) -> str:
    """Standard output, or standard error where the exit code is another than 0."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def refused(*arguments: object) -> str:
    """The one sentence of a command that is refused."""
    error = run(*arguments, code=2)
    assert error.startswith("error: ")
    assert len(error.strip().splitlines()) == 1, error
    return error


def last_json(output: str) -> dict:
    return json.loads(output.strip().splitlines()[-1])


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def train(out: Path, *options: object) -> list[object]:
    """A training of 12 updates per epoch."""
    return ["train", "digits", "--out", out, *SMALL, "--batch-size", 128, "--dropout", 0.1, *options]


def signalled(
    monkeypatch: pytest.MonkeyPatch,
    *arguments: object,
    at: int = 7,
    number: int = signal.SIGINT,
    hook: str = "on_step_end",
) -> str:
    """Standard error of a training that gets a signal in the course of its `at`-th update from here. hook: the one that
    counts updates."""
    steps = 0

    def count(self, trainer, *_):
        nonlocal steps
        steps += 1
        if steps == at:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, hook, count)
        return run(*arguments, code=128 + number)


def write_table(tmp_path: Path, kind: str, X: np.ndarray, y: np.ndarray) -> Path:
    """The samples in a file of a kind: npz, csv, parquet or libsvm."""
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
