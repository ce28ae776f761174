"""Options of `rl train`: those of the algorithms, by their names."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from real_process import modules_of_the_command
from trulysparse.cli import app
from trulysparse.cli.rl._algorithms import AGENTS, ALGORITHMS, class_of, settings_of
from trulysparse.cli.rl._settings import AgentSettings, as_options, spelled
from trulysparse.errors import InputError
from trulysparse.rl import presets
from trulysparse.rl.targets import SoftMellowmax

# What the command line leaves to presets: numbers of layers.
FOR_PYTHON_ALONE = {"evolving"}
CHANGES = [
    {},
    {"algorithm": "sac", "ent_coef": "0.2", "hidden": (64, 32), "density": (0.4, 0.5, 1.0), "save_replay": False},
    {"density": 0.1, "normalize_observations": True, "seeds": 5, "env_kwargs": '{"g": 9.0}', "eval_every": 0},
    {"algorithm": "vdn", "soft_mellowmax": True, "share_parameters": False, "td_lambda": 0.5, "sequence_length": 4},
    {"normalize_observations": False, "dynamic_capacity": True, "critic_evolution": "rigl", "gradient_steps": -1},
]


def test_every_setting_of_every_algorithm_is_an_option():
    options = {each.name for each in fields(AgentSettings)}
    settings = {name for algorithm in ALGORITHMS for name in settings_of(algorithm)}
    assert settings - options - FOR_PYTHON_ALONE == {"hidden_layer_sizes"}  # --hidden
    assert set(AGENTS) == set(presets.ALGORITHMS)
    assert [class_of(name).name for name in AGENTS] == list(AGENTS)
    assert issubclass(class_of("qmix"), class_of("vdn"))


@pytest.mark.parametrize("changes", CHANGES)
def test_the_command_gives_the_same_settings(monkeypatch, changes):
    """The words go through the command's own parser."""
    seen = []
    monkeypatch.setattr("trulysparse.cli.rl._training.start_agents", seen.append)
    settings = AgentSettings(env="it's/Here-v0", **changes)
    words = shlex.split(settings.command_line(Path("runs/a b")))
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, result.output
    assert (seen[0].settings, seen[0].out) == (settings, Path("runs/a b"))
    kept = json.loads(json.dumps({"kind": "agents", **settings.to_json()}))
    assert AgentSettings.from_json(kept) == settings


def test_values_reach_the_algorithm_by_its_names():
    assert AgentSettings(env="e", ent_coef="auto_0.1").given_settings() == {"ent_coef": "auto_0.1"}
    settings = AgentSettings(env="e", hidden=(8, 8), ent_coef="0.5", target_entropy="auto", seed=3, tau=0.1)
    assert settings.given_settings() == {
        "hidden_layer_sizes": (8, 8),
        "ent_coef": 0.5,
        "target_entropy": "auto",
        "tau": 0.1,
    }


def test_soft_mellowmax_is_that_of_its_source():
    assert AgentSettings(env="e", soft_mellowmax=True).given_settings() == {"soft_mellowmax": SoftMellowmax()}
    assert AgentSettings(env="e", soft_mellowmax=False).given_settings() == {}


def test_steps_between_evaluations_and_checkpoints():
    assert AgentSettings(env="e", steps=1000).evaluation_steps == 50
    assert AgentSettings(env="e", steps=7).evaluation_steps == 1
    assert AgentSettings(env="e", steps=1000, eval_every=0).evaluation_steps == 1000
    assert AgentSettings(env="e", steps=1000, eval_every=300).checkpoint_steps == 300
    assert AgentSettings(env="e", steps=1000, eval_every=300, checkpoint_every=0).checkpoint_steps == 1000
    assert list(AgentSettings(env="e", seed=4, seeds=3).all_seeds) == [4, 5, 6]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"algorithm": "ppo"}, "--algorithm must be one of td3, sac, dqn, iql, vdn, qmix, not 'ppo'"),
        ({"algorithm": "dqn", "policy_delay": 3}, "--policy-delay is a setting of td3, not of dqn"),
        ({"algorithm": "td3", "ent_coef": "auto"}, "--ent-coef is a setting of sac, not of td3"),
        ({"algorithm": "dqn", "critic_density": 0.1}, "--critic-density is a setting of td3 and sac, not of dqn"),
        ({"algorithm": "td3", "target_update_interval": 2}, "is a setting of sac, dqn, iql, vdn and qmix, not of td3"),
        ({"algorithm": "vdn", "mixer_density": 0.1}, "--mixer-density is a setting of qmix, not of vdn"),
        ({"algorithm": "vdn", "n_envs": 2}, "--n-envs is for td3, sac and dqn, not for vdn"),
        ({"algorithm": "qmix", "preset": "ultra"}, "--preset is for td3, sac and dqn, not for qmix"),
        ({"algorithm": "sac", "ent_coef": "much"}, "--ent-coef must be a number or auto, not 'much'"),
        ({"steps": 0}, "--steps must be at least 1, not 0"),
        ({"seeds": 0}, "--seeds must be at least 1"),
        ({"n_envs": 0}, "--n-envs must be at least 1"),
        ({"eval_every": -1}, "--eval-every must be at least 0"),
        ({"eval_episodes": 0}, "--eval-episodes must be at least 1"),
        ({"noise_features": 1.0}, "--noise-features must lie in (0, 1), not 1.0"),
        ({"env_kwargs": "[1]"}, "--env-kwargs must be a JSON object"),
        ({"env_kwargs": "{"}, "--env-kwargs must be a JSON object"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        AgentSettings(env="e", **changes).check()


@pytest.mark.parametrize(
    "values, message",
    [
        ({}, "env is missing"),
        ({"env": 3}, "env cannot be 3"),
        ({"env": "e", "steps": "many"}, 'steps cannot be "many"'),
        ({"env": "e", "hidden": [1.5, "x"]}, "hidden cannot be"),
    ],
)
def test_damaged_settings(values, message):
    with pytest.raises(ValueError, match=message):
        AgentSettings.from_json(values)


def test_errors_of_agents_name_options():
    settings = AgentSettings(env="e", evolution="no", density=0.1, critic_density=0.2)
    for text, said in [
        ("actor_evolution must be", "--evolution must be"),
        ("critic_density must be", "--critic-density must be"),
        ("actor_density must be", "--density must be"),
        ("learning_rate must lie in (0, inf), not -1", "--learning-rate must lie"),
        ("hidden_layer_sizes must be", "--hidden must be"),
        ("normalize_observations must be", "--normalize must be"),
        ("env must be the id", "ENV must be the id"),
        ("something else", "something else"),
    ]:
        with pytest.raises(InputError) as error, as_options(settings):
            raise InputError(text)
        assert str(error.value).startswith(said)
    assert spelled("save_replay") == "--save-replay"


def test_importing_the_commands_imports_no_gymnasium_and_no_agents():
    loaded = modules_of_the_command()
    assert "trulysparse.cli.rl.train" in loaded
    assert not {"gymnasium", "pettingzoo", "mpe2", "trulysparse.rl.agent", "trulysparse.rl.team"} & loaded
