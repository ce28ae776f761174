"""When evolution is due, and how much of it."""

from __future__ import annotations

import math

import pytest

import trulysparse as ts


def test_schedule_in_steps_is_due_until_stop():
    every = ts.Schedule(0.4, every_steps=10, decay="cosine", stop=0.5)
    assert [done for done in range(101) if every.due(done, 7, 100)] == [10, 20, 30, 40, 50]


def test_schedule_in_epochs_is_due_but_at_the_end():
    epochs = ts.Schedule(0.4, every_epochs=2)
    assert [done for done in range(71) if epochs.due(done, 7, 70)] == [14, 28, 42, 56]


@pytest.mark.parametrize("training_progress", [0.0, 0.2, 0.5, 0.9])
def test_fraction_each_decay_reaches_its_end_at_stop(training_progress):
    elapsed = min(1.0, training_progress / 0.5)
    expected = {
        "constant": 0.4,
        "linear": 0.4 * (1 - elapsed),
        "cosine": 0.2 * (1 + math.cos(math.pi * elapsed)),
        "squared": 0.4 * elapsed**2,
    }
    for name, value in expected.items():
        decay = (lambda elapsed: elapsed**2) if name == "squared" else name
        schedule = ts.Schedule(0.4, every_steps=10, decay=decay, stop=0.5)
        assert schedule.fraction_at(training_progress) == pytest.approx(value)


def test_fraction_decay_out_of_range_is_clipped():
    for factor, expected in ((-1.0, 0.0), (9.0, 1.0)):
        schedule = ts.Schedule(0.4, every_steps=1, decay=lambda _, factor=factor: factor)
        assert schedule.fraction_at(0.5) == expected


def test_cubic_density_between_start_and_stop_is_the_cubic():
    cubic = ts.CubicDensity(0.25, start=0.1, stop=0.6)
    assert cubic.target(1000, 0.05) == 1000
    assert cubic.target(1000, 0.35) == round(1000 * (0.25 + 0.75 * 0.5**3))
    assert cubic.target(1000, 0.9) == 250


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "either every_steps or every_epochs"),
        ({"every_steps": 1, "every_epochs": 1}, "either every_steps or every_epochs"),
        ({"every_steps": 0}, "every_steps"),
        ({"every_steps": 1, "decay": "wave"}, "decay must be one of"),
        ({"every_steps": 1, "stop": 0}, "stop"),
        ({"every_steps": 1, "fraction": 1.5}, "fraction"),
    ],
)
def test_schedule_bad_argument_is_refused(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.Schedule(**arguments)


@pytest.mark.parametrize("arguments", [{"final": 0}, {"final": 0.5, "start": 0.8, "stop": 0.7}])
def test_cubic_density_bad_argument_is_refused(arguments):
    with pytest.raises(ts.InputError):
        ts.CubicDensity(**arguments)
