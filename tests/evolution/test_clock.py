"""The clock of evolutions in loops of one's own."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.evolution.clock import Clock, check_method, evolution_key


def test_counts_updates_and_knows_how_far_the_training_is():
    clock = Clock(ts.SET(every_updates=3), 12, None)
    due = []
    for _ in range(12):
        if clock.due():
            due.append((clock.count, clock.progress()))
        clock.step_done()
    assert due == [(3, 0.25), (6, 0.5), (9, 0.75)]
    assert clock.end() == 12


def test_where_the_length_is_not_known_the_end_of_the_method_counts():
    clock = Clock(ts.SET(every_updates=3, until=8), None, None)
    clock.count = 4
    assert (clock.end(), clock.progress()) == (8, 0.5)
    clock.count = 9
    assert clock.progress() == 1.0
    endless = Clock(ts.SET(every_updates=3), None, None)
    endless.count = 4
    assert (endless.end(), endless.progress()) == (None, 0.0)


@pytest.mark.parametrize(
    ("method", "total", "per_epoch", "message"),
    [
        (ts.RigL(), None, None, "total_updates must be given"),
        (ts.SET(), 10, None, "updates_per_epoch must be given"),
        (ts.SET(), 0, 5, "total_updates"),
        (ts.SET(), 10, 0, "updates_per_epoch"),
    ],
)
def test_missing_lengths_are_refused(method, total, per_epoch, message):
    with pytest.raises(ts.InputError, match=message):
        Clock(method, total, per_epoch)


def test_keys_differ_by_seed_and_count():
    assert len({evolution_key(seed, count) for seed in range(4) for count in range(4)}) == 16
    check_method(ts.SET())
    with pytest.raises(ts.InputError, match="method must be a method of evolution"):
        check_method("set")
