"""Training by an evolution strategy: where it begins, what it lowers."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.agents.rollout import EnvironmentMaker
from trulysparse.grid.agents.strategy_training import StrategyTraining, new_fleet
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.sample import sample_data
from trulysparse.grid.splits import split_of

DATA = sample_data(3)
SPLIT = split_of(DATA.names, len(DATA.hour), n_train=2)
SMALL = {"generations": 30, "candidates": 8, "windows": 2, "window_hours": 48, "learning_rate": 0.05}


def training(given=SMALL, **options):
    options = {"hidden": (12,), "density": 0.3, "threads": 1} | options
    return StrategyTraining(EnvironmentMaker(DATA), SPLIT.train_homes, SPLIT, given, **options)


def test_all_begin_alike_and_close_to_self_consumption():
    net = new_fleet((24, 16, 16, 2), 0.2, 3, "tanh", 0, 1)
    first = net[0]
    assert all(
        (a.values == b.values).all() and (a.connectivity.by_input.index == b.connectivity.by_input.index).all()
        for a, b in zip(first.layers, net[2].layers, strict=True)
    )
    x = np.random.default_rng(0).standard_normal((3, 24)).astype(np.float32)
    assert not net.predict(x).any()


@pytest.mark.parametrize(
    "options",
    [
        {"exchange": 400.0, "neighbours": 1},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"shared": True}, marks=pytest.mark.slow),
        pytest.param({"density": 1.0}, marks=pytest.mark.slow),
    ],
)
def test_costs_fall_below_the_start(options):
    made = training(**options)
    windows = made.windows.of_generation(0)

    def cost():
        for each in made.strategy.candidates.fleets:
            for own, layer in zip(each.layers, made.fleet.layers, strict=True):
                own.values[:], own.bias[:] = layer.values, layer.bias
        return made.rollouts.costs(made.strategy.candidates, windows, 48)[:, 0].sum()

    before = cost()
    rows = [made.advance() for _ in range(30)]
    assert cost() < before - 0.5
    assert made.done == made.length == 30
    assert all(row["best"] <= row["cost"] for row in rows)
    evolves = options.get("density") != 1.0
    assert (rows[-1]["replaced"] > 0) == evolves
    assert (rows[-1]["sent_bytes"] > 0) == ("exchange" in options)
    assert made.hours_lived == SPLIT.train_hours.sum()


def test_homes_learn_from_their_own_data_alone():
    """With another home's data changed, an agent learns the same bits."""
    other = sample_data(3)
    load = other.load.copy()
    load[:, 1] *= 1.5
    changed = type(other)(**{**{name: getattr(other, name) for name in other.__dataclass_fields__}, "load": load})
    nets = []
    for data in (DATA, changed):
        made = StrategyTraining(
            EnvironmentMaker(data), SPLIT.train_homes, SPLIT, SMALL, hidden=(12,), density=0.3, threads=1
        )
        for _ in range(5):
            made.advance()
        nets.append(made.fleet)
    assert (nets[0][0].layers[0].values == nets[1][0].layers[0].values).all()
    assert (nets[0][1].layers[0].values != nets[1][1].layers[0].values).any()


def test_threads_change_no_bit():
    nets = []
    for threads in (1, 3):
        made = training(threads=threads)
        for _ in range(4):
            made.advance()
        nets.append(made.fleet)
    assert all((a.values == b.values).all() for a, b in zip(nets[0].layers, nets[1].layers, strict=True))


def test_a_feeder_can_be_part_of_it():
    data = sample_data(17)
    options = {"feeder": "landnetz", "grid_limits": "penalty"}
    try:
        GridEnvironment(data, **options)
    except InputError:
        from trulysparse.grid.feeder import Feeder

        options["feeder"] = Feeder.named("landnetz")
    split = split_of(data.names, len(data.hour))
    made = StrategyTraining(
        EnvironmentMaker(data, options),
        split.train_homes,
        split,
        {"candidates": 2, "windows": 1, "window_hours": 24},
        hidden=(8,),
        density=0.5,
    )
    assert np.isfinite(made.advance()["cost"])


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({"candidate": 4}, {}, "there is no setting 'candidate'; there are generations"),
        ({"generations": 0}, {}, "generations must be at least 1"),
        (SMALL, {"shared": True, "exchange": 168.0}, "exchange is for agents of their own"),
        (SMALL, {"density": 0.0}, "density must lie"),
    ],
)
def test_arguments_are_checked(given, options, message):
    with pytest.raises(InputError, match=message):
        training(given, **options)
