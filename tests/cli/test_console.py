"""Output that cannot take what is to be shown: results are written all the same."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import trulysparse as ts
from command import RUN_FILES, last_json, refused, run
from command import SMALL as LEARNS

SMALL = ["--hidden", "8", "--epochs", "1", "--threads", "1"]


def program(*arguments: object, shell: str, encoding: str = "ascii") -> subprocess.CompletedProcess:
    """The real program, with its output as `shell` has it; $@ stands for the command."""
    command = [sys.executable, "-m", "trulysparse", *map(str, arguments)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        ["sh", "-c", shell, "sh", *command], capture_output=True, text=True, env=environment, check=False
    )


@pytest.fixture
def greek(tmp_path, rng):
    """Data whose labels are not ASCII."""
    y = rng.integers(0, 2, 60)
    np.savez(tmp_path / "δ.npz", X=rng.standard_normal((60, 4)) + y[:, None], y=np.array(["λ", "π"])[y])
    return tmp_path / "δ.npz"


@pytest.mark.parametrize(
    "shell",
    [
        pytest.param('"$@"', marks=pytest.mark.slow),
        pytest.param('"$@" >&-', marks=pytest.mark.slow),
        '"$@" >&- 2>&-',
        pytest.param('"$@" | head -c 0', marks=pytest.mark.slow),
        '"$@" | head -c 0; "$@" --json | head -c 1',
    ],
)
def test_training_whose_table_cannot_be_shown_is_written(greek, tmp_path, shell):
    done = program("train", greek, "--out", tmp_path / "ω", *SMALL, shell=shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(p.name for p in (tmp_path / "ω").iterdir()) == RUN_FILES


def test_labels_that_the_terminal_cannot_show_are_replaced(greek, tmp_path):
    run("train", greek, "--out", tmp_path / "r", *SMALL)
    done = program("info", tmp_path / "r", shell='"$@"')
    assert (done.returncode, done.stderr) == (0, "")
    assert "?, ?" in done.stdout
    assert "λ, π" in run("info", tmp_path / "r")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_full_output_is_one_sentence(greek, tmp_path):
    done = program("train", greek, "--out", tmp_path / "r", *SMALL, shell='"$@" >/dev/full')
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert (tmp_path / "r" / "model.safetensors").exists()


def test_version():
    assert run("--version") == f"trulysparse {ts.__version__}\n"


def test_program_is_quiet_in_a_pipe(tmp_path):
    """The installed command: quiet errors, JSON on the last line, no progress bar in a pipe."""
    environment = {**os.environ, "COLUMNS": "100"}
    command = [sys.executable, "-m", "trulysparse"]
    done = subprocess.run(
        [*command, "train", "digits", "--out", str(tmp_path / "r"), *LEARNS, "--json"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stderr == ""
    assert last_json(done.stdout)["epochs"] == 3


def test_labels_and_file_names_in_brackets_are_shown_as_they_stand(tmp_path, rng):
    data = tmp_path / "[red]x.npz"
    y = rng.integers(0, 2, 60)
    np.savez(data, X=rng.standard_normal((60, 4)) + y[:, None], y=np.array(["[red]", "[/b]"])[y])
    assert "[red]x.npz" in run("train", data, "--out", tmp_path / "r", *SMALL)
    assert "[/b], [red]" in run("info", tmp_path / "r")


def test_error_of_the_system_is_a_sentence_that_names_the_file(tmp_path):
    error = run("train", "digits", "--out", tmp_path / ("x" * 300), code=1)
    assert "File name too long" in error
    assert f"{'x' * 300}'" in error
    assert "Errno" not in error


def test_plan_of_a_batch_beyond_all_training_is_one_sentence():
    assert "between 1 and 2147483647" in refused("plan", "--layers", "5,3", "--batch-size", 10**15)
    assert "between 1 and 2147483647" in refused("plan", "--layers", "5,3", "--batch-size", 2**62)
