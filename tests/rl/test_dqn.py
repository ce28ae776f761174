"""DQN against its equations in float64, and against values that are known."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from fixed_batch import FixedBatch, dense, note_gradients, run
from trulysparse.errors import InputError
from trulysparse.rl.dqn import DQN
from trulysparse.rl.spaces import Spaces

N_OBSERVATIONS, N_ACTIONS, BATCH = 4, 3, 20  # 12 columns of padding
SPACES = Spaces(N_OBSERVATIONS, False, N_ACTIONS, True)


def agent(**settings):
    given = dict(hidden_layer_sizes=(24, 16), batch_size=BATCH, density=0.5, evolution=None, seed=1)
    return DQN(SPACES, **given | settings)


def batch(seed=0, n=BATCH):
    rng = np.random.default_rng(seed)
    shape = (n, N_OBSERVATIONS)
    discounts = np.where(rng.random(n) < 0.2, 0, 0.9)
    actions = rng.integers(N_ACTIONS, size=n)
    return FixedBatch(rng.normal(0, 1, shape), actions, rng.normal(0, 3, n), discounts, rng.normal(0, 1, shape))


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_update_follows_the_equations(double, loss):
    learns = agent(double=double, loss=loss, learning_rate=0.02, target_update_interval=1000)
    learns.replay = batch()
    for _ in range(5):  # until online network and target differ
        learns.update()
    learns.replay = batch(seed=1)  # of other actions
    observations, actions, following = learns.replay.parts
    online, target = dense(learns.q.nets[0]), dense(learns.q.targets[0])
    seen = []
    note_gradients(learns.q, seen)
    learns.update()
    q, q_online, q_target = run(online, observations.T), run(online, following.T), run(target, following.T)
    assert np.any(q_online.argmax(axis=0) != q_target.argmax(axis=0))
    expected = np.zeros((N_ACTIONS, BATCH))
    for i in range(BATCH):
        best = np.argmax(q_online[:, i] if double else q_target[:, i])
        error = q[actions[i], i] - learns.replay.rewards[i] - learns.replay.discounts[i] * q_target[best, i]
        expected[actions[i], i] = (2 * error if loss == "squared" else np.clip(error, -1, 1)) / BATCH
    np.testing.assert_allclose(seen[0][0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tau", [1.0, 0.3])
def test_target_follows_at_its_interval(tau):
    learns = agent(tau=tau, train_freq=4, gradient_steps=2, target_update_interval=6)  # 3 updates
    learns.replay = batch()
    assert learns.target_update_every == 3
    for number in range(1, 8):
        old = dense(learns.q.targets[0])
        learns.update()
        share = tau if number % 3 == 0 else 0.0
        for (w, b), (tw, tb), (ow, ob) in zip(dense(learns.q.nets[0]), dense(learns.q.targets[0]), old, strict=True):
            np.testing.assert_allclose(tw, ow + share * (w - ow), atol=1e-6)
            np.testing.assert_allclose(tb, ob + share * (b - ob), atol=1e-6)


@pytest.mark.parametrize(
    "train_freq, gradient_steps, interval, updates",
    [(10, 1, 500, 50), (4, -1, 250, 250), (256, 128, 10, 5), (10, 1, 2, 1), (1, 3, 100, 300)],
)
def test_target_update_interval_counts_steps(train_freq, gradient_steps, interval, updates):
    learns = agent(train_freq=train_freq, gradient_steps=gradient_steps, target_update_interval=interval)
    assert learns.target_update_every == updates


def test_target_update_interval_counts_the_steps_of_each_agent_of_a_fleet():
    gymnasium = pytest.importorskip("gymnasium")
    environments = gymnasium.make_vec("CartPole-v1", num_envs=3, vectorization_mode="sync")
    settings = {"hidden_layer_sizes": (8,), "train_freq": 10, "gradient_steps": 1, "target_update_interval": 500}
    assert DQN(environments, fleet=True, **settings).target_update_every == 50
    assert DQN(environments, **settings).target_update_every == 17  # one agent, which sees the steps of all of them


def test_learns_the_values_of_a_known_problem():
    """A row of four places, a step left, a step right, and an end on the right that pays 1; places left of the first
    do not exist. Values are those of value iteration."""
    gamma, places = 0.9, 4
    values = np.zeros((places, 2))
    transitions = [(s, a, s + (1 if a else -1) if s + a else 0) for s in range(places) for a in (0, 1)]
    for _ in range(200):
        for s, a, after in transitions:
            values[s, a] = 1.0 if after == places else gamma * values[after].max()
    seen = np.eye(places + 1)[:, :places]
    learns = DQN(
        Spaces(places, True, 2, True),
        hidden_layer_sizes=(32,),
        batch_size=8,
        density=0.8,
        learning_rate=0.01,
        target_update_interval=20,
        evolution=None,
    )
    s, a, after = (np.array(each) for each in zip(*transitions, strict=True))
    ends = after == places
    learns.replay = FixedBatch(seen[s], a, ends * 1.0, np.where(ends, 0, gamma), seen[after])
    for _ in range(1500):
        learns.update()
    np.testing.assert_allclose(learns.policy.outputs(seen[:places].astype(np.float32)), values, atol=0.02)
    assert learns.predict(seen[:places], deterministic=True)[0].tolist() == [1, 1, 1, 1]


def test_exploration_rate_falls_over_its_share_of_training():
    learns = agent(exploration_fraction=0.5, exploration_initial_eps=0.8, exploration_final_eps=0.1)
    learns.total_timesteps = 100
    rates = []
    for learns.num_timesteps in (0, 25, 50, 90):
        rates.append(learns.exploration_rate)
    assert rates == pytest.approx([0.8, 0.45, 0.1, 0.1])


def test_exploration_rate_without_a_share_of_training_is_the_final_one():
    learns = agent(exploration_fraction=0.0)
    learns.total_timesteps, learns.num_timesteps = 100, 1
    assert learns.exploration_rate == learns.settings.exploration_final_eps


@pytest.mark.parametrize("rate, random", [(0.0, 0.0), (0.4, 0.4), (1.0, 1.0)])
def test_share_of_random_actions(rate, random):
    learns = agent(exploration_initial_eps=rate, exploration_final_eps=rate)
    observations = np.random.default_rng(0).normal(0, 1, (3000, N_OBSERVATIONS)).astype(np.float32)
    best = run(dense(learns.q.nets[0]), observations.T).argmax(axis=0)
    actions = learns.explore(observations)
    assert actions.dtype == np.int64
    assert np.mean(actions != best) == pytest.approx(random * (1 - 1 / N_ACTIONS), abs=0.03)


@pytest.mark.parametrize("evolution", [ts.SET(0.3, every_updates=4), ts.RigL(0.3, every_updates=4, until=100)])
def test_topology_evolves_and_the_target_shares_it(evolution):
    learns = agent(evolution=evolution)
    learns.replay = batch()
    count, before = learns.n_connections, learns.q.nets[0].layers[0].connectivity
    for _ in range(9):
        learns.update()
        for layer, other in zip(learns.q.nets[0].layers, learns.q.targets[0].layers, strict=True):
            assert layer.connectivity is other.connectivity
    assert learns.n_connections == count
    assert learns.q.replaced > 0
    assert learns.q.nets[0].layers[0].connectivity is not before


def test_same_bits_for_any_number_of_threads():
    values = []
    for threads in (1, 3):
        learns = agent(threads=threads, evolution=ts.SET(0.3, every_updates=4), max_grad_norm=0.5)
        learns.replay = batch()
        for _ in range(10):
            learns.update()
        values.append([layer.values.copy() for layer in learns.q.nets[0].layers])
    for first, second in zip(*values, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("settings", [dict(double=1), dict(loss="absolute"), dict(max_grad_norm=0.0)])
def test_bad_settings(settings):
    with pytest.raises(InputError, match=f"{next(iter(settings))} must"):
        agent(**settings)


def test_continuous_actions_are_refused():
    with pytest.raises(InputError, match="TD3"):
        DQN(Spaces(3, False, 1, False, np.float32([-1]), np.float32([1])))


def test_several_environments_and_options():
    gymnasium = pytest.importorskip("gymnasium")
    learns = ts.rl.DQN(
        gymnasium.make_vec("CartPole-v1", num_envs=3),
        hidden_layer_sizes=(24, 24),
        batch_size=BATCH,
        learning_starts=30,
        train_freq=2,
        tau=0.01,
        target_update_interval=1,
        n_steps=3,
        normalize_observations=True,
        seed=0,
    ).learn(330)
    assert learns.target_update_every == 1
    assert abs(learns.n_updates - (learns.num_timesteps - 30)) <= 6  # as many as transitions, in rounds of 6
    assert np.isfinite(learns.metrics["train/loss"])
    assert set(learns.predict(np.zeros((50, 4)))[0].tolist()) <= {0, 1}


def test_cartpole_improves():
    pytest.importorskip("gymnasium")
    learns = ts.rl.DQN(
        "CartPole-v1", learning_rate=2e-3, hidden_layer_sizes=(64, 64), batch_size=32, learning_starts=500, seed=0
    ).learn(6000)
    mean, _ = ts.rl.evaluate_policy(learns, "CartPole-v1", 5)
    assert mean > 60  # random 22


@pytest.mark.slow
def test_cartpole_is_solved():
    pytest.importorskip("gymnasium")
    watch = ts.rl.EvalCallback("CartPole-v1", eval_freq=5000, n_eval_episodes=10)
    ts.rl.DQN("CartPole-v1", seed=0).learn(60_000, callbacks=[watch])
    assert watch.best_mean_reward >= 475
