"""Signals that end a training."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from command import COMPACT, MODEL, ON_DISK, RUN_FILES, contents, last_json, run, signalled, train
from trulysparse.io import checkpoints


@pytest.mark.parametrize(
    "options, number",
    [
        ([], signal.SIGINT),
        ([], signal.SIGTERM),
        ([], signal.SIGHUP),
        (["--checkpoint-every", 5], signal.SIGINT),
        (["--checkpoint-every", 40], signal.SIGTERM),
        (COMPACT, signal.SIGINT),
        (ON_DISK, signal.SIGTERM),
        (["--evolution", "rigl", "--optimizer", "adam"], signal.SIGINT),
    ],
)
def test_signal_keeps_the_state_and_says_how_to_go_on(tmp_path, monkeypatch, number, options):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this process was started to ignore the signal, and what it starts does so too")
    out = tmp_path / "r"
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    error = signalled(monkeypatch, *train(out, *options), at=15, number=number)  # in the second epoch
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers
    assert error == f"stopped: `trulysparse resume {out}` goes on from the last checkpoint\n"
    assert not [name for name in contents(out) if Path(name).name.startswith(".")]
    run("resume", out)
    run(*train(tmp_path / "whole", *options))
    assert (out / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()
    assert sorted(contents(out)) == RUN_FILES


def test_signal_twice_and_again(tmp_path, monkeypatch):
    out = tmp_path / "r"
    signalled(monkeypatch, *train(out), at=10)
    signalled(monkeypatch, "resume", out, at=9)
    signalled(monkeypatch, "resume", out, at=1)
    run("resume", out)
    run(*train(tmp_path / "whole"))
    assert (out / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("parallel", ["wasap", "wassp"])
@pytest.mark.parametrize("at", [3, 20, 31])  # in the last: each worker trains alone
def test_signal_with_workers_keeps_the_last_epoch(tmp_path, monkeypatch, parallel, at, number):
    out, options = tmp_path / "r", ["--workers", 2, "--parallel", parallel, "--phase1-epochs", 2]
    error = signalled(monkeypatch, *train(out, *options), at=at, number=number, hook="on_worker_step")
    if at == 3 and "resume" not in error:  # no epoch was over when the signal had its way
        assert error == "stopped: nothing was kept to go on from\n"
        assert list(tmp_path.iterdir()) == []
        return
    assert error == f"stopped: `trulysparse resume {out}` goes on from the last checkpoint\n"
    assert last_json(run("resume", out, "--json"))["epochs"] == 3
    assert sorted(contents(out)) == RUN_FILES
    if parallel == "wassp":
        run(*train(tmp_path / "whole", *options))
        assert (out / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()


@pytest.mark.parametrize("options", [["--no-checkpoints"], ["--patience", 3], ["--report"]])
def test_signal_in_the_first_epoch_keeps_the_state(tmp_path, monkeypatch, options):
    if "--report" in options:
        pytest.importorskip("matplotlib", reason="matplotlib comes with the extra trulysparse[analysis]")
    out = tmp_path / "r"
    assert "goes on from the last checkpoint" in signalled(monkeypatch, *train(out, *options), at=5)
    run("resume", out)
    run(*train(tmp_path / "whole", *options))
    assert (out / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()
    assert (out / "report.html").exists() is ("--report" in options)


def test_signal_before_training_leaves_no_trace(tmp_path, monkeypatch):
    def read(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
        raise AssertionError("the signal did not end the command")

    monkeypatch.setattr("trulysparse.task.source.read", read)
    assert "stopped: nothing was kept" in run(*train(tmp_path / "a" / "b"), code=143)
    assert list(tmp_path.iterdir()) == []


def test_second_signal_ends_at_once(broken_off, monkeypatch):
    before = contents(broken_off / "checkpoint")

    def write(*_, **__):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second signal did not end the command")

    monkeypatch.setattr(checkpoints, "write", write)
    assert "goes on from the last checkpoint" in signalled(monkeypatch, "resume", broken_off, at=1)
    assert contents(broken_off / "checkpoint") == before


def test_signal_while_the_run_is_written_lets_it_be_finished(tmp_path, monkeypatch):
    from trulysparse.cli import _results

    write_run = _results.write_run

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        write_run(*arguments)

    monkeypatch.setattr(_results, "write_run", interrupted)
    run(*train(tmp_path / "r"), code=130)
    assert last_json(run("evaluate", tmp_path / "r", "digits", "--json"))["accuracy"] > 0.5


def test_ignored_signals_stay_ignored(tmp_path, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(AssertionError):  # it ends with 0: nohup
            signalled(monkeypatch, *train(tmp_path / "r"), number=signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (tmp_path / "r" / MODEL).exists()
