"""What agents take on their devices."""

from __future__ import annotations

import pytest

from trulysparse.cli.grid._devices import device_figures, most_replay
from trulysparse.cli.grid._settings import GridSettings
from trulysparse.errors import InputError
from trulysparse.grid.agents import Training
from trulysparse.grid.budget import DEVICES, JOULES_PER_BYTE
from trulysparse.grid.splits import split_of


@pytest.fixture
def training(short_sample):
    split = split_of(short_sample.names, short_sample.n_hours)
    return Training("es", short_sample, split, hidden=(16, 8), density=0.3, exchange=168)


def test_figures_are_those_of_the_networks(training):
    found = device_figures(training, GridSettings(device="m4"))
    fleet = training.method.fleet
    assert found["mean"]["connections"] == fleet.connections_per_agent.mean()
    assert found["largest"]["multiply_adds_per_day"] == 24 * fleet.connections_per_agent.max()
    assert found["mean"]["bytes_sent_per_day"] == 0
    device = DEVICES["m4"]
    assert found["allowed"] == {
        "connections": device.connections, "ram_bytes": device.ram_bytes, "flash_bytes": device.flash_bytes,
    }  # fmt: skip
    assert device_figures(training, GridSettings())["allowed"] == {}


def test_readings_for_the_community_are_messages_too(training):
    alone, told = (device_figures(training, GridSettings(broadcast=name))["mean"] for name in (None, "community"))
    assert told["bytes_sent_per_day"] == 48
    assert told["joules_per_day"] - alone["joules_per_day"] == pytest.approx(48 * JOULES_PER_BYTE)


def test_what_does_not_fit_is_refused(short_sample):
    split = split_of(short_sample.names, short_sample.n_hours)
    dense = Training("es", short_sample, split, hidden=(32, 32), density=1.0)
    with pytest.raises(InputError, match=r"an agent has 1,8\d\d connections, device Cortex-M0\+ with 32 kB takes 600"):
        device_figures(dense, GridSettings(device="meter"))
    with pytest.raises(InputError, match="--device must be one of meter, m4, esp32, not 'phone'"):
        device_figures(dense, GridSettings(device="phone"))


def test_memories_of_those_that_learn_there_are_as_large_as_the_device_allows():
    assert most_replay(GridSettings(device="m4"), "dqn") == DEVICES["m4"].replay_hours
    assert most_replay(GridSettings(device="meter"), "td3") is None  # it receives models
    assert most_replay(GridSettings(device="m4"), "es") is None
    assert most_replay(GridSettings(), "td3") is None
