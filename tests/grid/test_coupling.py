"""Homes on a feeder: the flow is that of their meters, limits cost money or are kept."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.coupling import Coupling
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.feeder import Cable, Feeder, Line, Transformer
from trulysparse.grid.limits import penalties
from trulysparse.grid.power_flow.flow import Feeders
from trulysparse.grid.sample import sample_data

DATA = sample_data(3)
CABLE = Cable("thin", 0.9, 0.1, 0.0, 60.0)


def small_feeder(kva=10.0, length=150.0):
    """Three homes, one after the other, behind a small transformer."""
    lines = [Line("busbar", "a", length, CABLE), Line("a", "b", length, CABLE), Line("b", "c", length, CABLE)]
    return Feeder(Transformer(kva, 4, 1.2), lines, homes=["a", "b", "c"])


def environment(**options):
    given = {"n_hours": 48, "feeder": small_feeder(), "reward_scale": 1.0, "wear": 0.0} | options
    made = GridEnvironment(DATA, **given)
    made.reset()
    return made


def test_flow_and_penalty_are_those_of_the_meters():
    homes = environment()
    charge = np.ones((3, 1))
    paid = 0.0
    for _ in range(48):
        step = homes.step(charge)
        flow = Feeders(small_feeder(), precision="double").flow(step.net)
        np.testing.assert_allclose(step.voltage, flow.voltage, atol=2e-6)
        np.testing.assert_allclose(step.transformer_loading, flow.transformer_loading, atol=1e-5)
        np.testing.assert_allclose(step.line_loading, flow.line_loading, atol=1e-5)
        np.testing.assert_allclose(step.penalty, penalties(flow, step.net), atol=1e-3)
        np.testing.assert_allclose(step.rewards, -(step.cost + step.penalty), rtol=1e-5, atol=1e-6)
        paid += step.penalty.sum()
    assert step.ended
    assert paid > 1


def test_own_voltage_is_observed_and_the_loading_where_it_is_told():
    for broadcast in (False, "feeder"):
        homes = environment(broadcast=broadcast)
        names = homes.observation_names
        assert not homes.observations()[:, names.index("voltage last hour")].any()
        step = homes.step(np.ones((3, 1)))
        seen = homes.observations()
        np.testing.assert_allclose(
            seen[:, names.index("voltage last hour")], (step.voltage - 1) / 0.05, rtol=1e-4, atol=1e-5
        )
        told = step.transformer_loading[0] if broadcast else 0.0
        np.testing.assert_allclose(seen[:, names.index("feeder loading last hour")], told, rtol=1e-5)


def test_export_is_told_as_a_negative_loading():
    coupling = Coupling(small_feeder(), 3, "penalty")
    coupling.pay(np.full(3, -1.0), 0)
    assert coupling.loading[0] < 0
    coupling.pay(np.full(3, 1.0), 1)
    assert coupling.loading[0] > 0


def test_the_operator_keeps_limits_and_what_batteries_did_fits_their_charge():
    homes = environment(grid_limits="curtail")
    charge = np.ones((3, 1))
    turned_down = 0
    for _ in range(48):
        before = homes.batteries.energy_kwh.copy()
        step = homes.step(charge)
        need = step.load - step.pv
        loads_alone = Feeders(small_feeder()).flow(need)
        if loads_alone.transformer_loading[0] < 0.99 and loads_alone.voltage.min() > 0.951:
            assert step.transformer_loading[0] <= 1.001
            assert step.voltage.min() >= 0.9499
        np.testing.assert_allclose(step.net, need + step.balance, rtol=1e-9, atol=1e-9)
        stored = homes.batteries.energy_kwh - before
        assert (stored <= step.balance + 1e-9).all()
        turned_down += (step.clipped > 0.5).any() and step.transformer_loading[0] > 0.95
    assert turned_down > 0


def test_a_flow_without_solution_ends_the_episode_with_a_sentence():
    homes = environment(feeder=small_feeder(length=6000.0))
    step = homes.step(np.ones((3, 1)))
    while not step.ended:
        step = homes.step(np.ones((3, 1)))
    assert homes.step_number < 48
    assert step.diverged.startswith(f"hour {homes.step_number - 1}: the power flow of feeder 0 has no solution")
    assert "'c'" in step.diverged or "'b'" in step.diverged
    assert np.isfinite(step.rewards).all()
    assert (step.rewards < -40).all()
    assert np.isfinite(step.observations).all()
    with pytest.raises(InputError, match="episode has ended"):
        homes.step(None)
    homes.reset()
    assert not homes.step(None).diverged or homes.step_number == 1


@pytest.mark.parametrize("limits", ["penalty", "curtail"])
def test_goes_on_to_the_same_bits(limits):
    first = environment(grid_limits=limits, broadcast="feeder")
    for _ in range(20):
        first.step(np.ones((3, 1)))
    second = environment(grid_limits=limits, broadcast="feeder")
    np.testing.assert_array_equal(second.restore(first.state()), first.observations())
    for _ in range(28):
        ours, theirs = second.step(np.ones((3, 1))), first.step(np.ones((3, 1)))
        for name in ("observations", "rewards", "net", "voltage", "transformer_loading"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_copies_are_feeders_of_their_own():
    twice = environment(copies=2)
    alone = environment()
    actions = np.ones((6, 1))
    actions[3:] = -1
    both = twice.step(actions)
    np.testing.assert_allclose(both.voltage[:3], alone.step(actions[:3]).voltage, atol=1e-6)
    assert both.transformer_loading.shape == (2,)
    assert both.transformer_loading[0] != both.transformer_loading[1]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"feeder": Feeder.named("landnetz")}, "feeder has 17 homes, of which the scenario's 3 are no multiple"),
        ({"feeder": Feeders(small_feeder(), 2)}, "feeder must be of the scenario's 3 homes, not of 6"),
        ({"feeder": "landnetz"}, "feeder has 17 homes, of which"),
        ({"feeder": 3}, "feeder must be a Feeder, the name of one, or Feeders"),
        ({"grid_limits": "none"}, "grid_limits must be one of penalty, curtail"),
        ({"first_hour": [0, 1, 2]}, "first_hour must be the same for all homes of a feeder"),
        ({"feeder": None, "broadcast": "feeder"}, "broadcast='feeder' needs a feeder"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        environment(**options)
