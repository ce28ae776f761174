"""TD3's update against dense networks in float64, written naively."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import trulysparse as ts
from agent_reference import BOX, assert_mixed, assert_stepped, backward, batch_of, dense, filled, run, with_plain_steps
from trulysparse.rl.td3 import TD3


def agent(**settings):
    given = dict(batch_size=20, hidden_layer_sizes=(12, 9), density=0.5, tau=0.1, policy_delay=2, gamma=0.9, seed=1)
    return with_plain_steps(filled(TD3(BOX, **given | settings)))


def test_an_update_of_the_critics_is_the_papers():
    td3 = agent()
    (s, a, r, discount, s2), rng = batch_of(td3)
    q, qt = ([dense(net) for net in nets] for nets in (td3.critic.nets, td3.critic.targets))
    noise = np.clip(rng.standard_normal((2, td3.critic.columns), np.float32)[:, :20] * 0.2, -0.5, 0.5)
    a2 = np.clip(np.tanh(run(dense(td3.actor.targets[0]), s2)[-1]) + noise, -1, 1)
    y = r + discount * np.minimum(*(run(each, np.vstack([s2, a2]))[-1] for each in qt))
    actor = [layer.values.copy() for layer in td3.actor.nets[0].layers]
    td3.update()
    for net, weights in zip(td3.critic.nets, q, strict=True):
        values = run(weights, np.vstack([s, a]))
        assert_stepped(net, weights, backward(weights, values, 2 / 20 * (values[-1] - y))[0])
    losses = [np.mean((run(weights, np.vstack([s, a]))[-1] - y) ** 2) for weights in q]
    assert td3.metrics["train/critic_loss"] == pytest.approx(sum(losses), rel=1e-4)
    for layer, values in zip(td3.actor.nets[0].layers, actor, strict=True):  # it waits
        np.testing.assert_array_equal(layer.values, values)
    for target, weights in zip(td3.critic.targets, qt, strict=True):
        assert_mixed(target, weights, target, 0)


def test_an_update_of_the_actor_goes_up_the_first_critic_and_targets_follow():
    td3 = agent()
    td3.update()
    (s, *_), _ = batch_of(td3)
    pi, targets = dense(td3.actor.nets[0]), [dense(each) for each in (*td3.actor.targets, *td3.critic.targets)]
    td3.update()
    q = dense(td3.critic.nets[0])  # after its own update
    values = run(pi, s)
    a = np.tanh(values[-1])
    through = run(q, np.vstack([s, a]))
    dq = backward(q, through, np.full((1, 20), -1 / 20))[1][3:]
    assert_stepped(td3.actor.nets[0], pi, backward(pi, values, dq * (1 - a**2))[0])
    online = [*td3.actor.nets, *td3.critic.nets]
    for target, before, net in zip((*td3.actor.targets, *td3.critic.targets), targets, online, strict=True):
        assert_mixed(target, before, net, 0.1)


def test_the_value_of_an_action_has_the_gradient_that_the_actor_follows():
    """dQ/da against central differences."""
    td3 = agent()
    td3.critic.x[:] = np.random.default_rng(0).standard_normal(td3.critic.x.shape)
    td3.critic.forward()
    td3.critic.dy[0].fill(1)
    found, q, h = td3.critic.input_gradient(0)[3:].copy(), dense(td3.critic.nets[0]), 1e-5
    for component in range(2):
        moved = [td3.critic.x.astype(np.float64) for _ in range(2)]
        moved[0][3 + component] += h
        moved[1][3 + component] -= h
        slope = (run(q, moved[0])[-1] - run(q, moved[1])[-1])[0] / (2 * h)
        np.testing.assert_allclose(found[component, :20], slope[:20], atol=1e-4)


def test_exploring_adds_noise_to_the_policy():
    td3 = agent(exploration_noise=0.3)
    rng = copy.deepcopy(td3.rng)
    observations = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    mean = np.tanh(run(dense(td3.actor.nets[0]), observations.T.astype(np.float64))[-1]).T
    noise = rng.standard_normal((5, 2), np.float32) * 0.3
    np.testing.assert_allclose(td3.explore(observations), np.clip(mean + noise, -1, 1), atol=1e-5)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_same_bits_for_any_number_of_threads(threads):
    found = []
    for n in (1, threads):
        td3 = filled(
            TD3(
                BOX,
                batch_size=20,
                hidden_layer_sizes=(12, 9),
                density=0.5,
                threads=n,
                seed=2,
                evolution=ts.SET(0.3, every_updates=3),
            )
        )
        for _ in range(10):
            td3.update()
        nets = [net for learner in td3.learners.values() for net in (*learner.nets, *learner.targets)]
        found.append(np.concatenate([layer.values for net in nets for layer in net.layers]))
    np.testing.assert_array_equal(*found)


def test_topologies_evolve_by_the_updates_of_each_learner():
    td3 = filled(
        TD3(
            BOX,
            batch_size=20,
            hidden_layer_sizes=(12, 9),
            density=0.5,
            seed=2,
            actor_evolution=None,
            critic_evolution=ts.SET(0.3, every_updates=4),
        )
    )
    counts = {name: learner.n_connections for name, learner in td3.learners.items()}
    for _ in range(8):
        td3.update()
    assert td3.actor.replaced == 0 < td3.critic.replaced
    assert counts == {name: learner.n_connections for name, learner in td3.learners.items()}
    assert (td3.actor.n_updates, td3.critic.n_updates) == (4, 8)


def test_training_that_diverges_stops():
    td3 = agent()
    td3.critic.nets[0].layers[-1].bias[:] = np.inf
    with pytest.raises(ts.DivergenceError, match=r"critic_loss is .*after 0 updates"):
        td3.update()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_half_cheetah_in_the_settings_of_ds_td3():
    """Its networks have the numbers of connections of the paper, and stay so while they evolve."""
    pytest.importorskip("mujoco", reason="mujoco comes with trulysparse[mujoco]")
    td3 = TD3("HalfCheetah-v5", preset="faithful", learning_starts=500, seed=0)
    layers = [[layer.n_connections for layer in learner.nets[0].layers] for learner in td3.learners.values()]
    assert layers == [[1911, 32768, 1536], [1953, 32768, 256]]
    td3.learn(2600)
    assert layers == [[layer.n_connections for layer in learner.nets[0].layers] for learner in td3.learners.values()]
    assert td3.critic.replaced > 2 * 2 * 0.04 * (1953 + 32768)  # two networks, twice
    assert td3.replay.n_transitions == 2600
