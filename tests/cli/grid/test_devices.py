"""What agents take on their devices."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.cli.grid._devices import device_figures, most_replay
from trulysparse.cli.grid._settings import GridSettings
from trulysparse.errors import InputError
from trulysparse.grid.agents import Training
from trulysparse.grid.budget import DEVICES
from trulysparse.grid.splits import split_of
from trulysparse.nn.fleet_messages import message_bytes


@pytest.fixture
def training(short_sample):
    split = split_of(short_sample.names, short_sample.n_hours)
    return Training("es", short_sample, split, hidden=(16, 8), density=0.3, exchange=168)


def test_figures_are_those_of_the_networks(training):
    found = device_figures(training, GridSettings(device="m4"), shared=False, dense=False)
    fleet = training.method.fleet
    assert found["mean"]["connections"] == fleet.connections_per_agent.mean()
    assert found["largest"]["multiply_adds_per_day"] == 24 * fleet.connections_per_agent.max()
    assert found["mean"]["bytes_sent_per_day"] == 0
    device = DEVICES["m4"]
    assert found["allowed"] == {
        "connections": device.connections, "ram_bytes": device.ram_bytes, "flash_bytes": device.flash_bytes,
    }  # fmt: skip
    assert device_figures(training, GridSettings(), shared=False, dense=False)["allowed"] == {}


def test_messages_are_those_to_neighbours_and_to_the_community(training):
    fleet = training.method.fleet
    assert len(fleet) == 2  # each has one neighbour
    weekly = GridSettings(exchange="weekly", broadcast="community")
    sent = device_figures(training, weekly, shared=False, dense=False)["mean"]["bytes_sent_per_day"]
    assert sent == pytest.approx(np.mean(message_bytes(fleet)) / 7 + 48)
    assert device_figures(training, weekly, shared=True, dense=False)["mean"]["bytes_sent_per_day"] == 48


def test_what_does_not_fit_is_refused(short_sample):
    split = split_of(short_sample.names, short_sample.n_hours)
    dense = Training("es", short_sample, split, hidden=(32, 32), density=1.0)
    with pytest.raises(InputError, match=r"an agent has 1,8\d\d connections, device Cortex-M0\+ with 32 kB takes 600"):
        device_figures(dense, GridSettings(device="meter"), shared=False, dense=True)
    with pytest.raises(InputError, match="--device must be one of meter, m4, esp32, not 'phone'"):
        device_figures(dense, GridSettings(device="phone"), shared=False, dense=True)


def test_memories_of_those_that_learn_there_are_as_large_as_the_device_allows():
    assert most_replay(GridSettings(device="m4"), "dqn") == DEVICES["m4"].replay_hours
    assert most_replay(GridSettings(device="meter"), "td3") is None  # it receives models
    assert most_replay(GridSettings(device="m4"), "es") is None
    assert most_replay(GridSettings(), "td3") is None
