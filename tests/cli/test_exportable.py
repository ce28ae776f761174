"""What can be exported of runs and files."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.cli._exportable import Choice, numbered
from trulysparse.cli._exporting import open_exportable
from trulysparse.rl.fleet_policy import FleetPolicy


def test_a_run_of_train_has_its_network_and_its_training_samples(trained):
    opened = open_exportable(trained / "r", Choice())
    assert opened.model.layer_sizes[0] == 6
    assert not opened.notes
    assert opened.calibration(None).shape == (120, 6)
    assert opened.calibration(str(trained / "nolabels.npz")).shape == (150, 6)


def test_a_model_file_has_its_model_and_no_samples(trained):
    opened = open_exportable(trained / "r" / "model.safetensors", Choice())
    assert isinstance(opened.model, ts.SparseMLP)
    with pytest.raises(ts.InputError, match="--calibrate FILE"):
        opened.calibration(None)
    assert opened.calibration(str(trained / "nolabels.npz")).shape == (150, 6)


def test_an_agent_of_a_fleet_is_chosen_by_its_number(tmp_path):
    fleet = ts.Fleet(3, (4, 8, 2), density=0.5, output="identity", seed=0)
    ts.save(fleet, tmp_path / "fleet.safetensors")
    FleetPolicy(fleet, head="tanh", n_actions=2).save(tmp_path / "policies.safetensors")
    X = np.ones((1, 4), np.float32)
    for name in ("fleet", "policies"):
        path = tmp_path / f"{name}.safetensors"
        found = open_exportable(path, Choice(agent="2")).model
        expected = fleet[2].predict(X)
        assert np.allclose(found.predict(X)[0], np.tanh(expected) if name == "policies" else expected, atol=1e-6)
        with pytest.raises(ts.InputError, match=r"--agent: .* holds 3 agents; give the number of one, 0 to 2"):
            open_exportable(path, Choice())
        with pytest.raises(ts.InputError, match="--agent must be the number of one of the 3 agents, 0 to 2, not '3'"):
            open_exportable(path, Choice(agent="3"))


@pytest.mark.parametrize("choice", [{"seed": 1}, {"best": True}, {"agent": "1"}, {"learner": "es-0"}])
def test_choices_that_a_run_does_not_have_are_refused(trained, choice):
    [name] = choice
    for path in (trained / "r", trained / "r" / "model.safetensors"):
        with pytest.raises(ts.InputError, match=f"--{name}: "):
            open_exportable(path, Choice(**choice))


def test_folders_and_files_that_hold_no_model_are_refused(trained):
    for path, said in (
        ("", "is not a run folder"),
        ("none", "is not a run folder"),
        ("d.npz", "not a trulysparse model"),
    ):
        with pytest.raises(ts.InputError, match=said):
            open_exportable(trained / path, Choice())


def test_of_one_agent_none_needs_to_be_named(tmp_path):
    assert numbered(None, 1, "agents", tmp_path) == 0
    assert numbered("0", 1, "agents", tmp_path) == 0
