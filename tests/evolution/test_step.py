"""One evolution of a network: decide and apply, and what rules may return."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import narrowed
from evolution.training import METHODS, ON_TILES, assert_same, batch_of, layers_and_state, network, quick, started
from trulysparse._core.arrays import widened
from trulysparse._core.random import stream_key
from trulysparse.evolution import Evolution, Schedule, grow, make_evolution, prune
from trulysparse.nn.activations_buffer import Activations


@pytest.mark.parametrize("storage", ["indexed", "compact"])
@pytest.mark.parametrize("name", METHODS)
def test_decide_each_method_leaves_the_layer_unchanged(name, storage):
    method = make_evolution(name)
    if storage == "compact" and name not in ON_TILES:
        pytest.skip("refused: see test_evolution.py")
    net = network(storage)
    _, current = started(net, method)
    rng = np.random.default_rng(2)
    for number in current.views:
        layer = net.layers[number]
        before, con, array = layer.values.copy(), layer.connectivity, layer.values
        x, dy = (rng.normal(size=(n, 32)).astype(np.float32) for n in (layer.n_in, layer.n_out))
        current.decide(number, x, dy)
        assert layer.values is array
        assert layer.connectivity is con
        np.testing.assert_array_equal(layer.values.view(np.uint8), before.view(np.uint8))
        current.apply(number)


def test_sign_flip_weights_move_when_the_step_is_applied():
    net = network("indexed")
    _, current = started(net, ts.DeepR(l1=0.01, noise=0))
    before = net.layers[0].values.copy()
    current.decide(0, None, None)
    np.testing.assert_array_equal(net.layers[0].values, before)
    keep_mask = current.views[0].keep_mask.astype(bool)
    moved = (before - np.float32(0.01) * np.sign(before))[keep_mask]
    current.apply(0)
    assert {v.tobytes() for v in moved} <= {v.tobytes() for v in net.layers[0].values}


def test_random_prune_on_bfloat16_removes_the_exact_fraction():
    net = network("compact", weights="bfloat16")
    _, current = started(net, Evolution(prune.random, grow.uniform, Schedule(0.5, every_epochs=1)))
    current.decide(0, None, None)
    keep_mask = current.views[0].keep_mask
    half = len(keep_mask) // 2
    assert len(keep_mask) - keep_mask.sum() == half
    assert 0.3 < keep_mask[:half].mean() < 0.7


def keep_all_or_none(value, dtype=np.uint8):
    return lambda view: np.full(view.layer.n_connections, value, dtype)


def existing(view):
    rows = view.layer.connectivity.by_input
    return rows.ptr.copy(), rows.index.copy()


@pytest.mark.parametrize(
    ("pruning", "growth", "message"),
    [
        (lambda view: None, grow.uniform, "must return a uint8 keep mask"),
        (keep_all_or_none(1, bool), grow.uniform, "must return a uint8 keep mask"),
        (lambda view: np.ones(3, np.uint8), grow.uniform, "must return a uint8 keep mask"),
        (prune.magnitude, grow.no_growth, r"no_growth must return \d+ coordinates"),
        (keep_all_or_none(0), lambda view: (existing(view)[0], existing(view)[1] - 1), "must return outputs from 0 to"),
    ],
)
def test_rules_returning_something_else_are_refused(pruning, growth, message):
    before = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0).n_connections
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0)
    method = ts.Evolution(pruning, growth, ts.Schedule(0.3, every_epochs=1))
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(net, evolution=method).evolve()
    assert net.n_connections == before


def test_growth_rule_returning_existing_connections_is_refused():
    def half(view):
        keep_mask = np.ones(view.layer.n_connections, np.uint8)
        keep_mask[::2] = 0
        return keep_mask

    def one_existing(view):
        ptr, index = grow.uniform(view)
        rows = view.layer.connectivity.by_input
        first = int(np.flatnonzero(np.diff(ptr) > 0)[0])
        row = slice(rows.ptr[first], rows.ptr[first + 1])
        index[ptr[first]] = rows.index[row][view.keep_mask[row] > 0][0]
        index[ptr[first] : ptr[first + 1]].sort()
        return ptr, index

    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0)
    method = ts.Evolution(half, one_existing, ts.Schedule(0.3, every_epochs=1))
    with pytest.raises(ts.InputError, match=r"hold a connection that remains|ascending and each once"):
        ts.Trainer(net, evolution=method).evolve()


def test_evolution_step_in_own_loop_equals_the_trainer():
    """The same key and state give the same network, with a Trainer and without."""
    networks = []
    for own_loop in (False, True):
        net = network("indexed")
        optimizer = ts.SGD(0.05, momentum=0.9)
        if own_loop:
            state = [layer.new_state(optimizer) for layer in net.layers]
            step = ts.SET(0.3).start(net, state, key=stream_key(0, "evolution", 0), threads=1)
            assert sum(step.evolve_layer(number) for number in range(3)) > 0
        else:
            ts.Trainer(net, optimizer=optimizer, evolution=ts.SET(0.3), seed=0).evolve()
        networks.append(net)
    for a, b in zip(networks[0].layers, networks[1].layers, strict=True):
        np.testing.assert_array_equal(a.connectivity.indices, b.connectivity.indices)
        np.testing.assert_array_equal(a.values, b.values)


@pytest.mark.parametrize("name", METHODS)
def test_step_as_a_sink_is_decide_the_input_gradient_and_apply(name, rng):
    """Handed the layers of a network, of which it knows some, under the network's numbers."""
    method = make_evolution(name)
    results = []
    for as_sink in (True, False):
        layers, states = layers_and_state()
        step = method.start(layers[1:], states[1:], key=5, threads=2)
        for number in (2, 1, 0):
            layer = layers[number]
            values, dy = (np.pad(a, ((0, 0), (0, 8))) for a in batch_of(layer, 1, 24))
            x = Activations(values)
            if as_sink:
                expected = layer.weight.toarray().T.astype(float) @ dy
                step.take(number, layer, dy, x, x.values if number else None, 2)
                if number:
                    np.testing.assert_allclose(x.values, expected, rtol=1e-4, atol=1e-5)
            elif number:
                step.decide(number - 1, values, dy)
                step.apply(number - 1)
        results.append((layers, states))
    assert_same(*results)
    assert_same((results[0][0][:1], results[0][1][:1]), tuple(part[:1] for part in layers_and_state()))


def test_step_as_a_sink_on_tiles_evolves_after_the_input_gradient():
    layers, states = layers_and_state("compact")
    layer = layers[0]
    step = ts.SET(0.5).start(layer, states[0], key=5, threads=1)
    values, dy = batch_of(layer, 1, 32)
    expected = layer.weight.toarray().T.astype(float) @ dy
    x = Activations(values)
    step.take(3, layer, dy, x, x.values, 1)
    np.testing.assert_allclose(x.values, expected, rtol=1e-4, atol=1e-5)
    assert step.n_added > 0


def test_layer_that_has_evolved_is_refused():
    layers, states = layers_and_state()
    step = ts.RigL().start(layers, states, key=5, threads=1)
    step.evolve_layer(0, *batch_of(layers[0], 0))
    with pytest.raises(ts.InputError, match="layer 0 has evolved in this step"):
        step.evolve_layer(0, *batch_of(layers[0], 1))
    assert step.evolve_layer(1, *batch_of(layers[1], 0)) > 0


def test_batch_of_another_type_is_refused_and_the_layer_stays():
    layers, states = layers_and_state()
    step = ts.RigL().start(layers, states, key=5, threads=1)
    before = layers[0].values
    with pytest.raises(ts.InputError, match="x must be float32"):
        step.evolve_layer(0, np.ones((20, 4)), np.ones((30, 4)))
    assert layers[0].values is before


def test_added_connections_are_counted():
    layers, states = layers_and_state()
    step = ts.SET(0.5, fresh="init").start(layers, states, key=5, threads=1)
    assert step.n_added == 0
    added = [step.evolve_layer(number) for number in range(3)]
    assert step.n_added == sum(added) > min(added) > 0


def by_coordinates(layer, values):
    """(output, input) -> value."""
    numbers = layer.to_csr(layer.in_order(np.arange(layer.n_connections, dtype=np.float32))).tocoo()
    places = zip(numbers.row.tolist(), numbers.col.tolist(), strict=True)
    return dict(zip(places, values[numbers.data.astype(np.int64)].tolist(), strict=True))


STORAGES = {
    "indexed": {},
    "float64": dict(dtype="float64"),
    "tiled": dict(storage="compact"),
    "bfloat16": dict(storage="compact", weights="bfloat16"),
    "files": dict(storage="compact", weights="bfloat16"),
}


# Every method in every form of storage that it can evolve, and every type of state that there is in it.
CASES = [
    (name, storage, state)
    for name in METHODS
    for storage, settings in STORAGES.items()
    for state in (None, "bfloat16")
    if name != "static" and (name in ON_TILES if "storage" in settings else state is None)
]


@pytest.mark.parametrize("fresh_state", ["zero", "typical"])
@pytest.mark.parametrize(("name", "storage", "state"), CASES)
def test_new_connections_get_adams_typical_state(tmp_path, name, storage, state, fresh_state):
    settings = STORAGES[storage]
    tiled = "storage" in settings
    folder = {"folder": tmp_path / "layers"} if storage == "files" else {}
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4, seed=1, **settings, **folder)
    method = ts.DeepR(l1=0.05, noise=0.05) if name == "deepr" else quick(name)
    optimizer = ts.Adam(0.05, state=state, fresh_state=fresh_state)
    trainer = ts.Trainer(net, evolution=method, optimizer=optimizer, batch_size=32)
    rng = np.random.default_rng(0)
    for _ in range(5):
        trainer.step(rng.normal(size=(32, 20)), rng.integers(0, 3, 32))
    states = trainer.optimizer_state
    current = method.start(net, states, key=7, threads=2, training_progress=0.2, evolution_state={})
    n_new = 0
    for number, view in current.views.items():
        layer, slots = net.layers[number], states[number].weight
        x, dy = (rng.normal(size=(n, 32)).astype(net.dtype) for n in (layer.n_in, layer.n_out))
        current.decide(number, x, dy)
        kept = view.keep_mask > 0
        marks = by_coordinates(layer, kept)
        before = [by_coordinates(layer, widened(slot)) for slot in slots]
        median = np.median(widened(slots[1])[kept]).astype(np.float32 if tiled else net.dtype)
        start = [0.0, float(median) if fresh_state == "typical" else 0.0]
        if state == "bfloat16":
            start = widened(narrowed(np.array(start))).tolist()
        current.apply(number)
        for old, slot, wanted in zip(before, states[number].weight, start, strict=True):
            after = by_coordinates(layer, widened(slot))
            new = {place for place in after if not marks.get(place, False)}
            assert len(new) == view.count
            assert {after[place] for place in new} <= {wanted}
            assert {place: after[place] for place in after if place not in new} == {
                place: value for place, value in old.items() if marks[place]
            }
        n_new += view.count
        assert start[1] > 0 or fresh_state == "zero"
    assert n_new > 0


@pytest.mark.parametrize("storage", ["indexed", "tiled"])
def test_typical_state_before_the_first_update_is_zero(storage):
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4, seed=1, **STORAGES[storage])
    trainer = ts.Trainer(net, evolution=ts.SET(), optimizer=ts.Adam(0.05, fresh_state="typical"))
    assert trainer.evolve() > 0
    assert not any(slot.any() for state in trainer.optimizer_state for slot in state.weight)


@pytest.mark.parametrize("storage", ["indexed", "tiled", "bfloat16"])
def test_typical_state_is_the_same_for_any_number_of_threads(storage):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 20)), rng.integers(0, 3, 64)
    states = []
    for threads in (1, 2):
        net = ts.SparseMLP((20, 300, 250, 3), epsilon=40, seed=1, threads=threads, **STORAGES[storage])
        trainer = ts.Trainer(net, evolution=ts.SET(), optimizer=ts.Adam(0.01, fresh_state="typical"), batch_size=16)
        trainer.fit(X, y, epochs=3)
        states.append([slot.tobytes() for state in trainer.optimizer_state for slot in state.weight])
    assert states[0] == states[1]
