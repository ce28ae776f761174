"""Policies of runs of agents that are exported."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from command import run
from trulysparse.cli._exportable import Choice
from trulysparse.cli._exporting import open_exportable


@pytest.fixture
def agents(tmp_path, quick):
    """A run of two seeds."""
    run("rl", "train", "CartPole-v1", "--out", tmp_path / "r", *quick, "--seeds", 2)
    return tmp_path / "r"


def test_the_policy_of_a_seed_is_exported_and_sees_its_own_environment(agents):
    for seed in (0, 1):
        opened = open_exportable(agents, Choice(seed=seed))
        saved = ts.load(agents / f"seed-{seed}" / "policy.safetensors")
        seen = opened.calibration(None)
        assert seen.shape[1] == 4
        assert len(seen) > 20
        assert np.abs(seen).max() < 10
        assert np.array_equal(opened.model.predict(seen)[0], saved.predict(seen)[0])
    best = open_exportable(agents, Choice(seed=0, best=True)).model
    assert best.n_connections == ts.load(agents / "seed-0" / "best_policy.safetensors").n_connections


def test_what_a_run_of_agents_does_not_have_is_refused(agents):
    for choice, said in (
        (Choice(), "--seed: .* has 2 seeds; give one, 0 to 1"),
        (Choice(seed=2), "--seed must be one of the run's, 0, 1, not 2"),
        (Choice(seed=0, agent="1"), "--agent: .* is a run of one agent"),
        (Choice(seed=0, learner="es-0"), "--learner: "),
    ):
        with pytest.raises(ts.InputError, match=said):
            open_exportable(agents, choice)
