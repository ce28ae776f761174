"""Independent TD3 and DQN: each home's agent learns alone, from its own data."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.agents.independent import IndependentTraining
from trulysparse.grid.agents.rollout import EnvironmentMaker
from trulysparse.grid.sample import sample_data
from trulysparse.grid.splits import split_of

DATA = sample_data(3)
SPLIT = split_of(DATA.names, len(DATA.hour), n_train=2)
SMALL = {"hours": 96, "window_hours": 48, "learning_starts": 20, "batch_size": 8, "evolve_every": 10, "replaced": 0.2}


def training(kind, given=SMALL, data=DATA, **options):
    options = {"hidden": (12, 12), "density": 0.4, "threads": 1} | options
    return IndependentTraining(kind, EnvironmentMaker(data), SPLIT.train_homes, SPLIT, given, **options)


@pytest.mark.parametrize("kind", ["td3", "dqn"])
def test_it_learns_window_after_window_and_begins_alike(kind):
    made = training(kind, exchange=40.0, neighbours=1)
    for learner in made.agent.learners.values():
        for net, target in zip(learner.nets, learner.targets, strict=True):
            for layer, own in zip(net.layers, target.layers, strict=True):
                values = layer.values.reshape(2, -1)
                assert (values[0] == values[1]).all()
                assert own.connectivity is layer.connectivity
    before = made.fleet.layers[0].values.copy()
    rows = [made.advance(), made.advance()]
    assert made.done == made.length == 96
    assert made.hours_lived == 96
    assert rows[1]["replaced"] > 0
    assert rows[1]["sent_bytes"] > 0
    assert made.fleet.layers[0].values.shape == before.shape
    assert (made.fleet.layers[0].values != before).any()
    assert made.fleet.connections_per_agent.tolist() == [made.fleet.n_connections // 2] * 2


@pytest.mark.parametrize("kind", ["td3", "dqn"])
def test_homes_learn_from_their_own_data_alone(kind):
    load = DATA.load.copy()
    load[:, 1] *= 1.5
    changed = type(DATA)(**{**{name: getattr(DATA, name) for name in DATA.__dataclass_fields__}, "load": load})
    nets = []
    for data in (DATA, changed):
        made = training(kind, data=data)
        made.advance()
        nets.append(made.fleet)
    assert (nets[0][0].layers[0].values == nets[1][0].layers[0].values).all()
    assert (nets[0][1].layers[0].values != nets[1][1].layers[0].values).any()


def test_arguments_are_checked():
    with pytest.raises(InputError, match="shared is for 'es'"):
        training("td3", shared=True)
    with pytest.raises(InputError, match="hours must be at least 48"):
        training("dqn", SMALL | {"hours": 24})
    with pytest.raises(InputError, match="candidates"):
        training("td3", SMALL | {"candidates": 4})
    maker = EnvironmentMaker(DATA, {"broadcast": True})
    with pytest.raises(InputError, match="td3 must learn in all homes"):
        IndependentTraining("td3", maker, SPLIT.train_homes, SPLIT, SMALL, hidden=(8,), density=0.5)


def test_the_value_of_stored_energy_is_the_homes_own():
    made = training("td3")
    maker = EnvironmentMaker(DATA)
    np.testing.assert_allclose(made.environments.unit, maker.unit[:2])
