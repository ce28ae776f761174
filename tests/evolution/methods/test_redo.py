"""ReDo against a dense network in NumPy, alone and beside other methods."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.test_recycle import silent
from evolution.training import arrays_of, assert_same, coordinates
from trulysparse.io.parameters import decoded, encoded


def dense(layer):
    return layer.weight.toarray(), layer.bias.copy()


def present(layer):
    return layer.to_csr(np.ones(layer.n_connections)).toarray() > 0


def slots(layer, state):
    return [layer.to_csr(layer.in_order(slot)).toarray() for slot in state.weight]


def trained_once(evolution, **settings):
    net, X, _ = silent(init="uniform", fan="sparse", balance=False, **settings)
    y = np.random.default_rng(4).integers(0, 3, len(X))
    trainer = ts.Trainer(net, evolution=evolution, optimizer=ts.Adam(1e-4), batch_size=len(X))
    trainer.step(X, y)
    return trainer, X, y


@pytest.mark.parametrize("tau", [0.0, 0.4])
def test_as_in_a_dense_network(tau):
    trainer, X, y = trained_once(ts.ReDo(tau))
    net, states = trainer.net, trainer.optimizer_state
    for state in states:  # second moments of inputs that are never active would be 0 in any case
        for values in (*state.weight, *state.bias):
            values[:] = np.random.default_rng(5).uniform(1, 2, values.shape)
    before = [dense(layer) for layer in net.layers]
    moments = [slots(layer, state) for layer, state in zip(net.layers, states, strict=True)]
    masks, patterns = [], [present(layer) for layer in net.layers]
    h = X.T
    for weight, bias in before[:-1]:
        h = np.maximum(weight @ h + bias[:, None], 0)
        score = np.abs(h).mean(axis=1)
        masks.append(score / score.mean() <= tau)
    assert [mask.sum() for mask in masks] == [3, 2] if tau == 0 else [mask.sum() for mask in masks] > [3, 2]

    assert trainer.evolve(X, y) == 0

    bounds = [np.zeros(12, bool), *masks], [*masks, np.zeros(3, bool)]
    for number, layer in enumerate(net.layers):
        inputs, outputs = bounds[0][number], bounds[1][number]
        (old, old_bias), (new, new_bias) = before[number], dense(layer)
        assert (present(layer) == patterns[number]).all()
        zeroed = patterns[number] & inputs
        drawn = patterns[number] & outputs[:, None] & ~inputs
        untouched = patterns[number] & ~inputs & ~outputs[:, None]
        assert not new[zeroed].any()
        fan_in = patterns[number].sum(axis=1, keepdims=True)
        limit = np.broadcast_to(1 / np.sqrt(np.maximum(fan_in, 1)), new.shape)
        assert (np.abs(new[drawn]) <= limit[drawn]).all()
        assert (new[drawn] != old[drawn]).all()
        np.testing.assert_array_equal(new[untouched], old[untouched])
        np.testing.assert_array_equal(new_bias, np.where(outputs, 0, old_bias))
        for was, now in zip(moments[number], slots(layer, states[number]), strict=True):
            assert not now[zeroed | drawn].any()
            np.testing.assert_array_equal(now[untouched], was[untouched])
        for values in states[number].bias:
            assert not values[outputs].any()
            assert (values[~outputs] >= 1).all()


def test_drawn_weights_fill_the_range_of_the_networks_own_rule():
    net = ts.SparseMLP(
        (50, 200, 5), density=0.5, activation="relu", init="uniform", fan="sparse", balance=False, seed=1
    )
    net.layers[0].bias[:100] = -1000
    X, y = np.random.default_rng(0).standard_normal((32, 50)), np.random.default_rng(1).integers(0, 5, 32)
    old = net.layers[0].weight.toarray()
    ts.Trainer(net, evolution=ts.ReDo(0.0), batch_size=32).evolve(X, y)
    weight, pattern = net.layers[0].weight.toarray(), present(net.layers[0])
    scaled = (weight * np.sqrt(pattern.sum(axis=1, keepdims=True)))[:100][pattern[:100]]
    assert (weight[:100][pattern[:100]] != old[:100][pattern[:100]]).all()
    np.testing.assert_allclose(
        np.quantile(scaled, [0.01, 0.25, 0.5, 0.75, 0.99]), [-0.98, -0.5, 0, 0.5, 0.98], atol=0.06
    )


def test_the_network_computes_the_same_where_neurons_were_silent():
    trainer, X, y = trained_once(ts.ReDo(0.0))
    before = trainer.net.forward(X).output.copy()
    trainer.evolve(X, y)
    after = trainer.net.forward(X).output
    np.testing.assert_allclose(after, before, rtol=1e-10)


def test_new_starts_let_silent_neurons_learn_again():
    trainer, X, y = trained_once(ts.ReDo(0.0, every_updates=5))
    trainer.fit(X, y, epochs=20)
    recycled = {owner: state["n_recycled"] for owner, state in trainer.evolution_state.items() if "n_recycled" in state}
    assert recycled["0"] >= 3
    quiet = trainer.net.layers[1].connectivity.by_input
    out_of = trainer.net.layers[1].values[quiet.ptr[3] : quiet.ptr[4]]
    assert out_of.any()  # neuron 3 has found a use


def test_beside_another_method_its_topology_is_that_methods():
    results = []
    for method in (ts.SET(0.3, every_updates=5), ts.ReDo(method=ts.SET(0.3, every_updates=5))):
        net, _, inputs = silent()
        states = [layer.new_state(ts.SGD()) for layer in net.layers]
        step = method.start(net, states, key=5, threads=1)
        for number in (2, 1, 0):
            step.evolve_layer(number, inputs[number], np.ones((net.layers[number].n_out, 24)))
        results.append((net, step.n_added))
    (alone, added), (both, added_too) = results
    assert added == added_too > 0
    for one, other in zip(alone.layers, both.layers, strict=True):
        assert coordinates(one) == coordinates(other)
    weight = both.layers[1].weight.toarray()
    assert not weight[:, [3, 7, 8]].any()  # also of connections that have just grown
    into = both.layers[0].weight.toarray()[[3, 7, 8]]
    assert (into != 0).sum() == present(both.layers[0])[[3, 7, 8]].sum()


@pytest.mark.parametrize(
    "inner", [ts.RigL(0.3, every=5), ts.CHTs(every_updates=5), ts.MEST(0.2, soft=True, every_updates=5)]
)
def test_any_method_can_be_beside_it(inner):
    method = ts.ReDo(0.1, method=inner)
    assert [done for done in range(100) if method.due(done, 4, 100)] == [
        done for done in range(100) if inner.due(done, 4, 100)
    ]
    assert method.needs_total == inner.needs_total
    trainer, X, y = trained_once(method)
    start = trainer.net.copy()
    trainer.fit(X, y, epochs=20)
    assert any(coordinates(a) != coordinates(b) for a, b in zip(start.layers, trainer.net.layers, strict=True))


@pytest.mark.parametrize("method", [ts.ReDo(0.3, every_updates=4), ts.ReDo(0.3, method=ts.SET(0.3, every_updates=4))])
def test_own_loop_threads_and_trainer_give_the_same_bits(method):
    def own_loop(threads):
        net, X, _ = silent("float32", threads=threads)
        y = np.random.default_rng(4).integers(0, 3, len(X))
        optimizer = ts.Adam(0.01)
        state = [layer.new_state(optimizer) for layer in net.layers]
        evolver = ts.Evolver(method, net, state, total_updates=20, seed=0)
        for step in range(20):
            tape = net.forward(X, training=True)
            shifted = tape.output - tape.output.max(axis=1, keepdims=True)
            share = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
            share[np.arange(len(y)), y] -= 1
            if evolver.due():
                tape.backward_to((share / len(y)).astype(np.float32), evolver.start())
            else:
                tape.backward((share / len(y)).astype(np.float32), state, optimizer.rule(step, 0.0, None))
            evolver.step_done()
        return net, state, evolver

    (one, state, evolver), (other, other_state, _) = own_loop(1), own_loop(3)
    assert_same((one.layers, state), (other.layers, other_state))
    assert sum(each.get("n_recycled", 0) for each in evolver.evolution_state.values()) > 0


def test_a_skip_layer_and_the_layers_named_are_left_alone():
    net = ts.SparseMLP((6, 10, 2), epsilon=2, activation="relu", skip=True, seed=0)
    net.layers[0].bias[:4] = -100
    net.layers[-1].values[:] = 1
    X, y = np.random.default_rng(0).standard_normal((32, 6)), np.random.default_rng(1).integers(0, 2, 32)
    trainer = ts.Trainer(net, evolution=ts.ReDo(), batch_size=32)
    trainer.evolve(X, y)
    assert (net.layers[-1].values == 1).all()
    assert not net.layers[0].bias[:4].any()


def test_files_know_it():
    kept = decoded(encoded({"evolution": ts.ReDo(0.05, method=ts.SET(0.2, every_updates=7))}))["evolution"]
    assert (kept.tau, kept.method.zeta, kept.schedule.every_updates) == (0.05, 0.2, 7)


def test_layers_it_does_not_fit_are_refused():
    tied = ts.SparseMLP((20, 15, 20), epsilon=3, tied=True, output="identity")
    with pytest.raises(ts.InputError, match="whose ends are tied"):
        ts.Trainer(tied, evolution=ts.ReDo())
    with pytest.raises(ts.InputError, match=r"evolution 'redo' cannot evolve a network with storage='compact'"):
        ts.Trainer(ts.SparseMLP((20, 15, 2), epsilon=3, storage="compact"), evolution=ts.ReDo())
    layers = [ts.SparseMLP(sizes, epsilon=3).layers[0] for sizes in ((5, 8), (9, 4))]
    states = [layer.new_state(ts.SGD()) for layer in layers]
    with pytest.raises(ts.InputError, match="evolution 'redo' needs layers that follow one another"):
        ts.Evolver(ts.ReDo(), layers, states)
    evolver = ts.Evolver(ts.ReDo(), layers[0], states[0])  # a layer by itself has no neuron between layers
    before = arrays_of(layers[:1], states[:1])[2].copy()
    evolver.start().evolve_layer(0, np.zeros((5, 16), np.float32), np.ones((8, 16), np.float32))
    np.testing.assert_array_equal(arrays_of(layers[:1], states[:1])[2], before)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"tau": -1}, r"tau must lie in \[0, inf\), not -1"),
        ({"every_updates": 0}, "every_updates must be at least 1"),
        ({"method": "set"}, "method must be an evolution of the topology"),
        ({"method": ts.Static()}, "method must be an evolution of the topology"),
        ({"method": ts.ReDo()}, "method must be an evolution of the topology"),
        ({"method": ts.SET(), "until": 5}, "until cannot be combined with method"),
        ({"method": ts.SET(), "every_updates": 5}, "every_updates cannot be combined with method"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.ReDo(**arguments)
