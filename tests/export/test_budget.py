"""What fits on a device, and what would."""

from __future__ import annotations

import json

import pytest

import trulysparse as ts
from trulysparse.export import DeviceNetwork
from trulysparse.export.budget import device_budget
from trulysparse.export.form_bytes import FORMS, bytes_of
from trulysparse.export.source import source_of
from trulysparse.rl.policy import Policy

SIZES = (64, 100, 100, 10)


def flash_of(net: ts.SparseMLP, form) -> int:
    return bytes_of(source_of(net), DeviceNetwork.of(net), form).flash


def with_biases(net: ts.SparseMLP) -> ts.SparseMLP:
    """As after a training: biases that are all 0 take nothing."""
    for layer in net.layers:
        layer.bias[:] = 0.5
    return net


@pytest.fixture(scope="module")
def net() -> ts.SparseMLP:
    return with_biases(ts.SparseMLP(SIZES, epsilon=10, seed=3, threads=1))


def test_a_form_fits_where_both_memories_have_room(net):
    roomy = device_budget(net)
    assert roomy.fitting == [form.name for form in FORMS]
    assert all(each.sparser is None and each.pruned is None for each in roomy.forms)
    for each in roomy.forms:
        exact = device_budget(net, ram=each.bytes.ram, flash=each.bytes.flash, advise=False)
        assert each.form.name in exact.fitting
        for less in ({"ram": each.bytes.ram - 1}, {"flash": each.bytes.flash - 1}):
            assert each.form.name not in device_budget(net, **less, advise=False).fitting


@pytest.mark.parametrize("number, memory, limit", [(0, "flash", 16_000), (4, "flash", 8_000), (7, "ram", 30_000)])
def test_the_sparser_network_is_the_largest_that_fits(net, number, memory, limit):
    found = device_budget(net, **{memory: limit}).forms[number].sparser
    for epsilon, fits in ((found.epsilon, True), (found.epsilon + 0.25, False)):
        other = with_biases(ts.SparseMLP(SIZES, epsilon=epsilon, seed=0, threads=1))
        taken = bytes_of(source_of(other), DeviceNetwork.of(other), FORMS[number])
        assert (getattr(taken, memory) <= limit) is fits
        if fits:
            assert (found.connections, found.bytes) == (other.n_connections, taken)
    assert found.layer_sizes == SIZES
    assert found.connections < net.n_connections


def test_the_pruned_network_is_the_largest_that_fits(net):
    found = device_budget(net, flash=16_000).forms[0].pruned
    for percentile, fits in ((found.percentile, True), (found.percentile - 1, False)):
        other = net.copy()
        ts.prune_neurons(other, percentile)
        assert (flash_of(other, FORMS[0]) <= 16_000) is fits
        if fits:
            assert (found.connections, found.layer_sizes) == (other.n_connections, other.layer_sizes)
    assert net.layer_sizes == SIZES  # the network itself stays


def test_where_inputs_alone_take_too_much_nothing_would_fit(net):
    budget = device_budget(net, ram=4)
    assert budget.fitting == []
    assert all(each.sparser is None and each.pruned is None for each in budget.forms)


def test_forms_that_a_network_cannot_have_say_why():
    wide = ts.SparseMLP((70_000, 4, 2), epsilon=0.01, seed=0, threads=1)
    budget = device_budget(wide, advise=False)
    by_name = {each.form.name: each for each in budget.forms}
    assert "65,536" in by_name["float32, u16"].reason
    assert by_name["float32, u16"].bytes is None
    assert by_name["float32, delta8"].fits
    assert not by_name["training without momentum"].fits


def test_a_policy_keeps_its_head_and_a_skip_layer_stays():
    net = ts.SparseMLP((8, 60, 60, 2), epsilon=6, output="identity", skip=True, seed=0, threads=1)
    policy = Policy(net, head="tanh", n_actions=2)
    budget = device_budget(policy, flash=3_000)
    plain = bytes_of(source_of(net), DeviceNetwork.of(net), FORMS[0])
    assert budget.forms[0].bytes.flash > plain.flash  # bounds of actions
    assert "policies that choose" in budget.forms[-1].reason
    smaller = [each for each in (budget.forms[0].sparser, budget.forms[0].pruned) if each is not None]
    assert smaller
    for found in smaller:
        assert (found.layer_sizes[0], found.layer_sizes[-1]) == (8, 2)
        assert found.bytes.flash <= 3_000


def test_it_is_json(net):
    figures = json.loads(json.dumps(device_budget(net, flash=16_000).to_json()))
    assert figures["flash"] == 16_000
    assert figures["forms"][0]["form"]["name"] == "float32, u16"
    assert figures["forms"][0]["sparser"]["epsilon"] < 10


@pytest.mark.parametrize(
    "options, message",
    [
        ({"ram": 0}, "ram must be at least 1, not 0"),
        ({"flash": "64k"}, "flash must be an integer, not '64k'"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
    ],
)
def test_arguments_out_of_range_are_refused(net, options, message):
    with pytest.raises(ts.InputError, match=message):
        device_budget(net, **options)


def test_what_is_no_model_is_refused():
    with pytest.raises(ts.InputError, match="model must be"):
        device_budget("net")
