"""When evolution is due, and how much of it."""

from __future__ import annotations

import math

import pytest

import trulysparse as ts


def test_schedule_in_steps_is_due_until_stop():
    every = ts.Schedule(0.4, every_steps=10, decay="cosine", stop=0.5)
    assert [done for done in range(101) if every.due(done, 7, 100)] == [10, 20, 30, 40, 50]


@pytest.mark.parametrize("total", [30, 49, 50, 51, 1000, None])
@pytest.mark.parametrize("until", [1, 7, 49, 50, 51])
def test_schedule_every_7_updates_until_a_number_is_due_as_a_loop_would_count(until, total):
    schedule = ts.Schedule(0.3, every_updates=7, until=until)
    expected, since = [], 0
    for done in range(1, 101):
        since += 1
        if since == 7:
            since = 0
            if done <= until and (total is None or done < total):
                expected.append(done)
    assert [done for done in range(101) if schedule.due(done, None, total)] == expected


def test_schedule_until_a_fraction_is_the_same_as_stop():
    one, two = (
        ts.Schedule(0.4, every_steps=3, stop=0.3, decay="cosine"),
        ts.Schedule(0.4, every_updates=3, until=0.3, decay="cosine"),
    )
    assert [one.due(done, 7, 100) for done in range(101)] == [two.due(done, 7, 100) for done in range(101)]
    assert [one.fraction_at(p / 100) for p in range(101)] == [two.fraction_at(p / 100) for p in range(101)]


def test_schedule_until_one_is_an_update_and_until_one_point_is_all_of_training():
    assert [done for done in range(11) if ts.Schedule(every_updates=1, until=1).due(done, None, 10)] == [1]
    assert len([done for done in range(11) if ts.Schedule(every_updates=1, until=1.0).due(done, None, 10)]) == 9


@pytest.mark.parametrize("total", [37, 64, 1000])
def test_fraction_until_a_number_of_updates_decays_with_them(total):
    schedule = ts.Schedule(0.4, every_updates=1, until=37, decay="cosine")
    for done in range(min(total, 80)):
        expected = 0.2 * (1 + math.cos(math.pi * min(1.0, done / 37)))
        assert schedule.fraction_at(done / total, total) == pytest.approx(expected, rel=1e-15, abs=1e-17)


def test_schedule_without_a_number_that_it_needs_is_refused():
    with pytest.raises(ts.InputError, match="updates per epoch must be given"):
        ts.Schedule(every_epochs=1).due(1, None, 10)
    with pytest.raises(ts.InputError, match="total number of updates must be given: the end is"):
        ts.Schedule(every_updates=1, until=0.5).due(1, None, None)
    with pytest.raises(ts.InputError, match="total number of updates must be given where"):
        ts.Schedule(every_updates=1, until=10).fraction_at(0.5)
    with pytest.raises(ts.InputError, match="total number of updates must be given where"):
        ts.CubicDensity(0.5, until=10).target(100, 0.5)


@pytest.mark.parametrize(
    "settings, needed",
    [
        ({}, False),
        ({"stop": 0.9}, True),
        ({"until": 0.9}, True),
        ({"until": 1.0}, False),
        ({"until": 9}, False),
        ({"decay": "cosine"}, True),
        ({"decay": "linear", "until": 9}, False),
        ({"decay": lambda elapsed: 1.0}, True),
    ],
)
def test_schedule_needs_total_where_it_depends_on_it(settings, needed):
    assert ts.Schedule(every_updates=1, **settings).needs_total is needed


def test_schedule_in_updates_replaces_interval_and_end_alone():
    schedule = ts.Schedule(0.4, every_steps=3, stop=0.3, decay="cosine")
    assert schedule.in_updates() == schedule
    assert schedule.in_updates(5, 50) == ts.Schedule(0.4, stop=0.3, decay="cosine", every_updates=5, until=50)
    assert ts.Schedule(every_epochs=2).in_updates(until=50) == ts.Schedule(every_epochs=2, until=50)


def test_cubic_density_until_a_number_of_updates_is_the_cubic():
    cubic = ts.CubicDensity(0.25, start=0.1, until=60)
    for done in range(101):
        p = min(1.0, max(0.0, (done - 10) / 50))
        assert cubic.target(1000, done / 100, 100) == round(1000 * (0.25 + 0.75 * (1 - p) ** 3))
    assert [ts.CubicDensity(0.5, until=each).needs_total for each in (10, 0.5, None)] == [False, True, True]
    assert cubic.needs_total


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
        ({}, "either every_updates or every_epochs"),
        ({"every_steps": 1, "every_epochs": 1}, "either every_updates or every_epochs"),
        ({"every_steps": 1, "every_updates": 1}, "either every_updates or every_epochs"),
        ({"every_updates": 0}, "every_updates must be at least 1"),
        ({"every_updates": 1, "until": 0}, "until must be at least 1"),
        ({"every_updates": 1, "until": True}, "until must be an integer"),
        ({"every_updates": 1, "until": 1.5}, "until must lie in"),
        ({"every_updates": 1, "until": "end"}, "until must be a number"),
        ({"every_steps": 0}, "every_steps"),
        ({"every_steps": 1, "decay": "wave"}, "decay must be one of"),
        ({"every_steps": 1, "stop": 0}, "stop"),
        ({"every_steps": 1, "fraction": 1.5}, "fraction"),
    ],
)
def test_schedule_bad_argument_is_refused(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.Schedule(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"final": 0},
        {"final": 0.5, "start": 0.8, "stop": 0.7},
        {"final": 0.5, "start": 0.8, "stop": 0.9, "until": 0.7},
        {"final": 0.5, "until": 0},
    ],
)
def test_cubic_density_bad_argument_is_refused(arguments):
    with pytest.raises(ts.InputError):
        ts.CubicDensity(**arguments)


def test_elapsed_is_the_part_of_the_time_until_the_end():
    assert ts.Schedule(0.3, every_epochs=1, stop=0.5).elapsed(0.25) == 0.5
    assert ts.Schedule(0.3, every_epochs=1, until=200).elapsed(0.1, 1000) == 0.5
    assert ts.Schedule(0.3, every_epochs=1, until=200).elapsed(0.9, 1000) == 1
    assert ts.Schedule(0.3, every_epochs=1, stop=0.5).end(100) == 50
    assert ts.Schedule(0.3, every_epochs=1).end(None) == math.inf
