"""trulysparse rl compare."""

from __future__ import annotations

import pytest

from agent_logs import LOG, write_log
from command import SMALL, contents, last_json, refused, run
from trulysparse.cli.rl._run_folder import seed_folder, write_config
from trulysparse.cli.rl._settings import AgentSettings


@pytest.fixture
def runs(tmp_path):
    """Runs a and b of three seeds each, of other densities; c of another environment and one seed."""
    for name, settings in {
        "a": AgentSettings(env="Pendulum-v1", algorithm="td3", seeds=3, density=0.1),
        "b": AgentSettings(env="Pendulum-v1", algorithm="td3", seeds=3, density=0.2),
        "c": AgentSettings(env="CartPole-v1", algorithm="dqn"),
    }.items():
        (tmp_path / name).mkdir()
        write_config(tmp_path / name, settings, threads=1)
        for seed in settings.all_seeds:
            folder = seed_folder(tmp_path / name, settings, seed)
            write_log(folder, LOG.replace("-400,", f"{-400 - 30 * seed**2},"))
    return tmp_path


def test_compare_figures_and_differing_settings(runs):
    output = run("rl", "compare", runs / "a", runs / "b", "--json")
    found = last_json(output)
    for name, figures in zip("ab", found["runs"], strict=True):
        assert figures["run"] == str(runs / name)
        assert figures["mean_return"] == pytest.approx(-450)
        assert figures["lowest_return"] == -520
        assert figures["highest_return"] == -400
        assert figures["std_over_seeds"] == pytest.approx(62.45, abs=0.01)
        assert (figures["seeds"], figures["connections"], figures["replay_mb"]) == (3, 500, 1)
    assert found["differences"] == {"density": [0.1, 0.2]}
    assert "interquartile mean" in output
    assert [each for each in found["warnings"] if "not finished" not in each] == []


def test_compare_page_and_warnings(runs):
    before = contents(runs)
    found = last_json(run("rl", "compare", runs / "a", runs / "c", "--out", runs / "page.html", "--json"))
    assert any("different environments" in warning for warning in found["warnings"])
    assert "Return against seconds" in (runs / "page.html").read_text()
    after = contents(runs)
    del after["page.html"]
    assert after == before


def test_compare_one_run(runs):
    assert "settings" not in run("rl", "compare", runs / "a")
    assert "The runs have the same settings." in run("rl", "compare", runs / "a", runs / "a")


@pytest.mark.parametrize(
    "options, message",
    [
        (["none"], "does not exist"),
        (["."], "is not a run folder of agents"),
        (["a", "--out", "page.txt"], "--out must end in .html"),
        (["a", "--out", "none/page.html"], "--out: folder"),
    ],
)
def test_compare_refusals(runs, monkeypatch, options, message):
    monkeypatch.chdir(runs)
    before = contents(runs)
    assert message in refused("rl", "compare", *options)
    assert contents(runs) == before


def test_each_command_knows_the_runs_of_the_other(runs):
    run("train", "digits", "--out", runs / "d", *SMALL)
    before = contents(runs)
    for arguments, message in [
        (["rl", "compare", runs / "d"], "is a run of `trulysparse train`, not of agents"),
        (["rl", "resume", runs / "d"], "is a run of `trulysparse train`"),
        (["rl", "evaluate", runs / "d"], "is a run of `trulysparse train`"),
        (["rl", "train", "Pendulum-v1", "--out", runs / "d", "--overwrite"], "holds a run of `trulysparse train`"),
        (["compare", runs / "a"], "which `trulysparse rl compare` shows"),
        (["resume", runs / "a"], "with which `trulysparse rl resume` goes on"),
        (["evaluate", runs / "a", "digits"], "which `trulysparse rl` is for"),
        (["train", "digits", "--out", runs / "a", *SMALL], "holds a run of agents; give another folder"),
        (["train", "digits", "--out", runs / "a", *SMALL, "--overwrite"], "holds a run of agents"),
    ]:
        assert message in refused(*arguments)
    assert contents(runs) == before
