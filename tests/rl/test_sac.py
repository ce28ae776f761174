"""SAC against its equations in float64, written naively with SciPy's normal distribution."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from scipy import stats

import trulysparse as ts
from fixed_batch import FixedBatch, dense, note_gradients, run
from trulysparse.errors import InputError
from trulysparse.rl.sac import SAC
from trulysparse.rl.spaces import Spaces
from trulysparse.rl.temperature import Temperature

N_OBSERVATIONS, N_ACTIONS, BATCH = 3, 2, 20  # 12 columns of padding
LOW, HIGH = np.float32([-2, 0]), np.float32([2, 1])
SPACES = Spaces(N_OBSERVATIONS, False, N_ACTIONS, False, LOW, HIGH)


def agent(**settings):
    given = dict(hidden_layer_sizes=(24, 16), batch_size=BATCH, density=0.5, evolution=None, gamma=0.9, seed=1)
    return SAC(SPACES, **given | settings)


def batch(seed=0, n=BATCH):
    rng = np.random.default_rng(seed)
    shape = (n, N_OBSERVATIONS)
    discounts = np.where(rng.random(n) < 0.2, 0, 0.9)
    actions = rng.uniform(-1, 1, (n, N_ACTIONS))
    return FixedBatch(rng.normal(0, 1, shape), actions, rng.normal(0, 3, n), discounts, rng.normal(0, 1, shape))


def draw(outputs, noise):
    """Actions and the logarithms of their densities, as the paper writes them."""
    mean, deviation = outputs[:N_ACTIONS], np.exp(np.clip(outputs[N_ACTIONS:], -20, 2))
    u = mean + deviation * noise
    densities = stats.norm.logpdf(u, mean, deviation) - np.log(1 - np.tanh(u) ** 2)
    return np.tanh(u), densities.sum(axis=0)


def noises(learns):
    """The noise of the next update's two draws."""
    rng = copy.deepcopy(learns.rng)
    shape = (N_ACTIONS, learns.actor.columns)
    return [rng.standard_normal(shape, dtype=np.float32)[:, :BATCH].astype(float) for _ in range(2)]


@pytest.mark.parametrize("ent_coef", [0.2, "auto_0.7"])
def test_update_follows_the_equations(ent_coef):
    learns = agent(ent_coef=ent_coef, learning_rate=0.01)
    learns.replay = batch()
    s, s2 = learns.replay.parts[0].T, learns.replay.parts[2].T
    seen: dict[str, list] = {"critic": [], "actor": []}
    for name, learner in learns.learners.items():
        note_gradients(learner, seen[name])
    reference = Temperature(ent_coef, n_actions=N_ACTIONS)
    for _ in range(3):  # the last of several, so that online networks and targets differ
        noise = noises(learns)
        actor, online, targets = (dense(learns.actor.nets[0]), *([dense(n) for n in nets] for nets in critics(learns)))
        alpha = learns.temperature.value
        outputs = run(actor, s)
        reference.update(float(draw(outputs, noise[1])[1].mean()), 0.01)
        learns.update()
    # the critics
    actions, log_probability = draw(run(actor, s2), noise[0])
    soft = np.minimum(*(run(each, np.vstack([s2, actions]))[0] for each in targets)) - alpha * log_probability
    expected = learns.replay.rewards + learns.replay.discounts * soft
    for found, each in zip(seen["critic"][-1], online, strict=True):
        values = run(each, np.vstack([s, learns.replay.parts[1].T]))[0]
        np.testing.assert_allclose(found[0], 2 * (values - expected) / BATCH, rtol=1e-4, atol=1e-5)
    # the actor, whose objective looks at the critics after their update
    updated = [dense(net) for net in learns.critic.nets]

    def objective(outputs):
        actions, log_probability = draw(outputs, noise[1])
        values = [run(each, np.vstack([s, actions]))[0] for each in updated]
        return (alpha * log_probability - np.minimum(*values)) / BATCH, values[0] < values[1]

    assert 0 < objective(outputs)[1].sum() < BATCH  # each critic is the smaller one somewhere
    for row in range(2 * N_ACTIONS):
        step = np.zeros_like(outputs)
        step[row] = 1e-6
        slope = (objective(outputs + step)[0] - objective(outputs - step)[0]) / 2e-6
        np.testing.assert_allclose(seen["actor"][-1][0][row], slope, rtol=1e-3, atol=1e-5)
    if ent_coef == 0.2:
        assert learns.temperature.value == alpha == 0.2
    else:
        assert learns.temperature.value == pytest.approx(reference.value, rel=1e-5)


def critics(learns):
    return learns.critic.nets, learns.critic.targets


@pytest.mark.parametrize("tau, interval", [(0.25, 1), (1.0, 3)])
def test_targets_follow_at_their_interval(tau, interval):
    learns = agent(tau=tau, target_update_interval=interval)
    learns.replay = batch()
    for number in range(1, 7):
        before = [dense(net) for net in learns.critic.targets]
        learns.update()
        share = tau if number % interval == 0 else 0.0
        for net, target, old in zip(*critics(learns), before, strict=True):
            for (w, b), (tw, tb), (ow, ob) in zip(dense(net), dense(target), old, strict=True):
                np.testing.assert_allclose(tw, ow + share * (w - ow), atol=1e-6)
                np.testing.assert_allclose(tb, ob + share * (b - ob), atol=1e-6)


def test_policy_becomes_that_of_greatest_entropy():
    """Without a future, the best policy has a density of exp(reward / alpha), up to a factor; here a normal one."""
    learns = agent(ent_coef=0.1, learning_rate=3e-3, batch_size=64, density=0.8)
    rng = np.random.default_rng(0)
    centre, deviation = np.array([0.4, -0.2]), np.array([0.15, 0.25])
    for _ in range(2000):
        actions = rng.uniform(-1, 1, (64, 2))
        rewards = -0.1 * (((actions - centre) / deviation) ** 2 / 2).sum(axis=1)
        nothing = np.zeros((64, N_OBSERVATIONS))
        learns.replay = FixedBatch(nothing, actions, rewards, np.zeros(64), nothing)
        learns.update()
    drawn = learns.explore(np.zeros((4000, N_OBSERVATIONS), np.float32))
    np.testing.assert_allclose(drawn.mean(axis=0), centre, atol=0.06)
    np.testing.assert_allclose(drawn.std(axis=0), deviation, rtol=0.25)


def test_exploration_draws_from_the_policy_and_prediction_takes_its_centre():
    learns = agent()
    observations = np.random.default_rng(0).normal(0, 1, (5, N_OBSERVATIONS)).astype(np.float32)
    noise = copy.deepcopy(learns.rng).standard_normal((5, N_ACTIONS), dtype=np.float32)
    outputs = run(dense(learns.actor.nets[0]), observations.T)
    np.testing.assert_allclose(learns.explore(observations), draw(outputs, noise.T)[0].T, atol=1e-5)
    action, state = learns.predict(observations, deterministic=True)
    assert state is None
    np.testing.assert_allclose(action, LOW + (np.tanh(outputs[:2].T) + 1) / 2 * (HIGH - LOW), atol=1e-5)


def test_exploration_clamps_deviations():
    learns = agent()
    for layer in learns.actor.nets[0].layers:
        layer.values[:] = 0
    learns.actor.nets[0].layers[-1].bias[:] = [0.3, 0.3, -100, 100]
    learns.n_updates += 1  # the policy is to be refreshed
    drawn = learns.explore(np.zeros((200, N_OBSERVATIONS), np.float32))
    assert np.all(np.abs(drawn[:, 0] - np.tanh(0.3)) < 1e-6)
    assert 0.3 < np.mean(np.abs(drawn[:, 1]) < 0.9999) < 0.9  # a deviation of e^2


@pytest.mark.parametrize("evolution", [ts.SET(0.3, every_updates=4), ts.RigL(0.3, every_updates=4, until=100)])
def test_topologies_evolve_and_targets_share_them(evolution):
    learns = agent(evolution=evolution)
    learns.replay = batch()
    counts = [net.n_connections for net in (*learns.actor.nets, *learns.critic.nets)]
    before = [layer.connectivity for layer in learns.critic.nets[1].layers]
    for _ in range(9):
        learns.update()
        for net, target in zip(*critics(learns), strict=True):
            for layer, other in zip(net.layers, target.layers, strict=True):
                assert layer.connectivity is other.connectivity
    assert [net.n_connections for net in (*learns.actor.nets, *learns.critic.nets)] == counts
    assert learns.critic.replaced > 0
    assert learns.actor.replaced > 0
    assert learns.critic.nets[1].layers[0].connectivity is not before[0]


@pytest.mark.parametrize("threads", [2, 3])
def test_same_bits_for_any_number_of_threads(threads):
    values = []
    for n_threads in (1, threads):
        learns = agent(threads=n_threads, evolution=ts.SET(0.3, every_updates=4))
        learns.replay = batch()
        for _ in range(10):
            learns.update()
        nets = (*learns.actor.nets, *learns.critic.nets, *learns.critic.targets)
        values.append([layer.values.copy() for net in nets for layer in net.layers] + [learns.temperature.value])
    for first, second in zip(*values, strict=True):
        np.testing.assert_array_equal(first, second)


def test_metrics_have_the_names_of_stable_baselines3():
    learns = agent()
    learns.replay = batch()
    learns.update()
    assert sorted(learns.metrics) == ["train/actor_loss", "train/critic_loss", "train/ent_coef"]
    assert learns.metrics["train/ent_coef"] == 1.0  # that of the update
    assert learns.metrics["train/critic_loss"] > 0


def test_learning_rate_schedule_reaches_the_temperature():
    class Half:
        def at(self, epoch, epochs):
            return 0.1 if epoch < 0.5 else 1e-9

    learns = agent(learning_rate=Half())
    learns.replay = batch()
    for learner in learns.learners.values():
        learner.set_total_updates(4)
    seen = []
    for _ in range(4):
        learns.update()
        seen.append(learns.temperature.value)
    assert abs(seen[1] - seen[0]) > 0.01
    assert abs(seen[3] - seen[2]) < 1e-6


@pytest.mark.parametrize(
    "settings", [dict(ent_coef="none"), dict(target_entropy="low"), dict(target_update_interval=0)]
)
def test_bad_settings(settings):
    with pytest.raises(InputError, match=f"{next(iter(settings))} must"):
        agent(**settings)


def test_choices_are_refused():
    with pytest.raises(InputError, match="DQN"):
        SAC(Spaces(3, False, 2, True))


def test_faithful_preset_is_ds_sac():
    learns = agent(preset="faithful", batch_size=256, density=None, hidden_layer_sizes=(256, 256))
    s = learns.settings
    assert (learns.temperature.value, learns.temperature.learned) == (0.2, False)
    assert (s.tau, s.target_update_interval, s.learning_rate) == (1.0, 1000, 3e-4)
    assert learns.critic.nets[0].layers[-1].n_connections == 256  # output layers are dense


def test_several_environments_and_options():
    gymnasium = pytest.importorskip("gymnasium")
    learns = ts.rl.SAC(
        gymnasium.make_vec("Pendulum-v1", num_envs=3),
        hidden_layer_sizes=(24, 24),
        batch_size=BATCH,
        learning_starts=30,
        gradient_steps=2,
        n_steps=3,
        normalize_observations=True,
        seed=0,
    ).learn(330)
    assert learns.num_timesteps == 330
    assert learns.n_updates == 200  # 100 steps of all environments after the start, with two each
    assert all(np.isfinite(value) for value in learns.metrics.values())
    actions, _ = learns.predict(np.zeros((3, 3)))
    assert actions.shape == (3, 1)
    assert np.all(np.abs(actions) <= 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_pendulum_is_solved(seed):
    pytest.importorskip("gymnasium")
    learns = ts.rl.SAC("Pendulum-v1", density=0.1, seed=seed).learn(10_000)
    mean, _ = ts.rl.evaluate_policy(learns, "Pendulum-v1", 10)
    assert mean > -200
