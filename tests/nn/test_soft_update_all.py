"""Soft updates of several networks in one call against those of one after the other, layer by layer."""

from __future__ import annotations

import copy
import gc
import pickle
from weakref import ref

import numpy as np
import pytest

import trulysparse as ts
from trulysparse import _kernels
from trulysparse.nn import soft_update_all as module
from trulysparse.nn.soft_update import soft_update

FORMS = {
    "indexed float32": {},
    "indexed float64": {"dtype": "float64"},
    "without biases": {"bias": False},
    "with a skip layer": {"skip": True},
    "compact float32": {"storage": "compact"},
    "compact bfloat16": {"storage": "compact", "weights": "bfloat16"},
}


def network(seed=0, sizes=(23, 40, 20, 1), **form) -> ts.SparseMLP:
    return ts.SparseMLP(sizes, density=0.3, seed=seed, output="identity", threads=1, **form)


def change(net, seed) -> None:
    """Other weights, in place."""
    rng = np.random.default_rng(seed)
    for layer in net.layers:
        for array in (layer.values, layer.bias):
            new = rng.normal(size=array.size).astype(np.float32)
            if array.dtype == np.uint16:
                _kernels.round_to(new, array, 1)
            else:
                array[:] = new


def evolve(net, key=1) -> None:
    ts.SET(0.3).evolve(net, [layer.new_state(ts.SGD(0.1)) for layer in net.layers], key, 1)


def bits(nets) -> list[bytes]:
    return [array.tobytes() for net in nets for layer in net.layers for array in (layer.values, layer.bias)]


def slow(targets, sources, tau) -> None:
    """One after the other, layer by layer."""
    for target, source in zip(targets, sources, strict=True):
        soft_update(target.layers, source.layers, tau, target.seed, target.soft_updates, target.threads)
        target.soft_updates += 1


@pytest.mark.parametrize("form", FORMS)
def test_same_bits_as_one_after_the_other(form):
    sources = [network(seed, **FORMS[form]) for seed in (0, 1)]
    ones, twos, threes = ([net.copy() for net in sources] for _ in range(3))
    for step, tau in enumerate((0.005, 0.005, 0.3, 1, 0.005, 0, 0.2, 0.2)):
        for number, source in enumerate(sources):
            change(source, 10 * step + number)
            if step == 4 and "compact" not in form:
                evolve(source)
                for nets in (ones, twos, threes):
                    nets[number].take_topology(source)
        slow(ones, sources, tau)
        ts.soft_update_all(twos, sources, tau)
        for target, source in zip(threes, sources, strict=True):
            target.soft_update(source, tau)
        assert bits(ones) == bits(twos) == bits(threes)
        assert [net.soft_updates for net in ones + twos + threes] == [step + 1] * 6


def test_one_call_while_topologies_are_the_very_objects(monkeypatch):
    sources = [network(seed) for seed in (0, 1)]
    targets = [net.copy() for net in sources]
    slow_calls = []
    monkeypatch.setattr(_kernels, "mix", lambda *arguments: slow_calls.append(1))
    for tau in (0.1, 1, 0):
        ts.soft_update_all(targets, sources, tau)
        targets[0].soft_update(sources[0], tau)
    assert not slow_calls
    targets[1].layers[0].connectivity = network(1).layers[0].connectivity  # equal, but another object
    ts.soft_update_all(targets, sources, 0.1)
    assert len(slow_calls) == 1
    targets[1].take_topology(sources[1])
    ts.soft_update_all(targets, sources, 0.1)
    assert len(slow_calls) == 1


def test_arrays_that_were_replaced_are_seen():
    source = network()
    target = source.copy()
    change(source, 1)
    for part in ("values", "bias"):
        for net in (source, target):
            target.soft_update(source, 0.5)
            setattr(net.layers[1], part, getattr(net.layers[1], part) * 2 + 1)
            t, s = (getattr(each.layers[1], part).astype(np.float64) for each in (target, source))
            target.soft_update(source, 0.5)
            np.testing.assert_allclose(getattr(target.layers[1], part), t + 0.5 * (s - t), rtol=1e-5, atol=1e-6)


def test_read_only_arrays_are_replaced_later_too():
    source = network()
    target = source.copy()
    change(source, 1)
    for seed, tau in enumerate((0.5, 1), start=2):
        target.soft_update(source, tau)
        fixed = target.layers[1].values
        fixed.flags.writeable = False
        content = fixed.tobytes()
        change(source, seed)
        target.soft_update(source, tau)
        assert fixed.tobytes() == content
        assert target.layers[1].values.tobytes() != content


def test_a_chain_of_networks_is_taken_in_order():
    """The second follows the first, which has changed just before."""
    nets = [network(0), network(0), network(0)]
    for seed, net in enumerate(nets):
        change(net, seed)
    twins = [net.copy() for net in nets]
    for _ in range(3):
        slow(nets[1:], nets[:2], 0.5)
        ts.soft_update_all(twins[1:], twins[:2], 0.5)
        assert bits(nets) == bits(twins)
    for _ in range(2):  # the same network twice
        slow([nets[0], nets[0]], nets[1:], 0.5)
        ts.soft_update_all([twins[0], twins[0]], twins[1:], 0.5)
        assert bits(nets) == bits(twins)


def test_the_same_bits_for_any_number_of_threads():
    results = []
    for threads in (1, 2, 5):
        sources = [network(seed, sizes=(300, 400, 3)) for seed in (0, 1)]
        targets = [net.copy() for net in sources]
        for number, net in enumerate(sources):
            change(net, number)
        for net in targets:
            net.threads = threads
        for _ in range(3):
            ts.soft_update_all(targets, sources, 0.3)
        results.append(bits(targets))
    assert results[0] == results[1] == results[2]


def test_copies_and_pickles_are_updated_alike():
    source = network()
    target = source.copy()
    change(source, 1)
    target.soft_update(source, 0.1)
    twins = [copy.deepcopy(target), pickle.loads(pickle.dumps(target)), target.copy()]
    for _ in range(2):
        for twin in [target, *twins]:
            twin.soft_update(source, 0.1)
    assert all(bits([twin]) == bits([target]) for twin in twins)


def test_nothing_is_held_on_to():
    source = network()
    target = source.copy()
    target.soft_update(source, 0.1)
    gone = [ref(part) for part in (source, source.layers[0].values)]
    del source
    gc.collect()
    assert [known() for known in gone] == [None, None]


@pytest.mark.parametrize("form", ["tied", "bfloat16", "files"])
def test_what_is_not_mixed_in_one_call(form, tmp_path):
    made = {
        "tied": lambda: ts.SparseMLP((9, 4, 9), epsilon=1, tied=True, output="identity"),
        "bfloat16": lambda: network(storage="compact", weights="bfloat16"),
        "files": lambda: network(storage="compact", folder=tmp_path / "layers"),
    }
    source = made[form]()
    target = source.copy()
    before = bits([target])
    assert not module.mixed_in_place([target], [source], 0.5)
    assert not module.mixed_in_place([source], [target], 0.5)
    assert not module.mixed_in_place([target], ["net"], 0.5)
    assert bits([target]) == before
    assert target.soft_updates == 0


def test_what_does_not_fit_is_refused_before_the_first_change():
    sources = [network(seed) for seed in (0, 1)]
    targets = [net.copy() for net in sources]
    for number, net in enumerate(sources):
        change(net, number)
    before = bits(targets)
    for given, message in (
        ((targets, sources[:1], 0.5), "sources must have one network for each of 2 targets, not 1"),
        ((targets, [sources[0], network(sizes=(23, 41, 20, 1))], 0.5), r"layers\[0\] must connect 23 x 40"),
        ((targets, [sources[0], "net"], 0.5), "source must be a network, not str"),
        (([targets[0], None], sources, 0.5), r"targets\[1\] must be a network, not NoneType"),
        ((targets, sources, 2), r"tau must lie in \[0, 1\]"),
        ((targets[0], sources, 0.5), "targets must be a sequence"),
    ):
        with pytest.raises(ts.InputError, match=message):
            ts.soft_update_all(*given)
        assert bits(targets) == before
    ts.soft_update_all([], [], 0.5)
