"""QMIX: its gradient against central differences through both networks, and the game that tells it from VDN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from team_games import TWO_STEPS, SignalGame, TwoStepGame
from trulysparse.evolution import SET, RigL
from trulysparse.rl.mixing import MixingParameters, mix
from trulysparse.rl.qmix import QMIX
from trulysparse.rl.team_evaluation import evaluate_team

pytest.importorskip("gymnasium")


def dense(net: Any, x: np.ndarray) -> np.ndarray:
    """A network in float64, samples along the first axis."""
    for number, layer in enumerate(net.layers):
        x = x @ layer.weight.toarray().T.astype(float) + layer.bias
        x = np.maximum(x, 0) if number < len(net.layers) - 1 else x
    return x


def small(**settings: Any) -> QMIX:
    defaults: dict[str, Any] = {
        "hidden_layer_sizes": (16,),
        "density": 0.5,
        "batch_size": 8,
        "learning_starts": 20,
        "mixing_units": 4,
        "hypernetwork_size": 8,
        "mixer_density": 0.5,
    }
    return QMIX(SignalGame((3, 2), (4, 3), length=4), seed=1, **{**defaults, **settings})


def test_gradients_are_those_of_central_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of one batch, as a function of the agents' values and of the hypernetworks' outputs."""
    team = small(td_lambda=0.5, sequence_length=2).learn(80)
    assert team.replay is not None
    replay, seen = team.replay, {}
    draw = replay.sample

    def sample(*given: Any) -> np.ndarray:
        seen["slots"] = draw(*given)
        nets = [learner.nets[0] for learner in team.hypernetworks.values()]
        targets = [learner.targets[0] for learner in team.hypernetworks.values()]
        slots = seen["slots"].ravel()
        seen["parameters"] = [dense(net, replay.states[slots].astype(float)).T for net in nets]
        following = replay.states[replay.following(slots)].astype(float)
        seen["next"] = MixingParameters(*(dense(net, following).T for net in targets))
        return seen["slots"]

    monkeypatch.setattr(replay, "sample", sample)
    monkeypatch.setattr(team.networks, "update", lambda actions, gradient: seen.update(a=actions, g=gradient))
    for name, learner in team.hypernetworks.items():
        monkeypatch.setattr(learner, "update", lambda name=name, learner=learner: seen.update({name: learner.dy[0]}))
    next_values = team._next_values
    monkeypatch.setattr(team, "_next_values", lambda m: seen.setdefault("v", next_values(m)))
    team.update()
    slots, parameters = seen["slots"], seen["parameters"]
    flat = slots.ravel()
    team.networks.load(replay, flat)
    values = np.take_along_axis(team.networks.values(), seen["a"][None], 0)[0].astype(float)
    goes_on = replay.bootstraps[flat].T
    next_total = mix(seen["v"].astype(float) * goes_on, seen["next"]).total
    rewards = replay.rewards[flat].sum(axis=1)
    one_step = rewards + team.settings.gamma * goes_on.any(axis=0) * next_total
    targets = one_step.reshape(slots.shape).copy()
    longer = replay.starts[slots[1]]
    discount = team.settings.gamma * 0.5 * goes_on.any(axis=0).reshape(slots.shape)[0]
    targets[0] += np.where(longer, discount * (targets[1] - next_total.reshape(slots.shape)[0]), 0)
    counts = replay.starts[flat]

    def loss() -> float:
        error = mix(values, MixingParameters(*parameters)).total - targets.ravel()
        return float((error**2)[counts].sum() / counts.sum())

    for array, gradient in [
        (values, seen["g"]),
        *((array, seen[name][:, :8]) for array, name in zip(parameters, team.hypernetworks, strict=True)),
    ]:
        assert np.abs(gradient).max() > 0
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + 1e-5
            above = loss()
            array[place] = kept - 1e-5
            below = loss()
            array[place] = kept
            assert gradient[place] == pytest.approx((above - below) / 2e-5, abs=2e-4, rel=5e-3)


def test_what_depends_on_both_agents_is_found() -> None:
    """Table 1 of QMIX's paper (Rashid et al. 2018): the team finds out that the risky side pays 8."""
    team = QMIX(
        TwoStepGame(),
        **TWO_STEPS,
        mixing_units=8,
        hypernetwork_size=16,
        mixer_density=0.5,
        soft_mellowmax=None,
        seed=0,
    ).learn(2000)
    tables = []
    for where in range(3):
        q = team.networks.act(np.tile(np.eye(3, dtype=np.float32)[where], (2, 1)))
        values = np.array([[q[a, 0], q[b, 1]] for a in range(2) for b in range(2)]).T
        state = np.tile(np.eye(3)[where], (4, 1))
        parameters = [dense(learner.nets[0], state).T for learner in team.hypernetworks.values()]
        tables.append(mix(values, MixingParameters(*parameters)).total)
    np.testing.assert_allclose(tables, [[6.93, 6.93, 7.92, 7.92], [7, 7, 7, 7], [0, 1, 1, 8]], atol=0.3)
    assert evaluate_team(team, TwoStepGame(), 1)[0] == 4  # 8 of two agents


@pytest.mark.parametrize("evolution", [SET(0.3, every_updates=10), RigL(0.3, every_updates=10, until=25)])
def test_targets_of_mixer_and_agents_have_the_topology_that_evolves(evolution: Any) -> None:
    team = small(evolution=evolution, mixer_evolution=evolution, train_freq=1)
    n_connections = team.n_connections
    team.learn(60)
    for name, learner in team.learners.items():
        for layer, target in zip(learner.nets[0].layers, learner.targets[0].layers, strict=True):
            assert layer.connectivity is target.connectivity
        if name != "b1" or isinstance(evolution, RigL):  # one layer, the last, which SET leaves as it is
            assert learner.replaced > 0
    assert team.n_connections == n_connections


@pytest.mark.parametrize("settings", [{"soft_mellowmax": None}, {"td_lambda": 0.6, "sequence_length": 4}])
def test_a_team_learns(settings: dict[str, Any]) -> None:
    team = small(hidden_layer_sizes=(32,), batch_size=32, mixing_units=8, learning_rate=3e-3, **settings)
    mean, _ = evaluate_team(team.learn(1000), SignalGame((3, 2), (4, 3), length=4), 30)
    assert mean > 3.6  # of 4; chance is about 1.7


@pytest.mark.slow
def test_a_team_learns_to_spread() -> None:
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    team = QMIX(spread.parallel_env(), seed=0).learn(15_000)
    mean, _ = evaluate_team(team, spread.parallel_env(), 100)
    assert mean >= -22  # random actions: -26.4
