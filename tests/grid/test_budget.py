"""What agents take on devices, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.grid.budget import DEVICES, Device, Learning, agent_needs, check_device, connections_of


def test_bytes_and_work_counted_by_hand():
    needs = agent_needs((300, 10, 2), [[100, 5], [50, 20]], bytes_sent_per_day=[0, 1000])
    # two bytes a weight, an index of two bytes into 300 inputs and of one into 10; the same a neuron
    assert needs.flash_bytes.tolist() == [100 * 4 + 10 * 4 + 5 * 3 + 2 * 3, 50 * 4 + 10 * 4 + 20 * 3 + 2 * 3]
    assert needs.ram_bytes.tolist() == [310 * 4 + 2 * 24 * 2] * 2
    assert needs.multiply_adds_per_decision.tolist() == [105, 70]
    assert needs.multiply_adds_per_day.tolist() == [2520, 1680]
    np.testing.assert_allclose(needs.joules_per_day, [2520e-9, 1680e-9 + 1000 * 2e-6])
    assert needs.largest()["connections"] == 105
    assert needs.mean()["connections"] == 87.5
    assert [row["connections"] for row in needs.rows()] == [105, 70]


def test_a_dense_network_stores_no_indices():
    dense = agent_needs((24, 64, 64, 1), [24 * 64, 64 * 64, 64], dense=True)
    assert dense.flash_bytes[0] == 2 * (24 * 64 + 64 * 64 + 64) + 2 * (64 + 64 + 1)
    sparse = agent_needs((24, 64, 64, 1), [154, 410, 6])
    assert dense.flash_bytes[0] > 5 * sparse.flash_bytes[0]


def test_learning_adds_networks_memory_and_work():
    acting = agent_needs((24, 16, 1), [192, 8])
    learning = agent_needs((24, 16, 1), [192, 8], learning=Learning(1000, 2048, updates_per_day=2, batch_size=32))
    assert (learning.ram_bytes - acting.ram_bytes).tolist() == [1000 * 10 + 2048 * 26]
    assert (learning.multiply_adds_per_day - acting.multiply_adds_per_day).tolist() == [3 * 1000 * 32 * 2]


def test_connections_of_networks_and_fleets():
    fleet = ts.Fleet(3, (24, 16, 1), density=0.25, seed=1)
    counts = connections_of(fleet)
    for agent in range(3):
        assert counts[agent].tolist() == connections_of(fleet[agent])[0].tolist()
    assert counts.sum() == fleet.n_connections


@pytest.mark.parametrize(
    "device, needs, message",
    [
        ("meter", agent_needs((24, 64, 1), [600, 1]), "an agent has 601 connections, device Cortex-M0"),
        ("meter", agent_needs((24, 8, 1), [20, 8], learning=Learning(10, 1)), "does not learn"),
        ("m4", agent_needs((24, 8, 1), [20, 8], learning=Learning(6001, 1)), "6,001 connections that learn"),
        ("m4", agent_needs((24, 8, 1), [20, 8], learning=Learning(10, 2049)), "2,049 hours to remember"),
        ("meter", agent_needs((3000, 1), [500]), "bytes of RAM"),
        (Device("tiny", 10**6, 100, 600), agent_needs((24, 8, 1), [40, 8]), "bytes of flash, device tiny takes 100"),
        ("phone", agent_needs((24, 8, 1), [40, 8]), "device must be one of meter, m4, esp32"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_figure(device, needs, message):
    with pytest.raises(InputError, match=message):
        check_device(device, needs)


def test_what_fits_just_is_taken():
    assert check_device("meter", agent_needs((24, 64, 1), [599, 1])) is DEVICES["meter"]
    learning = Learning(6000, 1300)
    assert check_device("m4", agent_needs((24, 64, 1), [599, 1], learning=learning)) is DEVICES["m4"]


def test_bad_arguments():
    with pytest.raises(InputError, match="connections must be of the 2 layers"):
        agent_needs((24, 8, 1), [40])
