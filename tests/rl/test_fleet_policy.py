"""Policies of a fleet against those of its networks, one by one."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.rl.fleet_policy import FleetPolicy


def fleet(n=5):
    return ts.Fleet(n, (3, 16, 2), density=0.5, output="identity", seed=3)


@pytest.mark.parametrize("head", ["tanh", "argmax", "identity"])
def test_it_answers_as_the_policy_of_each_agent(rng, head):
    bounds = {"low": [-2, 0], "high": [1, 5]} if head == "tanh" else {}
    scale = {"offset": rng.standard_normal((5, 3)), "factor": rng.uniform(0.5, 2, (5, 3))}
    policy = FleetPolicy(fleet(), head=head, n_actions=2, **bounds, **scale)
    observations = rng.standard_normal((5, 3)).astype(np.float32)
    actions, state = policy.predict(observations)
    assert state is None
    assert len(actions) == len(policy) == 5
    for agent, (action, observation) in enumerate(zip(actions, observations, strict=True)):
        np.testing.assert_allclose(policy[agent](observation), action, atol=1e-5)


def test_it_follows_its_fleet():
    own = fleet()
    policy, observations = FleetPolicy(own, head="identity", n_actions=2), np.ones((5, 3))
    before = policy.outputs(observations)
    own.layers[-1].bias += 1
    np.testing.assert_allclose(policy.outputs(observations), before + 1, rtol=1e-6)


def test_files(tmp_path, rng):
    scale = {"offset": rng.standard_normal((5, 3)), "factor": rng.uniform(0.5, 2, (5, 3))}
    policy = FleetPolicy(fleet(), head="tanh", n_actions=2, low=[-2, 0], high=[1, 5], **scale)
    policy.save(tmp_path / "policy.safetensors")
    same, observations = FleetPolicy.load(tmp_path / "policy.safetensors"), rng.standard_normal((5, 3))
    np.testing.assert_array_equal(same.predict(observations)[0], policy.predict(observations)[0])
    assert repr(same) == repr(policy)
    ts.save(ts.SparseMLP((3, 4, 2), epsilon=1), tmp_path / "net.safetensors")
    with pytest.raises(InputError, match="holds a SparseMLP, not the policies of a fleet"):
        FleetPolicy.load(tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    "options, words",
    [
        ({"head": "softmax"}, "head"),
        ({"n_actions": 3}, "n_actions"),
        ({"head": "argmax", "low": [0, 0]}, "low and high are for head='tanh'"),
        ({"low": [0]}, "low"),
        ({"offset": np.zeros((5, 3))}, "offset and factor must be given together"),
        ({"offset": np.zeros((5, 3)), "factor": np.ones((4, 3))}, "factor must be"),
        ({"offset": np.full((5, 3), np.nan), "factor": np.ones((5, 3))}, "offset must be"),
    ],
)
def test_arguments_are_checked(options, words):
    with pytest.raises(InputError, match=words):
        FleetPolicy(fleet(), **{"head": "tanh", "n_actions": 2} | options)


def test_observations_are_checked():
    policy = FleetPolicy(fleet(), head="tanh", n_actions=2)
    with pytest.raises(InputError, match=r"\(5, 3\), a row for each agent, not \(3,\)"):
        policy.predict(np.ones(3))
    observations = np.ones((5, 3))
    observations[4, 1] = np.inf
    with pytest.raises(InputError, match=r"observation\[4, 1\] is inf"):
        policy.predict(observations)
    with pytest.raises(InputError, match="fleet must be a Fleet"):
        FleetPolicy(ts.SparseMLP((3, 4, 2), epsilon=1), head="tanh", n_actions=2)


def test_pickles_answer_for_themselves(rng):
    policy = FleetPolicy(fleet(), head="tanh", n_actions=2)
    policy.predict(np.zeros((5, 3)))
    for same in (pickle.loads(pickle.dumps(policy)), copy.deepcopy(policy)):
        observations = rng.standard_normal((5, 3))
        np.testing.assert_array_equal(same.predict(observations)[0], policy.predict(observations)[0])
