"""Trainings: logs, checkpoints, a resume with the same bits, agents of all homes."""

from __future__ import annotations

import signal
from dataclasses import replace

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.agents.training import FILE, KINDS, Training
from trulysparse.grid.sample import sample_data
from trulysparse.grid.splits import split_of

DATA = sample_data(4)
SPLIT = split_of(DATA.names, len(DATA.hour), n_train=2)
RL = {"window_hours": 24, "learning_starts": 10, "batch_size": 8, "evolve_every": 7, "buffer_size": 60}
SETTINGS = {
    "es": {"candidates": 4, "windows": 2, "window_hours": 24, "evolve_every": 2},
    "td3": RL,
    "dqn": RL,
}
LENGTH = {"es": 8, "td3": 120, "dqn": 120}


def training(kind, **options):
    options = {"hidden": (10,), "density": 0.4, "exchange": 48.0, "neighbours": 1, "length": LENGTH[kind]} | options
    return Training(kind, DATA, SPLIT, settings=SETTINGS[kind], **options)


def equal(one, other):
    return all(
        (a.values == b.values).all()
        and (a.bias == b.bias).all()
        and (a.connectivity.by_input.index == b.connectivity.by_input.index).all()
        for a, b in zip(one.method.fleet.layers, other.method.fleet.layers, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_resumes_with_the_same_bits(kind, tmp_path):
    whole = training(kind).run()
    half = training(kind).run(tmp_path, until=LENGTH[kind] // 2)
    assert not equal(whole, half)
    again = Training.resume(tmp_path, DATA, SPLIT, threads=2)
    assert (again.done, again.log, again.seconds) == (half.done, half.log, half.seconds)
    again.run(tmp_path)
    assert equal(whole, again)
    without = [{name: value for name, value in row.items() if name != "seconds"} for row in whole.log]
    assert [{name: value for name, value in row.items() if name != "seconds"} for row in again.log] == without
    assert whole.method.exchange.count == again.method.exchange.count > 0
    assert Training.resume(tmp_path, DATA, SPLIT).done == LENGTH[kind]


@pytest.mark.parametrize("forecasts", ["persistence", "week"])
@pytest.mark.parametrize("kind", ["es", "td3"])
def test_no_test_hour_and_no_unseen_home_has_a_part_in_it(kind, forecasts):
    """Other loads, PV, carbon and weather where nothing may be learned from give the same agents, bit for bit."""
    other, rng = {}, np.random.default_rng(1)
    for name in ("load", "pv", "carbon", "temperature"):
        values = np.array(getattr(DATA, name))
        values[SPLIT.test_hours] *= rng.uniform(0.2, 0.9, values[SPLIT.test_hours].shape).astype(values.dtype)
        if values.ndim == 2:
            values[:, SPLIT.test_homes] *= np.float32(0.5)
        other[name] = values
    made = []
    for data in (DATA, replace(DATA, **other)):
        settings = SETTINGS[kind] | ({"windows": 13 if forecasts == "week" else 60} if kind == "es" else {"hours": 48})
        more = {"hidden": (4,), "density": 0.5, "environment": {"forecasts": forecasts, "carbon_weight": 0.1}}
        trained = Training(kind, data, SPLIT, settings=settings, length=2 if kind == "es" else 96, **more)
        made.append(trained.run())
    assert equal(*made)
    assert made[0].method.windows.count > 12


def test_agents_are_of_all_homes_and_stay_as_they_were():
    made = training("es").run(until=2)
    agents = made.agents()
    x = np.random.default_rng(0).standard_normal((4, 24)).astype(np.float32)
    before = agents.act(x)
    made.run()
    assert (agents.act(x) == before).all()
    assert (made.agents().act(x) != before).any()
    assert agents.network_of.tolist() == [0, 1, 2, 2]


def test_progress_is_told_when_the_log_has_its_row():
    made, told = training("es"), []
    made.run(progress=lambda what, done, total: told.append((what, done, total, len(made.log))))
    assert told == [("training", n, 8, n) for n in range(1, 9)]
    assert [row["step"] for row in made.log] == list(range(1, 9))
    assert all(row["seconds"] > 0 for row in made.log)


def test_an_interrupt_takes_effect_after_a_whole_part_and_a_checkpoint(tmp_path):
    made = training("es")

    def interrupt(what, done, total):
        if done == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        made.run(tmp_path, progress=interrupt)
    assert Training.resume(tmp_path, DATA, SPLIT).done == made.done == 3


def test_it_can_be_stopped(tmp_path):
    made = training("es")
    made.run(tmp_path, stop=lambda: made.done == 2)
    assert Training.resume(tmp_path, DATA, SPLIT).done == made.done == 2


@pytest.mark.slow
def test_checkpoints_are_written_on_the_way(tmp_path):
    made, seen = training("es"), []

    def look(what, done, total):
        if (tmp_path / FILE).is_file():
            seen.append(Training.resume(tmp_path, DATA, SPLIT).done)

    made.run(tmp_path, progress=look, checkpoint_seconds=0)
    assert seen == list(range(1, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "ppo"}, "kind must be one of es, td3, dqn"),
        ({"density": 2.0}, "density must lie"),
        ({"hidden": (0,)}, "hidden must be at least 1"),
        ({"hidden": "wide"}, "hidden must be a sequence"),
        ({"settings": {"candidate": 3}}, "there is no setting 'candidate'"),
        ({"length": 0}, "generations must be at least 1"),
        ({"environment": {"n_hours": 3}}, "must not have 'n_hours'"),
    ],
)
def test_arguments_are_checked(options, message):
    given = {"kind": "es"} | options
    with pytest.raises(InputError, match=message):
        Training(given.pop("kind"), DATA, SPLIT, **given)


def test_a_checkpoint_of_another_grid_is_refused(tmp_path):
    training("es").run(tmp_path, until=1)
    with pytest.raises(InputError, match="scenario must have 4 homes"):
        Training.resume(tmp_path, sample_data(5), SPLIT)
    with pytest.raises(InputError, match="does not exist"):
        Training.resume(tmp_path / "elsewhere", DATA, SPLIT)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:2000])
    with pytest.raises(InputError):
        Training.resume(tmp_path, DATA, SPLIT)
