"""Soft updates against a dictionary of connections, for every storage."""

from __future__ import annotations

import copy
import gc
import pickle

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from trulysparse import _kernels
from trulysparse._core.arrays import widened
from trulysparse.connectivity import Connectivity
from trulysparse.nn import soft_update as module
from trulysparse.nn.layers.indexed import IndexedLayer

SIZES = (30, 40, 20, 3)
FORMS = {
    "indexed float32": {},
    "indexed float64": {"dtype": "float64"},
    "compact float32": {"storage": "compact"},
    "compact bfloat16": {"storage": "compact", "weights": "bfloat16"},
}


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


def network(density=0.3, seed=0, sizes=SIZES, threads=1, **form) -> ts.SparseMLP:
    net = ts.SparseMLP(sizes, density=density, seed=seed, output="identity", threads=threads, **form)
    for layer in net.layers:
        bias = np.random.default_rng(seed).normal(size=layer.n_out).astype(np.float32)
        if layer.bias.dtype == np.uint16:
            _kernels.round_to(bias, layer.bias, 1)
        else:
            layer.bias[:] = bias
    return net


def evolve(net, zeta=0.2, key=1) -> None:
    """New connections in place of weak ones, and other weights."""
    state = [layer.new_state(ts.SGD(0.1)) for layer in net.layers]
    ts.SET(zeta=zeta).evolve(net, state, key, 1)
    if net.layers[0].values.dtype != np.uint16:
        for layer in net.layers:
            layer.values += np.random.default_rng(key).normal(size=layer.n_connections).astype(layer.values.dtype) / 20


def coordinates(layer) -> list[tuple[int, int]]:
    """(output, input) of each connection in the order of the weights."""
    con = layer.connectivity
    if isinstance(con, Connectivity):
        inputs = np.repeat(np.arange(con.n_in), np.diff(con.by_input.ptr))
        return list(zip(con.by_input.index.tolist(), inputs.tolist(), strict=True))
    outputs, inputs = con.coordinates()
    return list(zip(outputs.tolist(), inputs.tolist(), strict=True))


def weights(net) -> dict[tuple[int, int, int], np.floating]:
    return {
        (number, *place): w
        for number, layer in enumerate(net.layers)
        for place, w in zip(coordinates(layer), widened(layer.values), strict=True)
    }


def positions(target, source) -> dict[tuple[int, int, int], tuple[int, ...]]:
    """What orders connections of equal magnitude: by input or, in tiles, tile by tile."""
    keys = {}
    for number, (layer, other) in enumerate(zip(target.layers, source.layers, strict=True)):
        for out, inp in {*coordinates(layer), *coordinates(other)}:
            if layer.tiled:
                shift = layer.connectivity.shift
                keys[number, out, inp] = (out >> shift, inp >> shift, out, inp)
            else:
                keys[number, out, inp] = (inp, out)
    return keys


def updated(target, source, tau) -> dict[tuple[int, int, int], np.floating]:
    """The rule, written naively."""
    t, s, position = weights(target), weights(source), positions(target, source)
    zero = next(iter({**s, **t}.values())) * 0
    w = {place: t.get(place, zero) + type(zero)(tau) * (s.get(place, zero) - t.get(place, zero)) for place in {*t, *s}}
    kept = {}
    for number, layer in enumerate(source.layers):
        of_layer = sorted(
            (place for place in w if place[0] == number), key=lambda place: (abs(w[place]), position[place])
        )
        kept |= {place: w[place] for place in of_layer[len(of_layer) - layer.n_connections :]}
    return kept


def assert_updated(target, wanted, half) -> None:
    """To the rounding of weights below 1 and their differences; half: each is one of the two neighbours in bfloat16."""
    got = weights(target)
    assert set(got) == set(wanted)
    for place, w in got.items():
        error = abs(wanted[place]) / 128 if half else 2 * np.finfo(w.dtype).eps
        assert abs(w - wanted[place]) <= error, place


def state(net) -> list[tuple]:
    return [(x.connectivity, x.values, x.values.tobytes(), x.bias, x.bias.tobytes()) for x in net.layers]


def assert_same_state(net, before) -> None:
    """The same objects with the same contents."""
    for layer, (con, values, value_bytes, bias, bias_bytes) in zip(net.layers, before, strict=True):
        assert layer.connectivity is con
        assert layer.values is values
        assert layer.bias is bias
        assert (values.tobytes(), bias.tobytes()) == (value_bytes, bias_bytes)


def assert_nothing_shared(target, source) -> None:
    for layer, other in zip(target.layers, source.layers, strict=True):
        assert layer is not other
        assert not np.shares_memory(layer.values, other.values)
        assert not np.shares_memory(layer.bias, other.bias)


def output(net, X) -> np.ndarray:
    """The network's output by dense matrices."""
    for number, layer in enumerate(net.layers):
        X = X @ layer.weight.toarray().astype(np.float64).T + widened(layer.bias)
        if number < len(net.layers) - 1:
            kind, slope = layer.activation
            assert kind == _kernels.Activation.LEAKY
            X = np.where(X > 0, X, slope * X)
    return X


@pytest.mark.parametrize("densities", [(0.3, 0.3), (0.1, 0.3), (0.3, 0.1), (1.0, 0.3), (0.3, 1.0), (0.5, 0.8)])
@pytest.mark.parametrize("tau", [0.005, 0.4])
def test_update_equals_that_of_a_dictionary(rng, form, densities, tau):
    target, source = (network(density, seed, **form) for seed, density in enumerate(densities))
    before, wanted = state(source), updated(target, source, tau)
    biases = [
        widened(t.bias) + tau * (widened(s.bias) - widened(t.bias))
        for t, s in zip(target.layers, source.layers, strict=True)
    ]
    half = source.layers[0].values.dtype == np.uint16
    target.soft_update(source, tau)
    assert_updated(target, wanted, half)
    for layer, bias in zip(target.layers, biases, strict=True):
        np.testing.assert_allclose(widened(layer.bias), bias, rtol=1 / 128 if half else 1e-6, atol=1e-6)
    assert_same_state(source, before)
    assert_nothing_shared(target, source)
    assert target.n_connections == source.n_connections
    X = rng.normal(size=(5, SIZES[0]))
    np.testing.assert_allclose(target.decision_function(X), output(target, X), rtol=1e-3, atol=1e-4)


def test_updates_follow_a_network_that_evolves(rng, form):
    source = network(**form)
    target = source.copy()
    half = source.layers[0].values.dtype == np.uint16
    X = rng.normal(size=(5, SIZES[0]))
    for number in range(12):
        if number % 4 == 1:
            evolve(source, key=number)
        wanted = updated(target, source, 0.2)
        target.soft_update(source, 0.2)
        assert_updated(target, wanted, half)
        for layer in target.layers:
            if isinstance(layer, IndexedLayer):
                check_invariants(layer.connectivity)
            else:
                layer.connectivity.check()
        np.testing.assert_allclose(target.decision_function(X), output(target, X), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("counts", [(1, 1), (0, 1), (1, 0)])
def test_layers_of_one_connection_or_none(shape, counts):
    n_in, n_out = shape
    sides = []
    for at, count in zip((0, n_in - 1), counts, strict=True):
        ptr = np.zeros(n_in + 1, np.int64)
        ptr[at + 1 :] = count
        index = np.full(count, 0 if at == 0 else n_out - 1, np.int32)
        con = Connectivity.from_inputs(n_in, n_out, ptr, index, 1)
        values = np.full(count, 2.0 if at == 0 else 4.0, np.float32)
        sides.append(IndexedLayer(con, values, np.zeros(n_out, np.float32), (_kernels.Activation.IDENTITY, 1.0)))
    target, source = sides
    layers = [target]
    wanted = {}
    for factor, layer in ((np.float32(0.25), source), (np.float32(0.75), target)):
        for place, w in zip(coordinates(layer), layer.values, strict=True):
            wanted[place] = wanted.get(place, 0) + factor * w
    kept = sorted(wanted, key=lambda place: abs(wanted[place]))[max(0, len(wanted) - counts[1]) :]
    module.soft_update(layers, [source], 0.25, 0, 0, 1)
    assert dict(zip(coordinates(target), target.values.tolist(), strict=True)) == {p: wanted[p] for p in kept}
    check_invariants(target.connectivity)


def test_update_has_the_same_bits_for_any_number_of_threads(form):
    results = []
    for threads in (1, 2, 5):
        source = network(seed=1, sizes=(400, 500, 300), threads=threads, **form)
        target = source.copy()
        evolve(source, 0.05)
        for _ in range(3):
            target.soft_update(source, 0.3)
        if not source.layers[0].tiled:
            results.append([(*coordinates(x), x.connectivity.position.tobytes()) for x in target.layers])
        else:
            results.append([coordinates(x) for x in target.layers])
        results[-1] += [(x.values.tobytes(), x.bias.tobytes()) for x in target.layers]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("own_topology", [False, True])
def test_tau_1_makes_an_exact_copy(form, own_topology):
    source = network(0.2, seed=1, **form)
    target = network(0.3, **form) if own_topology else source.copy()
    for layer in target.layers:
        layer.values[:] = layer.values[::-1].copy()
    before = state(source)
    target.soft_update(source, 1)
    assert_same_state(source, before)
    assert_nothing_shared(target, source)
    for layer, other in zip(target.layers, source.layers, strict=True):
        assert coordinates(layer) == coordinates(other)
        assert layer.values.tobytes() == other.values.tobytes()
        assert layer.bias.tobytes() == other.bias.tobytes()


def test_tau_0_changes_nothing_where_topologies_are_equal(form):
    source = network(**form)
    target = source.copy()
    for layer in source.layers:
        layer.values[:] = np.array(0x7F80, np.uint16) if layer.values.dtype == np.uint16 else np.inf
    before = state(target)
    target.soft_update(source, 0)
    assert_same_state(target, before)


@pytest.mark.parametrize("densities", [(0.3, 0.2), (0.2, 0.3)])
def test_tau_0_changes_the_number_of_connections_alone(form, densities):
    target, source = (network(density, seed, **form) for seed, density in enumerate(densities))
    before, biases = weights(target), [layer.bias.tobytes() for layer in target.layers]
    wanted = updated(target, source, 0)
    target.soft_update(source, 0)
    after = weights(target)
    assert after == wanted
    assert all(w == before.get(place, 0) for place, w in after.items())
    assert [layer.bias.tobytes() for layer in target.layers] == biases


def test_equal_topologies_are_mixed_in_place(form):
    source = network(**form)
    target = source.copy()
    arrays = [(layer.connectivity, layer.values, layer.bias) for layer in target.layers]
    same = [layer.values[::2].copy() for layer in target.layers]
    for layer in source.layers:
        layer.values[1::2] = layer.values[1::2][::-1].copy()
    wanted = updated(target, source, 0.005)
    target.soft_update(source, 0.005)
    assert_updated(target, wanted, source.layers[0].values.dtype == np.uint16)
    for layer, (con, values, bias), kept in zip(target.layers, arrays, same, strict=True):
        assert layer.connectivity is con
        assert layer.values is values
        assert layer.bias is bias
        np.testing.assert_array_equal(values[::2], kept)  # what is equal stays as it is


def test_topologies_equal_by_their_arrays_are_mixed_in_place():
    source, target = network(), network()
    cons = [layer.connectivity for layer in target.layers]
    source.layers[1].values *= 2
    for _ in range(2):
        wanted = updated(target, source, 0.5)
        target.soft_update(source, 0.5)
        assert_updated(target, wanted, half=False)
    for layer, con, other in zip(target.layers, cons, source.layers, strict=True):
        assert layer.connectivity is con is not other.connectivity


def test_target_where_no_connection_changes_is_mixed_in_place():
    source = network(0.2)
    target = source.copy()
    evolve(source, 0.1)
    target.soft_update(source, 1e-7)  # new connections are far below those that the target has
    arrays = [(layer.connectivity, layer.values) for layer in target.layers]
    wanted = updated(target, source, 1e-7)
    target.soft_update(source, 1e-7)
    assert_updated(target, wanted, half=False)
    assert [(layer.connectivity, layer.values) for layer in target.layers] == arrays
    assert target.layers[0].connectivity is not source.layers[0].connectivity


def test_repeated_updates_converge_to_the_source(form):
    source, target = network(0.2, seed=1, **form), network(0.3, **form)
    for _ in range(100):
        target.soft_update(source, 0.2)
    half = source.layers[0].values.dtype == np.uint16
    for layer, other in zip(target.layers, source.layers, strict=True):
        assert coordinates(layer) == coordinates(other)
        rtol = 0.05 if half else 1e-5  # where one rounding of a step remains
        np.testing.assert_allclose(widened(layer.values), widened(other.values), rtol=rtol, atol=1e-7)


def test_bfloat16_follows_small_steps_without_bias():
    source = network(0.5, sizes=(100, 200, 3), **FORMS["compact bfloat16"])
    target = source.copy()
    for net, value in ((target, 1.0), (source, 2.0)):
        for layer in net.layers:
            _kernels.round_to(np.full(layer.n_connections, value, np.float32), layer.values, 1)
    for _ in range(100):
        target.soft_update(source, 0.005)
    values = widened(target.layers[0].values)
    wanted = 2 - 0.995**100
    assert abs(values.mean() - wanted) < 5 * values.std() / np.sqrt(len(values))
    assert values.std() > 0
    assert target.soft_updates == 100


def test_updates_of_bfloat16_differ_by_their_number_and_seed():
    source = network(**FORMS["compact bfloat16"])
    results = []
    for seed, number in ((0, 0), (0, 0), (0, 1), (1, 0)):
        target = network(seed=0, **FORMS["compact bfloat16"])
        target.seed, target.soft_updates = seed, number
        for layer in target.layers:
            layer.values[:] = layer.values[::-1].copy()
        target.soft_update(source, 0.1)
        results.append([layer.values.tobytes() for layer in target.layers])
    assert results[0] == results[1]
    assert len({str(result) for result in results}) == 3


def test_shared_and_read_only_arrays_are_replaced(form):
    source = network(**form)
    by_layer = source.with_layers(source.layers)
    by_array = source.copy()
    for layer, other in zip(by_array.layers, source.layers, strict=True):
        layer.values, layer.bias = other.values[:], other.bias
    read_only = source.copy()
    for layer in read_only.layers:
        layer.values.flags.writeable = layer.bias.flags.writeable = False
    before = state(source)
    for target in (by_layer, by_array, read_only):
        target.soft_update(source, 0.3)
        assert_same_state(source, before)
        assert_nothing_shared(target, source)
        assert weights(target) == weights(source)
        target.layers[0].values[0] = 1


def test_a_network_may_be_its_own_source(form):
    net = network(**form)
    before = weights(net)
    for tau in (0, 0.3, 1):
        net.soft_update(net, tau)
        assert weights(net) == before


def test_layers_without_biases_are_mixed():
    source = network()
    target = source.copy()
    evolve(source)
    for layer in (*source.layers, *target.layers):
        layer.bias = layer.bias[:0]
    wanted = updated(target, source, 0.3)
    module.soft_update(target.layers, source.layers, 0.3, 0, 0, 1)
    assert_updated(target, wanted, half=False)


def test_copies_and_pickles_of_a_target_are_updated_alike(form):
    source = network(**form)
    target = source.copy()
    evolve(source)
    target.soft_update(source, 0.1)
    twins = [target, copy.deepcopy(target), pickle.loads(pickle.dumps(target)), copy.copy(target)]
    twins[-1].layers = [layer.copy() for layer in target.layers]
    for twin in twins:
        twin.soft_update(source, 0.1)
    for twin in twins[1:]:
        assert weights(twin) == weights(target)


def test_what_is_known_of_two_topologies_ends_with_them():
    source = network()
    target = source.copy()
    evolve(source)
    first = [(layer.connectivity, layer.values.copy()) for layer in target.layers]
    target.soft_update(source, 0.1)
    for layer, (con, values) in zip(target.layers, first, strict=True):
        layer.connectivity, layer.values = con, values  # put back, as training does that stops early
    wanted = updated(target, source, 0.1)
    target.soft_update(source, 0.1)
    assert_updated(target, wanted, half=False)
    evolve(source, key=5)
    wanted = updated(target, source, 0.1)
    target.soft_update(source, 0.1)
    assert_updated(target, wanted, half=False)
    known = len(module._KNOWN)
    del target, layer
    gc.collect()
    assert len(module._KNOWN) == known - len(source.layers)


REFUSED = {
    "no network": (lambda folder: "net", "source must be a network, not str"),
    "layer sizes": (
        lambda folder: network(sizes=(30, 41, 20, 3)),
        r"layers\[0\] must connect 30 x 40 neurons, not 30 x 41",
    ),
    "layers": (lambda folder: network(sizes=(30, 40, 3)), "source must have 3 layers, as this network, not 2"),
    "dtype": (lambda folder: network(dtype="float64"), r"layers\[0\] must have weights of type float32, not float64"),
    "storage": (lambda folder: network(storage="compact"), r"layers\[0\] must be stored with storage='indexed'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_networks_that_do_not_fit_are_refused(tmp_path, case):
    make, message = REFUSED[case]
    target = network()
    before = state(target)
    with pytest.raises(ts.InputError, match=message):
        target.soft_update(make(tmp_path), 0.5)
    assert_same_state(target, before)
    assert target.soft_updates == 0


@pytest.mark.parametrize("tau", [-0.001, 1.001, np.nan, "0.5", None, True])
def test_tau_outside_of_0_to_1_is_refused(tau):
    target, source = network(), network(seed=1)
    before = state(target)
    with pytest.raises(ts.InputError, match="tau must"):
        target.soft_update(source, tau)
    assert_same_state(target, before)


def test_compact_networks_that_do_not_fit_are_refused(tmp_path):
    compact = {"sizes": (200, 200, 3), **FORMS["compact float32"]}
    target = network(0.5, **compact)
    before = state(target)
    with pytest.raises(ts.InputError, match=r"layers\[0\] must lie in tiles of 2\^6 neurons, not 2\^7"):
        target.soft_update(network(0.01, **compact), 0.5)
    with pytest.raises(ts.InputError, match=r"layers\[0\] must have weights of type float32, not bfloat16"):
        target.soft_update(network(0.5, **compact, weights="bfloat16"), 0.5)
    mapped = network(0.5, folder=tmp_path, **compact)
    with pytest.raises(ts.InputError, match=r"source's layers lie in files \(folder=\); .* use net.copy\(\)"):
        target.soft_update(mapped, 0.5)
    in_files = state(mapped)
    with pytest.raises(ts.InputError, match="this network's layers lie in files"):
        mapped.soft_update(target, 0.5)
    assert_same_state(mapped, in_files)
    assert_same_state(target, before)
    target.soft_update(mapped.copy(), 0.5)


def test_networks_of_other_biases_are_refused():
    target, source = network(), network(seed=1)
    source.layers[1].bias = source.layers[1].bias[:0]
    before = state(target)
    with pytest.raises(ts.InputError, match=r"layers\[1\] must have 20 biases, not 0"):
        module.soft_update(target.layers, source.layers, 0.5, 0, 0, 1)
    assert_same_state(target, before)


def test_lack_of_memory_leaves_the_target_as_it_was(monkeypatch):
    target, source = network(0.2), network(0.2, seed=1)
    before, merge, calls = state(target), _kernels.merge_chosen, []

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        return merge(*arguments)

    monkeypatch.setattr(_kernels, "merge_chosen", failing)
    with pytest.raises(MemoryError):
        target.soft_update(source, 0.5)
    assert_same_state(target, before)
    assert target.soft_updates == 0
    monkeypatch.undo()
    wanted = updated(target, source, 0.5)
    target.soft_update(source, 0.5)
    assert_updated(target, wanted, half=False)
