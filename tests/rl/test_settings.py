"""Settings are in range, or refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.rl.settings import DQNSettings, SACSettings, Settings, TD3Settings, checked_evolution


class OwnActivation:
    name = "own"

    def forward(self, z):
        return z

    def derivative(self, z):
        return 0 * z + 1


@pytest.mark.parametrize("name", [name for name in ts.evolution.NAMES if name not in ("none", "static")])
def test_methods_by_name_count_updates(name):
    method = checked_evolution("evolution", name)
    assert method.name == name
    assert method.schedule.every_epochs is None
    assert any(method.due(done, None, 100_000) for done in range(1, 100_001))


@pytest.mark.parametrize("value", [None, "none", "static", ts.Static()])
def test_a_topology_that_stays_is_none(value):
    assert TD3Settings(critic_evolution=value).critic_evolution is None


def test_values_become_those_that_are_checked():
    settings = TD3Settings(
        hidden_layer_sizes=[np.int64(32), 16],
        batch_size=np.int32(8),
        evolving=[0],
        actor_density=[0.5, np.float32(1), 1],
    )
    assert settings.hidden_layer_sizes == (32, 16)
    assert (settings.batch_size, settings.evolving) == (8, (0,))
    assert settings.actor_density == (0.5, 1.0, 1.0)
    assert type(settings.batch_size) is int
    assert DQNSettings(hidden_layer_sizes=64, density=None, epsilon=[3, 4]).epsilon == (3.0, 4.0)
    assert SACSettings(gradient_steps=-1).gradient_steps == -1


@pytest.mark.parametrize(
    "kind, wrong, message",
    [
        (Settings, {"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must be at least 1, not 0"),
        (Settings, {"hidden_layer_sizes": "256"}, "hidden_layer_sizes must be a sequence of integers"),
        (Settings, {"activation": "softmax"}, "activation must be one of all_relu, relu"),
        (Settings, {"activation": OwnActivation()}, "not one of your own: policies compute no other"),
        (Settings, {"evolving": 0}, "evolving must be a sequence of numbers of layers"),
        (Settings, {"evolving": (3,)}, "evolving must be between 0 and 2, not 3"),
        (Settings, {"densities": "er"}, "densities must be one of erk, uniform"),
        (Settings, {"tau": 0}, r"tau must lie in \(0, 1\], not 0"),
        (Settings, {"gamma": 1.5}, r"gamma must lie in \[0, 1\], not 1.5"),
        (Settings, {"gamma": "0.9"}, "gamma must be a number"),
        (Settings, {"weight_decay": -1}, "weight_decay must lie in"),
        (Settings, {"buffer_size": 1e6}, "buffer_size must be an integer"),
        (Settings, {"learning_starts": -1}, "learning_starts must be at least 0"),
        (Settings, {"batch_size": 0}, "batch_size must be at least 1"),
        (Settings, {"train_freq": 0}, "train_freq must be at least 1"),
        (Settings, {"gradient_steps": 0}, "gradient_steps must be at least 1, or -1"),
        (Settings, {"gradient_steps": -2}, "gradient_steps must be at least -1"),
        (Settings, {"n_steps": 0}, "n_steps must be at least 1"),
        (Settings, {"normalize_observations": 1}, "normalize_observations must be True or False"),
        (TD3Settings, {"policy_delay": 0}, "policy_delay must be at least 1"),
        (TD3Settings, {"exploration_noise": -0.1}, "exploration_noise must lie in"),
        (TD3Settings, {"actor_density": 0}, r"actor_density must lie in \(0, 1\], not 0"),
        (
            TD3Settings,
            {"actor_density": (0.1, 0.1)},
            "actor_density must be one number or have one per layer, 3, not 2",
        ),
        (TD3Settings, {"actor_density": (0.1, 2, 1)}, r"actor_density must lie in \(0, 1\], not 2"),
        (TD3Settings, {"actor_density": None}, "either actor_density or actor_epsilon must be given, not none"),
        (TD3Settings, {"critic_epsilon": 4.0}, "either critic_density or critic_epsilon must be given, not both"),
        (TD3Settings, {"actor_evolution": ts.SET()}, "actor_evolution must count updates, not epochs"),
        (SACSettings, {"critic_evolution": 3}, "critic_evolution must be a method of evolution"),
        (SACSettings, {"critic_evolution": "sett"}, "critic_evolution must be one of none, "),
        (SACSettings, {"target_update_interval": 0}, "target_update_interval must be at least 1"),
        (SACSettings, {"dynamic_capacity": "yes"}, "dynamic_capacity must be True or False"),
        (DQNSettings, {"loss": "mse"}, "loss must be one of squared, huber, not 'mse'"),
        (DQNSettings, {"max_grad_norm": 0}, "max_grad_norm must lie in"),
        (DQNSettings, {"double": None}, "double must be True or False"),
        (DQNSettings, {"exploration_final_eps": 2}, r"exploration_final_eps must lie in \[0, 1\], not 2"),
    ],
)
def test_what_is_out_of_range_is_refused(kind, wrong, message):
    with pytest.raises(ts.InputError, match=message):
        kind(**wrong)
