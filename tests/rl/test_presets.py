"""Presets: published settings as their papers have them, and what a user gives instead."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import pytest

import trulysparse as ts
from trulysparse.rl.presets import ALGORITHMS, PRESETS, checked, settings


def connections(sizes, epsilons):
    """By the formula of the paper, layer by layer."""
    return [min(round(eps * (a + b)), a * b) for eps, (a, b) in zip(epsilons, pairwise(sizes), strict=True)]


@pytest.mark.parametrize("algorithm, preset", [(name, each) for name, table in PRESETS.items() for each in table])
def test_presets_hold_a_value_for_every_field(algorithm, preset):
    values = settings(algorithm, preset, 17, 6)
    assert set(values) == {each.name for each in fields(ALGORITHMS[algorithm])}
    assert isinstance(checked(algorithm, values), ALGORITHMS[algorithm])
    networks = [""] if algorithm == "dqn" else ["actor_", "critic_"]
    for network in networks:  # each is sparse in exactly one way
        assert (values[f"{network}density"] is None) != (values[f"{network}epsilon"] is None)


@pytest.mark.parametrize(
    "env_id, n_observations, n_actions, first",
    [
        ("HalfCheetah-v5", 17, 6, 7),
        ("Hopper-v4", 11, 3, 7),
        ("Walker2d-v5", 17, 6, 7),
        ("Ant-v5", 105, 8, 40),
        ("my/Humanoid-v5", 348, 17, 61),
    ],
)
def test_faithful_td3_is_that_of_its_paper(env_id, n_observations, n_actions, first):
    values = settings("td3", "faithful", n_observations, n_actions, env_id)
    for network in ("actor", "critic"):
        assert values[f"{network}_epsilon"][:2] == (first, 64)
    sizes = (n_observations + n_actions, *values["hidden_layer_sizes"], 1)
    assert connections(sizes, values["critic_epsilon"])[1:] == [32_768, 256]
    published = {"learning_rate": 1e-3, "weight_decay": 2e-4, "batch_size": 100, "gamma": 0.99, "tau": 0.005}
    published |= {"policy_delay": 2, "target_policy_noise": 0.2, "target_noise_clip": 0.5, "exploration_noise": 0.1}
    published |= {"learning_starts": 25_000, "buffer_size": 1_000_000, "hidden_layer_sizes": (256, 256)}
    assert {name: values[name] for name in published} == published


def test_faithful_half_cheetah_has_as_many_connections_as_the_paper_says():
    values = settings("td3", "faithful", 17, 6, "HalfCheetah-v5")
    assert connections((23, 256, 256, 1), values["critic_epsilon"]) == [1_953, 32_768, 256]
    assert connections((17, 256, 256, 6), values["actor_epsilon"]) == [1_911, 32_768, 1_536]


def test_faithful_topologies_change_50_000_steps_before_the_millionth_for_the_last_time():
    values = settings("td3", "faithful", 17, 6)
    updates = 1_000_000 - values["learning_starts"]
    critic, actor = values["critic_evolution"], values["actor_evolution"]
    times = [done for done in range(updates) if critic.due(done, None, None)]
    assert (times[0], times[1] - times[0], times[-1]) == (1000, 1000, updates - 50_000)
    assert [2 * done for done in range(updates // 2) if actor.due(done, None, None)] == times
    assert critic.zeta == actor.zeta == 0.05


def test_faithful_sac_is_that_of_its_paper():
    values = settings("sac", "faithful", 11, 3, "Hopper-v5")
    assert values["actor_epsilon"][:2] == values["critic_epsilon"][:2] == (7, 20)
    assert (values["ent_coef"], values["tau"], values["target_update_interval"]) == (0.2, 1.0, 1000)
    assert (values["learning_rate"], values["batch_size"], values["critic_evolution"].zeta) == (3e-4, 256, 0.1)


def test_faithful_elsewhere_has_the_first_density_of_half_cheetah():
    known = settings("td3", "faithful", 17, 6, "HalfCheetah-v5")
    other = settings("td3", "faithful", 17, 6, "Pendulum-v1")
    assert other["actor_epsilon"] == pytest.approx(known["actor_epsilon"])
    wide = settings("td3", "faithful", 300, 6, None)["actor_epsilon"]
    assert connections((300, 256, 256, 6), wide)[0] / (300 * 256) == pytest.approx(
        7 * (17 + 256) / (17 * 256), rel=1e-3
    )
    with pytest.raises(ts.InputError, match=r"preset 'faithful' is for two hidden layers, not 3"):
        settings("td3", "faithful", 17, 6, None, {"hidden_layer_sizes": (64, 64, 64)})
    deep = settings("td3", "faithful", 17, 6, None, {"hidden_layer_sizes": (64, 64, 64), "density": 0.3})
    assert (deep["actor_density"], deep["actor_epsilon"]) == (0.3, None)


@pytest.mark.parametrize(
    "given, expected",
    [
        ({}, {"actor_density": 0.1, "critic_density": 0.2}),
        ({"density": 0.3}, {"actor_density": 0.3, "critic_density": 0.3}),
        ({"density": 0.3, "actor_density": 0.05}, {"actor_density": 0.05, "critic_density": 0.3}),
        ({"density": 0.3, "actor_epsilon": 4.0}, {"actor_density": None, "actor_epsilon": 4.0, "critic_density": 0.3}),
        ({"epsilon": (4.0, 8.0, 9.0)}, {"actor_density": None, "critic_epsilon": (4.0, 8.0, 9.0)}),
        ({"critic_density": (0.4, 0.5, 1.0)}, {"actor_density": 0.1, "critic_density": (0.4, 0.5, 1.0)}),
        ({"evolution": None}, {"actor_evolution": None, "critic_evolution": None}),
        ({"evolution": None, "n_steps": 3}, {"n_steps": 3, "critic_evolution": None}),
    ],
)
def test_what_a_user_gives_takes_the_place_of_the_preset(given, expected):
    before = dict(given)
    values = settings("td3", "default", 17, 6, None, given)
    assert {name: values[name] for name in expected} == expected
    assert given == before  # nothing is taken out of it


def test_an_evolution_of_its_own_goes_before_that_of_both():
    method = ts.RigL(every=500)
    values = checked("sac", settings("sac", "default", 17, 6, None, {"evolution": "set", "critic_evolution": method}))
    assert values.critic_evolution is method
    assert isinstance(values.actor_evolution, ts.SET)


def test_dqn_has_one_network():
    values = checked("dqn", settings("dqn", "default", 4, 2, None, {"density": 0.5, "evolution": "static"}))
    assert (values.density, values.evolution, values.target_update_interval) == (0.5, None, 250)


def test_networks_are_those_of_the_settings():
    values = settings("td3", "faithful", 17, 6, "HalfCheetah-v5")
    net = ts.SparseMLP((23, *values["hidden_layer_sizes"], 1), epsilon=values["critic_epsilon"])
    assert [layer.n_connections for layer in net.layers] == [1_953, 32_768, 256]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("ppo", "default"), r"algorithm must be one of td3, sac, dqn, not 'ppo'"),
        (("td3", "best"), r"preset must be one of default, faithful, ultra, anf, not 'best'"),
        (("dqn", "faithful"), r"preset must be one of default, ultra, anf, not 'faithful'"),
        (("td3", "default", {"lr": 1}), r"td3 has no setting 'lr'; it has hidden_layer_sizes, "),
        (("td3", "default", {"density": 0.1, "epsilon": 4.0}), r"epsilon cannot be combined with density"),
        (("td3", "default", {"actor_density": 0.1, "actor_epsilon": 4.0}), r"actor_epsilon cannot be combined"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    algorithm, preset, *given = arguments
    with pytest.raises(ts.InputError, match=message):
        settings(algorithm, preset, 17, 6, None, *given)
