"""Signals in the first second of a command, sent to real processes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command import ON_DISK, SMALL, contents, signalled, train

STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells which signals are caught")

TRAIN = ["train", "digits", *SMALL, "--epochs", "100000", "--learning-rate", "0.0001"]


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal, and is past what Python itself does at its start."""
    text = Path(f"/proc/{pid}/status").read_text()
    mask = int(next(line for line in text.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(mask >> (number - 1) & 1)


def ended(arguments: list[str], number: int, delay: float) -> tuple[int, str]:
    """(exit code, standard error) of a command that gets a signal `delay` seconds after it has begun to handle some."""
    process = subprocess.Popen(
        [sys.executable, "-m", "trulysparse", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not catches(process.pid, signal.SIGTERM):
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    return process.returncode, error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_while_modules_are_imported(tmp_path, number):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this process was started to ignore the signal, and what it starts does so too")
    code, error = ended([*TRAIN, "--out", str(tmp_path / "r")], number, 0)
    assert (code, error) == (128 + number, "stopped: training had not begun\n")
    assert list(tmp_path.iterdir()) == []


def test_signal_before_a_training_goes_on_leaves_it_as_it_was(tmp_path, monkeypatch):
    out = tmp_path / "r"
    signalled(monkeypatch, *train(out), at=15)
    before = contents(out)
    assert ended(["resume", str(out)], signal.SIGTERM, 0) == (143, "stopped: training had not begun\n")
    assert contents(out) == before


@pytest.mark.parametrize("arguments", [["plan", "--layers", "784,1000,10"], ["bench"], ["info", "nowhere"]])
def test_other_commands_end_with_a_word(arguments):
    assert ended(arguments, signal.SIGINT, 0) == (130, "stopped\n")


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--workers", "2"], ON_DISK, ["--patience", "99999"]])
def test_signal_at_any_moment_is_one_sentence(tmp_path, options):
    rng = random.Random(0)
    for trial in range(8):
        out = tmp_path / str(trial)
        number = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
        code, error = ended([*TRAIN, *options, "--out", str(out)], number, rng.uniform(0, 3))
        assert code == 128 + number, error
        assert len(error.splitlines()) == 1
        assert error.startswith("stopped: ")
        assert ("trulysparse resume" in error) == (out / "checkpoint").exists()


def test_programs_that_import_the_package_are_left_alone():
    code = (
        "import signal; before = signal.getsignal(signal.SIGINT); import trulysparse; "
        "assert signal.getsignal(signal.SIGINT) is before"
    )
    subprocess.run([sys.executable, "-c", code, "-m", "trulysparse"], check=True)
