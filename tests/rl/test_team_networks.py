"""Networks of agents against forward passes agent by agent."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.rl.team_environment import TeamSpaces
from trulysparse.rl.team_networks import AgentNetworks
from trulysparse.rl.team_replay import TeamReplay
from trulysparse.rl.team_settings import TeamSettings

SPACES = TeamSpaces(("a", "b", "c"), (4, 4, 2), (3, 3, 2))


def replay_of(n: int) -> TeamReplay:
    replay, rng = TeamReplay(100, SPACES), np.random.default_rng(0)
    for _ in range(n):
        replay.begin(rng.normal(size=(3, 4)).astype(np.float32), np.ones(3, bool))
    return replay


def by_hand(networks: AgentNetworks, observations: np.ndarray, targets: bool) -> np.ndarray:
    """(n_choices, n_agents, n) of observations (n, n_agents, width), one agent at a time."""
    out = np.empty((3, 3, len(observations)))
    learners = list(networks.learners.values())
    for agent in range(3):
        learner = learners[0 if networks.shared else agent]
        X = observations[:, agent]
        if networks.shared:
            X = np.hstack([X, np.tile(np.eye(3, dtype=np.float32)[agent], (len(X), 1))])
        net = (learner.targets if targets else learner.nets)[0]
        out[:, agent] = net.forward(X).output.T
    out[2, 2] = -np.inf  # the third agent has two choices
    return out


@pytest.mark.parametrize("shared", [True, False])
def test_values_are_those_of_each_agent_by_itself(shared: bool) -> None:
    networks = AgentNetworks(SPACES, TeamSettings(batch_size=5, share_parameters=shared), seed=1)
    replay, slots = replay_of(60), np.arange(7, 57, 10)
    networks.load(replay, slots)
    np.testing.assert_allclose(networks.values(), by_hand(networks, replay.observations[slots], False), rtol=1e-6)
    rng = np.random.default_rng(0)
    for learner in networks.learners.values():
        learner.targets[0].layers[0].values[:] = rng.normal(size=learner.targets[0].layers[0].values.shape)
    networks.load_targets(replay, slots + 1)
    expected = by_hand(networks, replay.observations[slots + 1], True)
    np.testing.assert_allclose(networks.target_values(), expected, rtol=1e-5)


@pytest.mark.parametrize("shared", [True, False])
def test_acting_is_the_same_network(shared: bool) -> None:
    networks = AgentNetworks(SPACES, TeamSettings(batch_size=5, share_parameters=shared), seed=1)
    observations = np.random.default_rng(1).normal(size=(1, 3, 4)).astype(np.float32)
    np.testing.assert_allclose(networks.act(observations[0]), by_hand(networks, observations, False)[..., 0], rtol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
def test_an_update_goes_down_the_gradient_of_the_values_that_were_chosen(shared: bool) -> None:
    """Against a dense network's gradient in float64, agent by agent."""
    settings = TeamSettings(
        batch_size=5, share_parameters=shared, hidden_layer_sizes=(16,), density=0.6, evolution=None
    )
    networks = AgentNetworks(SPACES, settings, seed=2)
    replay, slots, rng = replay_of(60), np.arange(3, 53, 10), np.random.default_rng(3)
    actions = rng.integers(0, 2, (3, 5))
    gradient = rng.normal(size=(3, 5)).astype(np.float32)
    networks.load(replay, slots)
    networks.values()
    learners = list(networks.learners.values())
    before = [[layer.weight.toarray().T.astype(float) for layer in learner.nets[0].layers] for learner in learners]
    expected = [[np.zeros_like(w) for w in weights] for weights in before]
    for agent in range(3):
        number = 0 if shared else agent
        first, second = before[number]  # (inputs, outputs)
        for sample, slot in enumerate(slots):
            x = replay.observations[slot, agent].astype(float)
            if shared:
                x = np.concatenate([x, np.eye(3)[agent]])
            hidden = np.maximum(x @ first, 0)
            dy = np.zeros(3)
            dy[actions[agent, sample]] = gradient[agent, sample]
            expected[number][1] += np.outer(hidden, dy)
            expected[number][0] += np.outer(x, (second @ dy) * (hidden > 0))
    networks.update(actions, gradient)
    n_compared = 0
    for learner, weights, wanted in zip(learners, before, expected, strict=True):
        for layer, old, gradients in zip(learner.nets[0].layers, weights, wanted, strict=True):
            there = np.abs(gradients) > 1e-3
            there &= layer.weight.toarray().T != 0
            moved = layer.weight.toarray().T - old
            n_compared += there.sum()
            # Adam's first step is the learning rate, against the gradient's sign.
            np.testing.assert_allclose(moved[there], -5e-4 * np.sign(gradients[there]), rtol=1e-2)
    assert n_compared > 20


def test_all_agents_of_one_network_are_one_pass() -> None:
    networks = AgentNetworks(SPACES, TeamSettings(batch_size=16))
    assert list(networks.learners) == ["agents"]
    learner = networks.learners["agents"]
    assert (learner.batch_size, learner.columns) == (48, 48)
    apart = AgentNetworks(SPACES, TeamSettings(batch_size=16, share_parameters=False))
    assert list(apart.learners) == ["a", "b", "c"]
    first, second = (apart.learners[name].nets[0].layers[0] for name in "ab")
    assert not np.array_equal(first.values, second.values[: len(first.values)])
