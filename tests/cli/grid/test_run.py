"""trulysparse grid run"""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from command import contents, last_json, refused, run
from trulysparse.grid.agents import Agents, Training
from trulysparse.grid.outcome import Outcome

RULES = ["basic", "no-control", "self-consumption", "time-of-use", "tou-fill", "tou-fill-random", "tou-fill-spread"]
FILES = sorted(
    [
        *("agents/es-0.json", "agents/es-0.safetensors", "config.json", "progress.csv", "report.html", "results.json"),
        *(f"outcomes/{name}.safetensors" for name in [*RULES, "es-0", "perfect-foresight", "foresight-limit"]),
    ]
)


def signalled(monkeypatch, *arguments, number=signal.SIGINT):
    """Standard error of a run that gets a signal as its first generation ends."""
    from trulysparse.grid.agents.strategy_training import StrategyTraining

    advance, sent = StrategyTraining.advance, []

    def counted(self):
        row = advance(self)
        if not sent:
            sent.append(number)
            os.kill(os.getpid(), number)
        return row

    with monkeypatch.context() as patch:
        patch.setattr(StrategyTraining, "advance", counted)
        return run(*arguments, code=128 + number)


def test_a_run_leaves_what_its_figures_say(whole_run):
    out, printed = whole_run
    figures = last_json(printed)
    assert sorted(contents(out)) == FILES
    assert figures == json.loads((out / "results.json").read_text())
    outcomes = {name: Outcome.from_file(out / "outcomes" / f"{name}.safetensors") for name in [*RULES, "es-0"]}
    controls = {each["name"]: each for each in figures["controls"]}
    assert controls["es"]["kind"] == "agents"
    assert controls["es"]["cost"] == pytest.approx(outcomes["es-0"].cost())
    assert controls["es"]["ratio"] == pytest.approx(outcomes["es-0"].cost() / outcomes["no-control"].cost())
    agents = Agents.load(out / "agents" / "es-0.safetensors")
    assert agents.n_homes == 3
    assert figures["notes"] == []
    assert figures["devices"]["connections"]["mean"] == pytest.approx(agents.fleet.connections_per_agent.mean())
    text = (out / "report.html").read_text()
    assert "Mode follow" in text
    for part in ("Cost and saving", "Seen and unseen", "A week of one home", "Devices", "While they learned"):
        assert part in text
    rows = (out / "progress.csv").read_text().splitlines()
    assert rows[0].startswith("agents,seed,step")
    assert len(rows) == 3


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(tmp_path, quick):
    for name, options in {"a": [], "b": ["--threads", 2], "c": ["--seed", 1]}.items():
        run("grid", "run", "--out", tmp_path / name, *quick, *options, "--no-report")
    policies = [(tmp_path / name / "agents").glob("*.safetensors") for name in "abc"]
    a, b, c = (next(each).read_bytes() for each in policies)
    assert a == b
    assert a != c


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_run_that_was_broken_off_goes_on_with_the_same_bits(tmp_path, quick, monkeypatch, whole_run, number):
    out = tmp_path / "broken"
    options = [*quick, "--no-report"]
    error = signalled(monkeypatch, "grid", "run", "--out", out, *options, number=number)
    says, stopped = error.splitlines()
    assert says.endswith("7 rules, then es-0 learn")
    assert stopped == f"stopped: `trulysparse grid run --resume --out {out}` goes on"
    assert (out / "agents" / "es-0" / "training.safetensors").is_file()
    assert not (out / "results.json").exists()
    before = contents(out)
    for given, message in {
        ("--length", "3"): "with another --length; go on with",
        ("--resume", "--density", "0.5"): "--density cannot change with --resume: the run in",
    }.items():
        assert message in refused("grid", "run", "--out", out, *options[: 0 if "--resume" in given else None], *given)
    assert contents(out) == before
    again = ["--out", out, *options] if number == signal.SIGINT else ["--resume", "--out", out, "--no-report"]
    run("grid", "run", *again)
    bounds = ("report.html", *(f"outcomes/{name}.safetensors" for name in ("perfect-foresight", "foresight-limit")))
    whole, found = {name: text for name, text in contents(whole_run[0]).items() if name not in bounds}, contents(out)
    assert sorted(found) == sorted(whole)
    for name, text in whole.items():
        if name.endswith(".safetensors"):
            assert found[name] == text, name
    assert "has finished" in refused("grid", "run", "--resume", "--out", out)
    assert "holds a finished run" in refused("grid", "run", "--out", out, *options)


def test_what_is_there_after_a_kill_is_not_computed_again(finished, quick, monkeypatch):
    whole = contents(finished)
    (finished / "results.json").unlink()
    (finished / "outcomes" / "es-0.safetensors").unlink()  # as where the process died just before
    monkeypatch.setattr(Training, "run", None)
    run("grid", "run", "--out", finished, *quick, "--bounds", "--no-report")
    changed = [name for name, text in contents(finished).items() if whole[name] != text]
    assert set(changed) <= {"results.json"}
    assert sorted(contents(finished)) == sorted(whole)


def test_a_signal_before_anything_is_kept_leaves_nothing(tmp_path, quick, monkeypatch):
    from trulysparse.cli.grid import _running

    monkeypatch.setattr(_running, "play", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    error = run("grid", "run", "--out", tmp_path / "a" / "r", *quick, code=128 + signal.SIGTERM)
    assert error.endswith("\nstopped: nothing was kept to go on from\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_references_seeds_and_rules_are_compared(tmp_path, quick):
    out = tmp_path / "r"
    options = ["--references", "--agents", "es,tou-fill", "--seeds", 2, "--json"]
    figures = last_json(run("grid", "run", "--out", out, *quick, *options))
    names = [each["name"] for each in figures["controls"]]
    assert names[:4] == ["es", "es, dense", "es, shared", "TOU fill"]
    assert sorted(path.stem for path in (out / "agents").glob("*.safetensors")) == [
        "es-0", "es-1", "es-dense-0", "es-shared-0",
    ]  # fmt: skip
    first = figures["controls"][0]
    each = [Outcome.from_file(out / "outcomes" / f"es-{seed}.safetensors").cost() for seed in (0, 1)]
    assert first["cost"] == pytest.approx(np.mean(each))
    assert first["saving"] is None  # there is no bound


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["td3", "dqn"])
def test_other_agents(tmp_path, quick, kind):
    out = tmp_path / "r"
    options = ["--agents", kind, "--length", 480, "--exchange", "weekly", "--device", "m4", "--json"]
    figures = last_json(run("grid", "run", "--out", out, *quick, *options))
    assert figures["controls"][0]["name"] == kind
    assert figures["devices"]["bytes sent per day"]["mean"] > 0
    assert "allowed on m4" in (out / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, part",
    [
        (["--feeder", "street.json", "--grid-limits", "curtail", "--broadcast", "feeder"], "Voltages under es"),
        (["--market", "netting", "--broadcast", "community"], "netting"),
        (["--tariff", "community", "--train-homes", "3"], "mid-market"),
        (["--electric-vehicles", "--heat-pumps", "--curtailment"], "electric vehicles, heat pumps"),
        (["--information", "setpoint", "--tariff", "carbon"], "Mode setpoint"),
        (["--tariff", "peakfee", "--weeks", "last quarter", "--exchange", "daily"], "last quarter"),
    ],
)
def test_options_of_the_grid(tmp_path, quick, monkeypatch, street, options, part):
    monkeypatch.chdir(street.parent)
    printed = run("grid", "run", "--out", "r", *quick, *options, "--json")
    figures = last_json(printed)
    assert all(f"note: {note}" in printed for note in figures["notes"])
    assert figures["controls"][0]["name"] == "es"
    assert 0 < figures["controls"][0]["ratio"] < 1.2
    assert part in (tmp_path / "r" / "report.html").read_text()


def test_what_is_odd_about_an_outcome_is_said_at_the_end(finished, monkeypatch):
    from trulysparse.cli.grid import _reporting

    monkeypatch.setattr(_reporting, "_notes_on", lambda outcome: [f"{outcome.label} ended early."])
    (finished / "results.json").unlink()
    printed = run("grid", "run", "--resume", "--out", finished, "--json")
    assert "note: no control ended early." in printed.splitlines()
    assert "no control ended early." in last_json(printed)["notes"]


def test_overwriting_removes_the_other_run_and_nothing_else(finished):
    (finished / "notes.txt").write_text("mine")
    (finished / "outcomes" / "mine.safetensors").write_text("mine")
    run("grid", "run", "--out", finished, "--agents", "self-consumption", "--overwrite")
    assert sorted(contents(finished)) == sorted(
        ["config.json", "notes.txt", "outcomes/mine.safetensors", "report.html", "results.json"]
        + [f"outcomes/{name}.safetensors" for name in RULES]
    )


REFUSALS = [
    (["--agents", "sac"], "--agents must be of es, td3, dqn"),
    (["--density", "0"], "--density"),
    (["--threads", "0"], "--threads must be between 1 and"),
    (["--tariff", "free"], "--tariff must be one of"),
    (["--device", "phone"], "--device must be one of meter, m4, esp32"),
    (["--device", "meter", "--density", "1"], "connections, device Cortex-M0+ with 32 kB takes 600"),
    (["--resume", "--overwrite"], "--resume and --overwrite"),
    (["--resume"], "does not exist"),
]


@pytest.mark.parametrize("options, message", REFUSALS)
def test_refusals_leave_nothing(tmp_path, options, message):
    assert message in refused("grid", "run", "--out", tmp_path / "a" / "b", *options)
    assert list(tmp_path.iterdir()) == []


def test_the_command_of_the_report_repeats_the_run(tmp_path, whole_run, monkeypatch):
    from trulysparse.cli.grid import _running

    monkeypatch.chdir(tmp_path)
    (text,) = re.findall("<pre>(trulysparse grid run.*?)</pre>", (whole_run[0] / "report.html").read_text())
    seen = []
    monkeypatch.setattr(_running, "start_run", lambda call, overwrite: seen.append(call.settings.to_json()))
    run(*shlex.split(html.unescape(text))[1:])
    config = json.loads((whole_run[0] / "config.json").read_text())
    assert [json.loads(json.dumps(each)).items() <= config.items() for each in seen] == [True]


def test_help_says_units_and_names_the_commands():
    text = run("grid", "--help")
    for name in ("run", "bound", "report"):
        assert name in text
    assert "grid " in run("--help")
    text = " ".join(run("grid", "run", "--help").split())
    for word in ("$/kWh", "kWh", "--electric-vehicles", "--feeder"):
        assert word in text


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_with_the_same_bits(tmp_path):
    options = ["--homes", "2", "--train-homes", "2", "--hidden", "8", "--density", "0.3", "--no-references"]
    options += ["--length", "40", "--no-report", "--no-bounds", "--checkpoint-seconds", "0"]

    def command(name):
        return [sys.executable, "-m", "trulysparse", "grid", "run", *options, "--out", str(tmp_path / name)]

    subprocess.run(command("whole"), check=True, capture_output=True)
    process = subprocess.Popen(command("killed"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    checkpoint, end = tmp_path / "killed" / "agents" / "es-0" / "training.safetensors", time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert checkpoint.exists()
    done = subprocess.run(command("killed"), check=True, capture_output=True, text=True)
    assert "going on with the run in" in done.stderr
    whole, found = contents(tmp_path / "whole"), contents(tmp_path / "killed")
    assert sorted(whole) == sorted(found)
    assert all(found[name] == text for name, text in whole.items() if name.endswith(".safetensors"))
