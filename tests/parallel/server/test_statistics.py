"""Statistics of an epoch against figures worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.server.statistics import EpochStatistics
from trulysparse.parallel.shards import BatchId


def gradient(loss, n_samples, n_updates, weight=None):
    arrays = [np.zeros(100, np.float32)], [np.zeros(25, np.float32)]
    return Gradient(BatchId(0, 0, 0), 0, n_updates, *arrays, loss, n_samples, weight)


def test_record_holds_weighted_loss_staleness_and_bytes():
    statistics = EpochStatistics()
    statistics.add(gradient(1.0, 4, 0), 0)
    statistics.add(gradient(2.0, 4, 0), 3)
    statistics.add(gradient(5.0, 2, 2, weight=8.0), 4)
    statistics.dropped += 7
    record = statistics.record(3, 0.1, 900)
    assert record["loss"] == pytest.approx((4 * 1 + 4 * 2 + 8 * 5) / 16)
    assert (record["epoch"], record["phase"], record["learning_rate"], record["connections"]) == (3, 1, 0.1, 900)
    assert (record["samples"], record["dropped"]) == (10, 7)
    assert record["staleness"] == pytest.approx((0 + 3 + 2) / 3)
    assert record["staleness_max"] == 3
    assert record["gradient_mb"] == pytest.approx(3 * 500 / 1e6)
    assert record["samples_per_second"] == pytest.approx(10 / record["seconds"])


def test_record_of_an_epoch_without_weight_is_finite():
    statistics = EpochStatistics()
    statistics.add(gradient(0.0, 4, 0, weight=0.0), 0)
    assert statistics.record(1, 0.1, 900)["loss"] == 0


def test_state_continues_in_another_object():
    first, whole = EpochStatistics(), EpochStatistics()
    for statistics in (first, whole):
        statistics.add(gradient(1.0, 4, 0), 1)
    second = EpochStatistics(json.loads(json.dumps(first.state())))
    for statistics in (second, whole):
        statistics.add(gradient(3.0, 2, 1), 2)
    a, b = second.record(1, 0.1, 9), whole.record(1, 0.1, 9)
    times = ("seconds", "samples_per_second")
    assert {k: v for k, v in a.items() if k not in times} == {k: v for k, v in b.items() if k not in times}
