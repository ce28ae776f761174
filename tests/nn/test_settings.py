"""What a network is besides its layers."""

from __future__ import annotations

import inspect
from dataclasses import asdict, fields

import trulysparse as ts
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.settings import NetworkSettings


def test_settings_have_the_defaults_of_the_network():
    parameters = inspect.signature(ts.SparseMLP).parameters
    settings = NetworkSettings()
    shared = {each.name for each in fields(settings)} & set(parameters) - {"epsilon", "init"}
    assert shared == {"activation", "output", "dtype", "seed", "skip", "threads", "tied"}
    for name in shared:
        assert getattr(settings, name) == parameters[name].default
    assert settings.init == WeightInit(*(parameters[name].default for name in ("init", "fan", "balance")))
    assert settings.epsilon is None  # unknown where the layers were given


def test_settings_given_with_layers_are_those_of_the_network():
    parts = ts.SparseMLP((4, 6, 2), epsilon=3)
    given = NetworkSettings(
        1.5, ts.AllReLU(0.3), "sigmoid", WeightInit("xavier_uniform", "sparse", False), "float32", 5, 1
    )
    net = ts.SparseMLP.from_layers(
        [layer.connectivity for layer in parts.layers],
        [layer.values for layer in parts.layers],
        [layer.bias for layer in parts.layers],
        given,
    )
    kept = asdict(net.settings)
    assert {name: kept[name] for name in asdict(given) if name != "storage_config"} == {
        name: value for name, value in asdict(given).items() if name != "storage_config"
    }
    assert net.settings.storage_config.kind == "indexed"
