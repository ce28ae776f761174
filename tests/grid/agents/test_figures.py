"""Figures of agents are counted from what they consist of."""

from __future__ import annotations

import pytest

from trulysparse.grid.agents.figures import needs_of
from trulysparse.grid.agents.training import Training
from trulysparse.grid.sample import sample_data
from trulysparse.grid.splits import split_of

DATA = sample_data(3)
SPLIT = split_of(DATA.names, len(DATA.hour), n_train=2)


def test_sparse_agents_take_a_fifth_of_the_bytes_of_dense_ones():
    settings = {"candidates": 2, "windows": 1, "window_hours": 24}
    found = {}
    for density in (0.1, 1.0):
        training = Training("es", DATA, SPLIT, hidden=(32, 32), density=density, settings=settings)
        found[density] = needs_of(training).rows()[0]
    assert found[0.1]["connections"] == 182
    assert found[1.0]["connections"] == 24 * 32 + 32 * 32 + 32
    assert found[1.0]["flash_bytes"] == 2 * (1824 + 65)
    assert found[0.1]["flash_bytes"] == 3 * (182 + 65)
    assert found[1.0]["flash_bytes"] > 5 * found[0.1]["flash_bytes"]
    assert found[0.1]["multiply_adds_per_day"] == 24 * 182


def test_messages_are_counted_by_the_day():
    settings = {"candidates": 2, "windows": 1, "window_hours": 24}
    training = Training(
        "es", DATA, SPLIT, hidden=(32, 32), exchange=168.0, neighbours=1, length=39, settings=settings
    ).run()
    row = needs_of(training).rows()[1]
    days = SPLIT.train_hours.sum() / 24
    assert row["bytes_sent_per_day"] == pytest.approx(training.method.exchange.count * (182 * 4 + 65 * 2) / days)
    assert row["bytes_sent_per_day"] == pytest.approx((182 * 4 + 65 * 2) / 7, rel=0.02)


def test_learning_on_the_device_takes_critics_and_memory():
    settings = {"window_hours": 24, "buffer_size": 500}
    training = Training("td3", DATA, SPLIT, hidden=(16,), density=0.5, length=24, settings=settings)
    row = needs_of(training).rows()[0]
    learners = training.method.agent.learners
    networks = [net for each in learners.values() for net in (*each.nets, *each.targets)]
    own = sum(int(net.connections_per_agent[0]) for net in networks)
    assert row["ram_bytes"] > 10 * own + 500 * 26
    assert row["multiply_adds_per_day"] > 24 * row["connections"]
