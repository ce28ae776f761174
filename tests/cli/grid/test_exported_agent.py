"""Agents of runs on the grid that are exported."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from command import run
from trulysparse.cli._exportable import Choice
from trulysparse.cli._exporting import open_exportable
from trulysparse.cli.grid._exported_agent import policy_of
from trulysparse.grid.agents import Agents
from trulysparse.grid.agents.policy import ActionMap


def test_the_agent_of_a_home_is_exported_with_what_it_saw_in_the_hours_that_it_learned_from(tmp_path, quick, rng):
    run("grid", "run", "--out", tmp_path / "r", *quick, "--no-report")
    opened = open_exportable(tmp_path / "r", Choice(agent="2"))
    agents = Agents.load(tmp_path / "r" / "agents" / "es-0.safetensors")
    seen = opened.calibration(None)
    assert seen.shape[1] == agents.fleet.layer_sizes[0]
    assert 200 < len(seen) < 4 * 168
    observations = rng.choice(seen, 3)
    for row in observations:
        outputs, _ = opened.model.predict(row)
        expected = agents.act(np.tile(row, (agents.n_homes, 1)).astype(np.float32))[2]
        assert np.allclose(np.clip(outputs, -1, 1), expected, atol=1e-6)
    assert "cut to -1 to 1" in opened.notes[0]
    for choice, said in (
        (Choice(), "--agent: .* holds 3 homes"),
        (Choice(agent="3"), "0 to 2, not '3'"),
        (Choice(agent="0", learner="td3-0"), "--learner must be one of es-0, not 'td3-0'"),
        (Choice(agent="0", seed=1), "--seed: .* is a run on the grid"),
    ):
        with pytest.raises(ts.InputError, match=said):
            open_exportable(tmp_path / "r", choice)


@pytest.mark.parametrize("squashed", [False, True])
def test_notes_say_what_makes_actions_of_outputs(squashed, rng):
    fleet = ts.Fleet(2, (5, 8, 1), density=0.5, output="identity", seed=1, bias=False)
    agents = Agents(fleet, ActionMap([-1.0], squashed=squashed), network_of=[1, 0, 1])
    policy, note = policy_of(agents, 2)
    observation = rng.standard_normal(5).astype(np.float32)
    z = policy(observation)
    c = np.float32(-0.8)
    a = np.tanh(z)
    action = np.where(a > 0, c + (1 - c) * a, c + (1 + c) * a) if squashed else np.clip(z, -1, 1)
    assert np.allclose(action, agents.act(np.tile(observation, (3, 1)))[2], atol=1e-6)
    assert note.endswith("c = -0.8") if squashed else "c = -0.8" in note


def test_of_agents_that_choose_the_policy_gives_the_number_of_the_choice(rng):
    fleet = ts.Fleet(1, (5, 8, 3), density=0.5, output="identity", seed=1)
    agents = Agents(fleet, ActionMap([-1.0]), choices=[-1.0, 0.0, 1.0])
    policy, note = policy_of(agents, 0)
    observation = rng.standard_normal(5).astype(np.float32)
    assert agents.choices[policy(observation)] == agents.act(observation[None])[0, 0]
    assert note.endswith("0: -1, 1: 0, 2: 1")
