"""IQL and VDN: their loss against one written transition by transition, evolution, and that they learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from team_games import TWO_STEPS, SignalGame, TwoStepGame
from trulysparse.errors import InputError
from trulysparse.evolution import GSE, MEST, SET, CHTs, RigL
from trulysparse.rl.targets import SoftMellowmax
from trulysparse.rl.team_evaluation import evaluate_team
from trulysparse.rl.vdn import IQL, VDN

pytest.importorskip("gymnasium")

SMALL: dict[str, Any] = {
    "hidden_layer_sizes": (16,),
    "density": 0.5,
    "batch_size": 12,
    "learning_starts": 20,
    "buffer_size": 60,
}


def played(kind: Any, **settings: Any) -> Any:
    """A team after some updates, with targets of their own, in a game that one agent leaves earlier."""
    game = SignalGame((3, 2, 3), (4, 3, 4), length=4, leaves={"player_1": 2}, truncated=False)
    return kind(game, seed=1, **{**SMALL, **settings}).learn(100)


def value(values: np.ndarray, chosen_by: np.ndarray, settings: Any) -> float:
    """The value of one agent's next choice, of its choices."""
    if settings.soft_mellowmax is not None:
        p = np.exp(settings.soft_mellowmax.alpha * values)
        omega = settings.soft_mellowmax.omega
        return float(np.log((p / p.sum() * np.exp(omega * values)).sum()) / omega)
    return float(values[np.argmax(chosen_by if settings.double else values)])


def naive_errors(team: Any, slots: np.ndarray) -> np.ndarray:
    """(n_agents, length, n_sequences) errors of the values of actions, NaN where nothing is to be learned; those of
    mixed values repeated for each agent."""
    replay, s, n = team.replay, team.settings, team.spaces.n_agents
    length, n_sequences = slots.shape
    errors = np.full((n, length, n_sequences), np.nan)

    def of_net(net: Any, slot: int, agent: int) -> np.ndarray:
        x = replay.observations[slot, agent].astype(float)
        if s.share_parameters:
            x = np.concatenate([x, np.eye(n)[agent]])
        for number, layer in enumerate(net.layers):
            x = x @ layer.weight.toarray().T.astype(float) + layer.bias
            x = np.maximum(x, 0) if number < len(net.layers) - 1 else x
        return x[: team.spaces.n_actions[agent]]

    learners = list(team.networks.learners.values())
    for sequence in range(n_sequences):
        q, following, goes_on = np.zeros((n, length)), np.zeros((n, length)), np.zeros((n, length))
        for t in range(length):
            slot, after = slots[t, sequence], (slots[t, sequence] + 1) % replay.capacity
            for agent in range(n):
                learner = learners[0 if s.share_parameters else agent]
                q[agent, t] = of_net(learner.nets[0], slot, agent)[replay.actions[slot, agent]]
                next_values = of_net(learner.targets[0], after, agent)
                following[agent, t] = value(next_values, of_net(learner.nets[0], after, agent), s)
                goes_on[agent, t] = replay.bootstraps[slot, agent]
        for agents in [[agent] for agent in range(n)] if team.mixer is None else [list(range(n))]:
            further = None  # the lambda-return of the transition after
            for t in range(length - 1, -1, -1):
                slot, after = slots[t, sequence], (slots[t, sequence] + 1) % replay.capacity
                there = [agent for agent in agents if replay.alive[slot, agent]]
                if not replay.starts[slot] or not there:
                    further = None
                    continue
                next_value = sum(following[agent, t] for agent in there if goes_on[agent, t])
                lambda_ = s.td_lambda if further is not None else 0.0
                target = (1 - lambda_) * next_value + lambda_ * (further or 0.0)
                bootstraps = any(goes_on[agent, t] for agent in there)
                further = sum(replay.rewards[slot, agent] for agent in agents) + s.gamma * bootstraps * target
                for agent in there:
                    errors[agent, t, sequence] = sum(q[each, t] for each in there) - further
    return errors


@pytest.mark.parametrize("kind", [IQL, VDN])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"double": False, "share_parameters": False},
        {"td_lambda": 0.7, "sequence_length": 4},
        {"soft_mellowmax": SoftMellowmax(1.0, 5.0), "td_lambda": 1.0, "sequence_length": 3},
        {"loss": "huber"},
    ],
)
def test_the_gradient_is_that_of_the_loss_of_each_transition(
    kind: Any, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    team = played(kind, **settings)
    seen: list[np.ndarray] = []
    draw, update = team.replay.sample, team.networks.update

    def sample(*arguments: Any) -> np.ndarray:
        slots = draw(*arguments)
        seen.extend([slots, naive_errors(team, slots)])
        return slots

    monkeypatch.setattr(team.replay, "sample", sample)
    monkeypatch.setattr(team.networks, "update", lambda *given: seen.extend(given))
    team.update()
    slots, errors, actions, gradient = seen
    np.testing.assert_array_equal(actions, team.replay.actions[slots.ravel()].T)
    slope = np.clip(errors, -1, 1) if team.settings.loss == "huber" else 2 * errors
    n = np.isfinite(errors).sum() if team.mixer is None else team.replay.starts[slots].sum()
    expected = np.where(np.isfinite(errors), slope, 0).reshape(3, -1) / n
    assert np.isnan(errors).any()  # an agent was out
    np.testing.assert_allclose(gradient, expected, rtol=2e-3, atol=1e-6)
    monkeypatch.undo()
    assert update == team.networks.update


@pytest.mark.parametrize("kind", [IQL, VDN])
@pytest.mark.parametrize("shared", [True, False])
def test_agents_learn_what_is_wanted(kind: Any, shared: bool) -> None:
    game = SignalGame((3, 2), (5, 3), length=5)
    team = kind(
        game,
        share_parameters=shared,
        hidden_layer_sizes=(32,),
        density=0.3,
        batch_size=32,
        learning_starts=100,
        train_freq=1,
        learning_rate=3e-3,
        gamma=0.5,
        seed=0,
    )
    before, _ = evaluate_team(team, SignalGame((3, 2), (5, 3), length=5), 30)
    mean, _ = evaluate_team(team.learn(700), SignalGame((3, 2), (5, 3), length=5), 30)
    assert before < 3.5  # of 5; chance is about 2.1
    assert mean > 4.7


@pytest.mark.parametrize(
    "evolution",
    [
        SET(0.3, every_updates=10),
        RigL(0.3, every_updates=10, until=30),
        CHTs(every_updates=10),
        GSE(every_updates=10, until=30),
        MEST(every_updates=10),
    ],
)
@pytest.mark.parametrize("shared", [True, False])
def test_targets_have_the_topology_that_evolves(evolution: Any, shared: bool) -> None:
    team = VDN(SignalGame(), evolution=evolution, share_parameters=shared, seed=0, **(SMALL | {"train_freq": 1}))
    n_connections = team.n_connections
    shared_topology: list[bool] = []

    def look(agent: Any) -> None:
        for learner in agent.learners.values():
            for layer, target in zip(learner.nets[0].layers, learner.targets[0].layers, strict=True):
                shared_topology.append(layer.connectivity is target.connectivity)

    team.learn(60, callbacks=look)
    assert all(shared_topology)
    assert team.n_connections == n_connections
    assert all(learner.replaced > 0 for learner in team.learners.values())


def test_the_sum_of_values_cannot_tell_what_depends_on_both() -> None:
    """Table 1 of QMIX's paper: VDN finds 7 on both sides, though one pays 8."""
    team = VDN(
        TwoStepGame(),
        **TWO_STEPS,
        seed=0,
    ).learn(2500)
    values = [team.networks.act(np.tile(np.eye(3, dtype=np.float32)[where], (2, 1))).copy() for where in range(3)]
    first, safe, risky = ((q[:, :1] + q[:, 1]).ravel() for q in values)
    np.testing.assert_allclose(safe, [7, 7, 7, 7], atol=0.4)
    np.testing.assert_allclose(risky, [-1.87, 2.31, 2.33, 6.51], atol=0.6)
    assert first[:2].mean() > first[2:].mean()


def test_mixers_of_other_kinds_are_refused() -> None:
    with pytest.raises(InputError, match="mixer must be 'vdn' or None, not 'qmix'"):
        VDN(SignalGame(), mixer="qmix")
    assert VDN(SignalGame(), mixer=None).mixer is None


@pytest.mark.slow
@pytest.mark.parametrize("kind", [VDN, IQL])
def test_a_team_learns_to_spread(kind: Any) -> None:
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    team = kind(spread.parallel_env(), density=0.2, seed=0).learn(15_000)
    mean, _ = evaluate_team(team, spread.parallel_env(), 100)
    assert mean >= -22  # random actions: -26.4
