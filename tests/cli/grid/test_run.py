"""trulysparse grid run"""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import signal

import numpy as np
import pytest

from command import contents, last_json, refused, run
from trulysparse.grid.agents import Agents, Training
from trulysparse.grid.outcome import Outcome

RULES = ["basic", "no-control", "self-consumption", "time-of-use", "tou-fill", "tou-fill-random"]
FILES = sorted(
    [
        *("agents/es-0.json", "agents/es-0.safetensors", "config.json", "progress.csv", "report.html", "results.json"),
        *(f"outcomes/{name}.safetensors" for name in [*RULES, "es-0", "perfect-foresight"]),
    ]
)


def signalled(monkeypatch, *arguments, at=1, number=signal.SIGINT):
    """Standard error of a run that gets a signal as the `at`-th generation from here ends."""
    from trulysparse.grid.agents import strategy_training

    advance, count = strategy_training.StrategyTraining.advance, 0

    def counted(self):
        nonlocal count
        count += 1
        row = advance(self)
        if count == at:
            os.kill(os.getpid(), number)
        return row

    with monkeypatch.context() as patch:
        patch.setattr(strategy_training.StrategyTraining, "advance", counted)
        return run(*arguments, code=128 + number)


def test_a_run_leaves_what_its_figures_say(tmp_path, quick):
    out = tmp_path / "r"
    figures = last_json(run("grid", "run", "--out", out, *quick, "--json"))
    assert sorted(contents(out)) == FILES
    assert figures == json.loads((out / "results.json").read_text())
    outcomes = {name: Outcome.from_file(out / "outcomes" / f"{name}.safetensors") for name in [*RULES, "es-0"]}
    controls = {each["name"]: each for each in figures["controls"]}
    assert controls["es"]["kind"] == "agents"
    assert controls["es"]["cost"] == pytest.approx(outcomes["es-0"].cost())
    assert controls["es"]["ratio"] == pytest.approx(outcomes["es-0"].cost() / outcomes["no-control"].cost())
    agents = Agents.load(out / "agents" / "es-0.safetensors")
    assert agents.n_homes == 3
    assert figures["devices"]["connections"]["mean"] == pytest.approx(agents.fleet.connections_per_agent.mean())
    text = (out / "report.html").read_text()
    assert "Mode follow" in text
    for part in ("Cost and saving", "Seen and unseen", "A week of one home", "Devices", "While they learned"):
        assert part in text
    rows = (out / "progress.csv").read_text().splitlines()
    assert rows[0].startswith("agents,seed,step")
    assert len(rows) == 3


def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(tmp_path, quick):
    for name, options in {"a": [], "b": ["--threads", 2], "c": ["--seed", 1]}.items():
        run("grid", "run", "--out", tmp_path / name, *quick, *options, "--no-report", "--no-bounds")
    policies = [(tmp_path / name / "agents").glob("*.safetensors") for name in "abc"]
    a, b, c = (next(each).read_bytes() for each in policies)
    assert a == b
    assert a != c


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_broken_off_goes_on_with_the_same_bits(tmp_path, quick, monkeypatch, number):
    whole, out = tmp_path / "whole", tmp_path / "r"
    options = [*quick, "--no-bounds", "--no-report"]
    run("grid", "run", "--out", whole, *options)
    error = signalled(monkeypatch, "grid", "run", "--out", out, *options, number=number)
    assert error == f"stopped: `trulysparse grid run --resume --out {out}` goes on\n"
    assert (out / "agents" / "es-0" / "training.safetensors").is_file()
    assert not (out / "results.json").exists()
    before = contents(out)
    assert "with another --length; go on with" in refused("grid", "run", "--out", out, *options, "--length", 3)
    assert contents(out) == before
    again = ["--out", out, *options] if number == signal.SIGINT else ["--resume", "--out", out, "--no-report"]
    run("grid", "run", *again)
    for name, text in contents(whole).items():
        if name.endswith(".safetensors"):
            assert contents(out)[name] == text, name
    assert sorted(contents(out)) == sorted(contents(whole))
    assert "has finished" in refused("grid", "run", "--resume", "--out", out)
    assert "holds a finished run" in refused("grid", "run", "--out", out, *options)


def test_what_is_there_after_a_kill_is_not_computed_again(tmp_path, quick, monkeypatch):
    out = tmp_path / "r"
    run("grid", "run", "--out", out, *quick, "--no-report")
    whole = contents(out)
    (out / "results.json").unlink()
    (out / "outcomes" / "es-0.safetensors").unlink()  # as where the process died just before
    monkeypatch.setattr(Training, "run", None)
    run("grid", "run", "--out", out, *quick, "--no-report")
    changed = [name for name, text in contents(out).items() if whole[name] != text]
    assert set(changed) <= {"results.json"}
    assert sorted(contents(out)) == sorted(whole)


def test_a_signal_before_anything_is_kept_leaves_nothing(tmp_path, quick, monkeypatch):
    from trulysparse.cli.grid import _running

    def stop(*_):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(_running, "play", stop)
    error = run("grid", "run", "--out", tmp_path / "a" / "r", *quick, code=128 + signal.SIGTERM)
    assert error == "stopped: nothing was kept to go on from\n"
    assert list(tmp_path.iterdir()) == []


def test_references_seeds_and_rules_are_compared(tmp_path, quick):
    out = tmp_path / "r"
    options = ["--references", "--agents", "es,tou-fill", "--seeds", 2, "--no-bounds", "--json"]
    figures = last_json(run("grid", "run", "--out", out, *quick, *options))
    names = [each["name"] for each in figures["controls"]]
    assert names[:4] == ["es", "es, dense", "es, shared", "time-of-use, fill"]
    assert sorted(path.stem for path in (out / "agents").glob("*.safetensors")) == [
        "es-0", "es-1", "es-dense-0", "es-shared-0",
    ]  # fmt: skip
    first = figures["controls"][0]
    each = [Outcome.from_file(out / "outcomes" / f"es-{seed}.safetensors").cost() for seed in (0, 1)]
    assert first["cost"] == pytest.approx(np.mean(each))
    assert first["saving"] is None  # there is no bound


def test_overwriting_removes_the_other_run_and_nothing_else(tmp_path, quick):
    out = tmp_path / "r"
    run("grid", "run", "--out", out, *quick, "--seeds", 2, "--no-report", "--no-bounds")
    (out / "notes.txt").write_text("mine")
    (out / "outcomes" / "mine.safetensors").write_text("mine")
    run("grid", "run", "--out", out, "--agents", "self-consumption", "--no-bounds", "--overwrite")
    assert sorted(contents(out)) == sorted(
        ["config.json", "notes.txt", "outcomes/mine.safetensors", "report.html", "results.json"]
        + [f"outcomes/{name}.safetensors" for name in RULES]
    )


REFUSALS = [
    (["--agents", "sac"], "--agents must be of es, td3, dqn"),
    (["--density", "0"], "--density"),
    (["--threads", "0"], "--threads must be between 1 and"),
    (["--tariff", "free"], "--tariff must be one of"),
    (["--resume", "--overwrite"], "--resume and --overwrite"),
    (["--resume"], "does not exist"),
]


@pytest.mark.parametrize("options, message", REFUSALS)
def test_refusals_leave_nothing(tmp_path, options, message):
    assert message in refused("grid", "run", "--out", tmp_path / "a" / "b", *options)
    assert list(tmp_path.iterdir()) == []


def test_options_that_contradict_the_run_are_refused_with_resume(tmp_path, quick, monkeypatch):
    out = tmp_path / "r"
    signalled(monkeypatch, "grid", "run", "--out", out, *quick, "--no-bounds")
    assert "--density cannot change with --resume: the run in" in refused(
        "grid", "run", "--resume", "--out", out, "--density", "0.5"
    )
    assert "another training is at work" not in run("grid", "run", "--resume", "--out", out, "--density", "0.3")


def test_the_command_of_the_report_repeats_the_run(tmp_path, quick, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("grid", "run", "--out", "r", *quick, "--no-bounds")
    [line] = re.findall("<pre>(trulysparse grid run.*?)</pre>", (tmp_path / "r" / "report.html").read_text())
    before = (tmp_path / "r" / "agents" / "es-0.safetensors").read_bytes()
    run(*shlex.split(html.unescape(line))[1:], "--overwrite", "--no-report")
    assert (tmp_path / "r" / "agents" / "es-0.safetensors").read_bytes() == before


def test_help_says_units_and_names_the_commands():
    text = run("grid", "--help")
    for name in ("run", "bound", "report"):
        assert name in text
    assert "grid " in run("--help")
    text = " ".join(run("grid", "run", "--help").split())
    for word in ("$/kWh", "kWh", "--electric-vehicles", "--feeder"):
        assert word in text
