"""Interleaved timing and its ratios."""

from __future__ import annotations

import time

from trulysparse.bench import Timing, interleave


def test_interleaving_measures_what_it_says():
    timings = interleave({"a": lambda: time.sleep(0.002), "b": lambda: time.sleep(0.01)}, seconds=0.1)
    medians = {t.name: t.median for t in timings}
    assert 0.002 <= medians["a"] < medians["b"]
    assert all(t.low <= t.median <= t.high for t in timings)
    assert len(timings[0].rounds) == len(timings[1].rounds) >= 3


def test_ratios_are_taken_round_by_round():
    ours = Timing("ours", 2.0, 1.0, 4.0, 3, (1.0, 2.0, 4.0))
    peer = Timing("peer", 30.0, 10.0, 50.0, 3, (10.0, 30.0, 40.0))
    assert peer.over(ours) == 10.0
    assert ours.over(ours) == 1.0
