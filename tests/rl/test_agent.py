"""What agents have in common."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from agent_reference import BOX, GivenBatches, GivenNoise, filled
from fleet_games import OwnRules
from trulysparse.rl.dqn import DQN
from trulysparse.rl.evaluate import evaluate_policy
from trulysparse.rl.sac import SAC
from trulysparse.rl.spaces import Spaces
from trulysparse.rl.td3 import TD3

SMALL = dict(hidden_layer_sizes=(16,), batch_size=8, learning_starts=50, density=0.5)
CHOICES = Spaces(3, False, 4, True)


@pytest.mark.parametrize("algorithm", [TD3, SAC])
def test_an_agent_without_an_environment_only_acts(algorithm):
    agent = algorithm(BOX, **SMALL)
    assert agent.predict([0.0, 0.0, 0.0], deterministic=True)[0].shape == (2,)
    with pytest.raises(ts.InputError, match="no environment to learn from"):
        agent.learn(10)


def test_spaces_must_fit_the_algorithm():
    with pytest.raises(ts.InputError, match="TD3 or SAC"):
        DQN(BOX)
    with pytest.raises(ts.InputError, match="DQN"):
        TD3(CHOICES)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(batch_size=0), "batch_size"),
        (dict(gamma=1.5), "gamma"),
        (dict(density=0), "density"),
        (dict(densty=0.1), "densty"),
        (dict(preset="best"), "preset"),
        (dict(density=(0.1, 0.2)), "density"),
        (dict(seed=-1), "seed"),
        (dict(threads=0), "threads"),
        (dict(evolution="mutation"), "evolution"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ts.InputError, match=message):
        TD3(BOX, **settings)


@pytest.mark.parametrize("algorithm, spaces", [(TD3, BOX), (SAC, BOX), (DQN, CHOICES)])
@pytest.mark.parametrize("activation", ["tanh", "gelu", ts.LeakyReLU(0.2)])
def test_networks_have_the_activation_of_the_settings(algorithm, spaces, activation):
    agent = filled(algorithm(spaces, activation=activation, **SMALL))
    for _ in range(4):
        agent.update()
    expected = ts.SparseMLP((1, 1, 1), density=1, activation=activation).layers[0].activation
    for learner in agent.learners.values():
        for net in [*learner.nets, *learner.targets]:
            assert net.layers[0].activation == expected
            assert all(np.isfinite(layer.values).all() for layer in net.layers)


def test_updates_are_counted_ahead_for_evolution_that_ends_with_training():
    """By learning_starts, train_freq and gradient_steps, as the loop makes them."""
    pytest.importorskip("gymnasium")
    for given in (
        dict(),
        dict(train_freq=3),
        dict(train_freq=2, gradient_steps=5),
        dict(gradient_steps=-1, train_freq=4),
    ):
        agent = TD3("Pendulum-v1", **SMALL | given).learn(120)
        assert agent.n_updates == agent._updates_from(0)
        assert agent.critic.total_updates == agent.n_updates
        before = agent.n_updates
        agent.learn(60, reset_num_timesteps=False)
        assert agent.critic.total_updates == agent.n_updates > before


def test_a_call_of_learn_that_is_refused_changes_nothing(tmp_path):
    pytest.importorskip("gymnasium")
    agent = TD3("Pendulum-v1", **SMALL | dict(learning_starts=None)).learn(80)
    (tmp_path / "file").write_text("")
    for wrong in (dict(callbacks=3), dict(log=tmp_path / "file"), dict(progress_bar=1), dict(reset_num_timesteps=0)):
        with pytest.raises(ts.InputError):
            agent.learn(12, **wrong)
    assert (agent.num_timesteps, agent.total_timesteps, agent.learning_starts) == (80, 80, 20)
    assert agent.critic.total_updates == agent.n_updates == 60


def test_connections_are_those_that_learn():
    agent = TD3(BOX, **SMALL)
    nets = [agent.actor.nets[0], *agent.critic.nets]
    assert agent.n_connections == sum(net.n_connections for net in nets)


def test_a_replay_buffer_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    from trulysparse._core import memory

    agent = TD3(BOX, **SMALL | dict(buffer_size=10**9))
    monkeypatch.setattr(memory, "free_bytes", lambda: 1 << 20)
    with pytest.raises(ts.NotEnoughMemoryError, match="replay buffer"):
        agent.new_replay()


def test_another_environment_must_have_the_same_spaces():
    pytest.importorskip("gymnasium")
    agent = TD3("Pendulum-v1", **SMALL)
    environments = agent.environments
    with pytest.raises(ts.InputError):
        agent.set_env("MountainCarContinuous-v0")
    assert agent.environments is environments
    closed = []
    environments.env.unwrapped.close = lambda: closed.append(True)
    agent.set_env("Pendulum-v1")
    assert agent.environments is not environments
    assert closed == [True]


def test_losses_that_are_not_finite_stop_training():
    agent = filled(TD3(BOX, **SMALL))
    agent.note(critic_loss=1.5)
    assert agent.metrics == {"train/critic_loss": 1.5}
    with pytest.raises(ts.DivergenceError, match="after 0 updates"):
        agent.note(critic_loss=np.nan)


def test_random_actions_are_a_quarter_of_the_steps_unless_told():
    pytest.importorskip("gymnasium")
    agent = TD3("Pendulum-v1", **{**SMALL, "learning_starts": None}).learn(40)
    assert (agent.learning_starts, agent.n_updates) == (10, 30)
    agent.learn(20, reset_num_timesteps=False)  # goes on
    assert (agent.learning_starts, agent.n_updates) == (10, 50)
    assert TD3("Pendulum-v1", **SMALL).learn(60).learning_starts == 50


@pytest.mark.parametrize(
    "algorithm, spaces, options",
    [
        (TD3, BOX, {}),
        (SAC, BOX, {}),
        (DQN, CHOICES, {"max_grad_norm": 0.1}),
        (DQN, CHOICES, {"double": False, "loss": "huber", "target_update_interval": 1}),
    ],
)
def test_each_agent_of_a_fleet_learns_as_it_would_alone(algorithm, spaces, options):
    settings = SMALL | options
    fleet = algorithm(spaces, fleet=3, seed=4, **settings)
    alone = [algorithm(spaces, seed=4, **settings) for _ in range(3)]
    for number, agent in enumerate(alone):
        for layer, other in layers_of(agent, fleet, number):
            layer.connectivity, layer.values, layer.bias = other.connectivity, other.values, other.bias
        for learner in agent.learners.values():
            for net, state in zip(learner.nets, learner.optimizer_state, strict=True):
                state[:] = [layer.new_state(learner.optimizer) for layer in net.layers]
            for net, target in zip(learner.nets, learner.targets, strict=False):
                target.take_topology(net)
    for number, agent in enumerate((fleet, *alone)):
        who = None if agent is fleet else number - 1
        agent.replay, agent.rng = GivenBatches(fleet, who), GivenNoise(3, who)
        for learner in agent.learners.values():
            learner.set_total_updates(1000)
        for _ in range(4):
            agent.update()
    for number, agent in enumerate(alone):
        for layer, other in layers_of(agent, fleet, number):
            np.testing.assert_allclose(layer.values, other.values, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(layer.bias, other.bias, rtol=1e-5, atol=1e-6)
    for name, value in fleet.metrics.items():
        assert value == pytest.approx(np.mean([agent.metrics[name] for agent in alone]), rel=1e-4)
    if algorithm is SAC:
        np.testing.assert_allclose(fleet.temperature.value, [agent.temperature.value for agent in alone], rtol=1e-6)


def layers_of(agent, fleet, number):
    """Layers of all networks of an agent, beside those of the agent of this number in a fleet."""
    for name, learner in agent.learners.items():
        others = fleet.learners[name]
        for own, many in zip((*learner.nets, *learner.targets), (*others.nets, *others.targets), strict=True):
            yield from zip(own.layers, many[number].layers, strict=True)


@pytest.mark.parametrize("algorithm", [TD3, SAC, DQN])
def test_agents_of_a_fleet_learn_rules_of_their_own(algorithm):
    game = OwnRules(6, discrete=algorithm is DQN)
    settings = dict(hidden_layer_sizes=(24, 24), batch_size=32, density=0.4, learning_rate=3e-3, gamma=0.0)
    settings |= dict(train_freq=1, gradient_steps=1, learning_starts=200)
    agent = algorithm(game, fleet=True, seed=0, buffer_size=1000, normalize_observations=True, **settings)
    agent.learn(6 * 800)
    assert agent.n_updates == 600
    assert agent.replay.n_transitions == 6 * 800
    observations = np.random.default_rng(5).uniform(-1, 1, (40, 6, 2)).astype(np.float32)
    given = np.array([agent.predict(each, deterministic=True)[0] for each in observations])
    best = np.array([game.best(each) for each in observations])
    if algorithm is DQN:
        assert ((given == best).mean(axis=0) > 0.8).all()
    else:
        assert (np.abs(given - best).mean(axis=(0, 2)) < 0.2).all()
    frozen = agent.freeze()
    np.testing.assert_allclose(frozen.predict(observations[0])[0], given[0])
    assert evaluate_policy(agent, game, 12)[0] > (-20 * 0.25 if algorithm is DQN else -20 * 0.08)


def test_a_fleet_in_a_file_goes_on_with_the_same_bits(tmp_path):
    def fresh():
        return OwnRules(3)

    settings = dict(hidden_layer_sizes=(16,), batch_size=8, density=0.5, learning_starts=20, buffer_size=200)
    options = settings | dict(evolution=ts.SET(0.3, every_updates=10), normalize_observations=True)
    agent = TD3(fresh(), fleet=True, seed=1, **options).learn(3 * 60)
    agent.save(tmp_path / "fleet.safetensors", replay=True)
    same = TD3.load(tmp_path / "fleet.safetensors", fresh())
    assert same.n_agents == 3
    for each in (agent, same):
        each.learn(3 * 40, reset_num_timesteps=False)
    observations = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(
        same.predict(observations, deterministic=True)[0], agent.predict(observations, deterministic=True)[0]
    )
    assert same.metrics == agent.metrics
    assert same.rng.random() == agent.rng.random()
    with pytest.raises(ts.InputError, match="an environment for each of 3 agents, not 4"):
        TD3.load(tmp_path / "fleet.safetensors", OwnRules(4))


def test_what_a_fleet_cannot_have():
    with pytest.raises(ts.InputError, match="fleet must be True, or the number of environments, 4, not 3"):
        TD3(OwnRules(4), fleet=3, **SMALL)
    with pytest.raises(ts.InputError, match="dynamic_capacity cannot be combined with fleet"):
        TD3(OwnRules(4), fleet=True, dynamic_capacity=True, **SMALL)
    with pytest.raises(ts.InputError, match="fleet"):
        TD3(BOX, fleet=0, **SMALL)
