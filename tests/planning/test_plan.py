"""Plans against what networks really take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.planning import plan
from trulysparse.planning.plan import PlanRequest, best_request, largest_batch_size
from trulysparse.planning.rates import Rates

LAYERS = (5000, 40_000, 30_000, 20_000, 3)


def bytes_held(net: ts.SparseMLP) -> dict[str, int]:
    sizes = {"connectivity": 0, "weights": 0, "biases": 0}
    for layer in net.layers:
        con = layer.connectivity
        if net.storage_config.tiled:
            arrays = [con.ptr, con.packed]
        else:
            arrays = [con.by_input.ptr, con.by_input.index, con.by_output.ptr, con.by_output.index, con.position]
        sizes["connectivity"] += sum(a.nbytes for a in arrays)
        sizes["weights"] += layer.values.nbytes
        sizes["biases"] += layer.bias.nbytes
    return sizes


@pytest.mark.parametrize("storage, kind", [("indexed", "float32"), ("compact", "float32"), ("compact", "bfloat16")])
@pytest.mark.parametrize("every, skip", [(1, False), (2, False), (3, False), (2, True)])
def test_plan_each_storage_equals_bytes_of_the_arrays(storage, kind, every, skip):
    request = PlanRequest(LAYERS, 2, 32, storage, kind, kind, ts.SGD(), every, skip=skip)
    planned = plan.plan(request, measure=False)
    net = ts.SparseMLP(LAYERS, epsilon=2, storage=storage, weights=kind, signals=kind, skip=skip)
    assert planned.connections == net.n_connections
    assert planned.neurons == net.n_neurons
    trainer = ts.Trainer(net, batch_size=32, recompute=every)
    trainer.step(np.zeros((32, 5000)), np.zeros(32, np.int64))
    sizes = bytes_held(net)
    work = trainer.training_step.passes._work
    buffers = {a.__array_interface__["data"][0]: a.nbytes for a in work._flat}
    sizes["activations"] = sum(buffers.values())
    sizes["activation bits"] = sum(a.nbytes for arrays in work._bits.values() for a in arrays)
    sizes["optimizer state"] = sum(a.nbytes for state in trainer.optimizer_state for a in state.weight + state.bias)
    for name, size in sizes.items():
        assert planned.parts[name] == pytest.approx(size, rel=0.01), name


@pytest.fixture
def known_rates(monkeypatch):
    rates = Rates(forward=(1e-9, 2e-9), backward=(3e-9, 5e-9), evolution=7e-9)
    monkeypatch.setattr(plan, "measured_rates", lambda *_: rates)
    return rates


def test_plan_known_rates_gives_seconds_of_the_network(known_rates):
    sizes = (1000, 4000, 3000, 2)
    planned = plan.plan(PlanRequest(sizes, 2, 8))
    counts = [layer.n_connections for layer in ts.SparseMLP(sizes, epsilon=2).layers]
    assert planned.seconds["forward"] == pytest.approx(1e-9 * sum(counts) + 2e-9 * sum(sizes[1:]))
    assert planned.seconds["backward and update"] == pytest.approx(3e-9 * sum(counts) + 5e-9 * sum(sizes[1:-1]))
    assert planned.seconds["evolution"] == pytest.approx(7e-9 * sum(counts[:-1]))
    assert planned.step_seconds == pytest.approx(planned.seconds["forward"] + planned.seconds["backward and update"])
    again = plan.plan(PlanRequest(sizes, 2, 8, recompute=2))
    extra = again.seconds["backward and update"] - planned.seconds["backward and update"]
    assert extra == pytest.approx(planned.seconds["forward"] / 2)


def test_a_skip_layer_takes_its_share_of_the_seconds(known_rates):
    sizes = (1000, 4000, 20)
    plain, skip = (plan.plan(PlanRequest(sizes, 2, 8, skip=skip), measure=True).seconds for skip in (False, True))
    assert skip["forward"] - plain["forward"] == pytest.approx(1e-9 * 2040 + 2e-9 * 20)
    assert skip["backward and update"] - plain["backward and update"] == pytest.approx(3e-9 * 2040)
    assert skip["evolution"] == plain["evolution"]
    assert best_request(PlanRequest(sizes, 2, 8, skip=True), 10**9).on_disk is False
    assert best_request(PlanRequest(sizes, 2, 8, skip=True), 10**6) is None


def test_plan_without_measuring_has_no_seconds():
    planned = plan.plan(PlanRequest((10, 20, 2), 2), measure=False)
    assert planned.step_seconds == 0
    assert set(planned.seconds.values()) == {0}


@pytest.mark.slow
def test_plan_measured_rates_seconds_grow_with_the_network():
    small, large = (plan.plan(PlanRequest((1000, n, n, 2), 2, 8)) for n in (1_000_000, 4_000_000))
    assert small.seconds["forward"] > 0
    assert large.step_seconds == pytest.approx(4 * small.step_seconds, rel=0.05)
    again = plan.plan(PlanRequest((1000, 1_000_000, 1_000_000, 2), 2, 8, recompute=2))
    assert again.seconds["backward and update"] > small.seconds["backward and update"]


def test_best_request_too_little_memory_fits_or_is_none():
    wanted = PlanRequest((65536, *[5_000_000] * 10, 2), 1, 64, "indexed", "float32", "float32")
    needed = plan.plan(wanted, measure=False).resident
    for free in (needed / 2, needed / 8, 1.5e9):
        fitting = best_request(wanted, int(free))
        assert fitting is not None
        assert plan.plan(fitting, measure=False).resident <= free
    assert best_request(wanted, 10**6) is None


def test_largest_batch_size_is_the_last_power_that_fits():
    fitting = PlanRequest((65536, 5_000_000, 2), 1, 8)
    largest = replace(fitting, batch_size=largest_batch_size(fitting, int(1e9)))
    assert plan.plan(largest, measure=False).resident <= 1e9
    assert plan.plan(replace(largest, batch_size=2 * largest.batch_size), measure=False).resident > 1e9


def test_disk_traffic_only_for_layers_on_disk():
    request = PlanRequest(LAYERS, 2, 8)
    assert plan.plan(request, measure=False).disk_traffic == 0
    planned = plan.plan(replace(request, on_disk=True), measure=False)
    parts = planned.parts
    read = parts["connectivity"] + parts["weights"] + parts["biases"]
    assert planned.disk_traffic == 2 * read + parts["weights"] + parts["biases"] + 2 * parts["optimizer state"]
    recomputed = plan.plan(replace(request, on_disk=True, recompute=2), measure=False)
    assert recomputed.disk_traffic == planned.disk_traffic + read // 2


@pytest.mark.parametrize(
    "change, message",
    [
        ({"layer_sizes": (5,)}, "layers must name at least"),
        ({"layer_sizes": (5, 0)}, "layers"),
        ({"batch_size": 0}, "batch_size"),
        ({"recompute": 0}, "recompute"),
        ({"epsilon": 0}, "epsilon"),
    ],
)
def test_plan_request_out_of_range_is_refused(change, message):
    with pytest.raises(ts.InputError, match=message):
        plan.plan(replace(PlanRequest((5, 4, 2), 1), **change), measure=False)
