"""Run folders of agents."""

from __future__ import annotations

import json

import pytest

from agent_logs import LOG, write_log
from command import contents
from trulysparse.cli.rl._run_folder import (
    check_free,
    clear,
    read_agent_run,
    read_settings,
    seed_folder,
    write_config,
    write_object,
)
from trulysparse.cli.rl._settings import AgentSettings
from trulysparse.errors import InputError

SETTINGS = AgentSettings(env="Pendulum-v1", algorithm="td3", seed=4, seeds=2, density=(0.4, 1.0), hidden=(8,))


@pytest.fixture
def run(tmp_path):
    """A run of two seeds, of which the first one has finished."""
    out = tmp_path / "run"
    out.mkdir()
    write_config(out, SETTINGS, threads=2)
    for seed in SETTINGS.all_seeds:
        write_log(seed_folder(out, SETTINGS, seed))
    write_object(out / "seed-4" / "results.json", {"seed": 4, "mean_return": -300.0, "seconds": 9.0})
    return out


def test_settings_come_back(run):
    assert read_settings(run) == (SETTINGS, 2)
    assert seed_folder(run, AgentSettings(env="e"), 0) == run


def test_what_is_known_of_a_run(run):
    found = read_agent_run(run, "name")
    assert (found.name, found.finished, found.config["density"]) == ("name", False, (0.4, 1.0))
    assert [seed.seed for seed in found.seeds] == [4, 5]
    figures = found.figures()
    assert figures["mean_return"] == pytest.approx(-350)
    assert (figures["steps"], figures["seconds"]) == (300, (9.0 + 4.0) / 2)
    write_object(run / "seed-5" / "results.json", {"seed": 5, "mean_return": -100.0})
    assert read_agent_run(run, "").finished


def test_a_run_of_one_seed_holds_its_figures_in_those_of_the_run(tmp_path):
    settings = AgentSettings(env="e", seed=3)
    write_config(tmp_path, settings, threads=1)
    assert read_agent_run(tmp_path, "").seeds == []
    write_log(tmp_path)
    write_object(tmp_path / "results.json", {"mean_return": -1.0, "seeds": [{"seed": 3, "mean_return": -1.0}]})
    found = read_agent_run(tmp_path, "")
    assert found.finished
    assert found.seeds[0].results == {"seed": 3, "mean_return": -1.0}


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("config.json", "{", "is not a run folder of agents"),
        ("config.json", '{"kind": "agents"}', "cannot be read"),
        ("config.json", '{"kind": "agents", "env": "e", "threads": "two"}', "cannot be read"),
        ("config.json", '{"kind": "agents", "env": "e", "steps": -3}', "cannot be read"),
        ("seed-4/progress.csv", LOG.replace("-900,", "many,"), "progress.csv' cannot be read"),
        ("seed-4/results.json", "[]", "results.json' cannot be read"),
        ("seed-4/results.json", '{"seeds": 3}', "results.json' cannot be read"),
    ],
)
def test_damaged_files(run, name, text, message):
    (run / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_agent_run(run, "")


def test_a_log_in_the_making_is_read(run):
    path = run / "seed-5" / "progress.csv"
    path.write_text(LOG + "400,5.0,7")
    assert read_agent_run(run, "").seeds[1].last("time/total_timesteps") == 300


def test_folders_of_something_else(tmp_path, run):
    with pytest.raises(InputError, match="does not exist"):
        read_settings(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        read_settings(tmp_path / "file")
    with pytest.raises(InputError, match="is not a run folder of agents"):
        read_settings(tmp_path)
    (tmp_path / "model.safetensors").write_text("")
    with pytest.raises(InputError, match="is a run of `trulysparse train`"):
        read_settings(tmp_path)
    with pytest.raises(InputError, match="holds a run of `trulysparse train`"):
        check_free(tmp_path, overwrite=True)


def test_what_may_be_written_over(run, tmp_path):
    with pytest.raises(InputError, match=r"broken off; go on with `trulysparse rl resume .*run`"):
        check_free(run, overwrite=False)
    write_object(run / "results.json", {})
    with pytest.raises(InputError, match="holds a finished run"):
        check_free(run, overwrite=False)
    check_free(run, overwrite=True)
    (tmp_path / "policy.safetensors").write_text("mine")
    with pytest.raises(InputError, match=r"policy.safetensors' is in the way"):
        check_free(tmp_path, overwrite=True)


def test_nothing_is_removed_that_was_not_made_here(run):
    (run / "notes.txt").write_text("mine")
    (run / "seed-5" / "picture.png").write_text("mine")
    (run / "seed-9").mkdir()
    (run / "seed-9" / "progress.csv").write_text("of another run")
    (run / "seed-4" / "events.out.tfevents.1.host").write_text("")
    write_object(run / "results.json", {})
    clear(run)
    assert sorted(contents(run)) == ["notes.txt", "seed-5/picture.png", "seed-9/progress.csv"]
    assert not (run / "seed-4").exists()


def test_config_names_what_it_is(run):
    assert json.loads((run / "config.json").read_text())["kind"] == "agents"
