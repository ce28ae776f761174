"""Neurons removed for good: the function stays where it must, the arrays shrink, the state comes along."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from trulysparse.optim import OptimizerState
from trulysparse.pruning.importance import mean_activation
from trulysparse.pruning.remove_neurons import incoming, outgoing, remove_neurons

ACTIVATIONS = ["all_relu", "relu", "tanh", "sigmoid", "identity"]


def network(seed, *, epsilon=0.6, sizes=(20, 40, 30, 25, 4), **settings):
    """A network so sparse that many neurons have no inputs or no outputs, with biases."""
    net = ts.SparseMLP(sizes, epsilon=epsilon, seed=seed, **settings)
    rng = np.random.default_rng(seed)
    for layer in net.layers:
        layer.values[:] = rng.standard_normal(layer.n_connections)
        layer.bias[:] = rng.standard_normal(layer.n_out)
    return net


def dense(net):
    return [layer.weight.toarray() for layer in net.layers]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(6))
def test_removing_idle_neurons_keeps_the_function(seed, activation, dtype):
    net = network(seed, activation=activation, dtype=dtype, epsilon=(0.3, 0.6, 1.5)[seed % 3])
    X = np.random.default_rng(seed).standard_normal((50, 20))
    before, hidden = net.decision_function(X), sum(net.layer_sizes[1:-1])
    removed = sum(int((~stays).sum()) for stays in remove_neurons(net))
    assert removed == hidden - sum(net.layer_sizes[1:-1])
    assert removed > 0
    np.testing.assert_allclose(net.decision_function(X), before, rtol=1e-5, atol=1e-5)
    for number, layer in enumerate(net.layers):
        check_invariants(layer.connectivity)
        assert (layer.n_in, layer.n_out) == net.layer_sizes[number : number + 2]
        assert len(layer.bias) == layer.n_out
        assert len(layer.values) == layer.n_connections
    for number, layer in enumerate(net.layers[:-1]):
        if layer.n_out > 1:
            assert (np.diff(layer.connectivity.by_output.ptr) > 0).all()
            assert (np.diff(net.layers[number + 1].connectivity.by_input.ptr) > 0).all()
    assert all(stays.all() for stays in remove_neurons(net))


def test_nothing_left_is_a_constant():
    """All hidden neurons without inputs: outputs are constants, one neuron a layer stays."""
    net = network(0)
    X = np.random.default_rng(0).standard_normal((5, 20))
    weights, biases = dense(net), [layer.bias.astype(float) for layer in net.layers]
    function = naive_prune(weights, biases, 100, 0.6, [np.ones(40)])
    before = function(X)
    remove_neurons(net, None, [np.zeros(40, bool), np.ones(30, bool), np.ones(25, bool)])
    assert net.layer_sizes == (20, 1, 1, 1, 4)
    assert net.n_connections == 0
    np.testing.assert_allclose(net.decision_function(X), before, rtol=1e-5, atol=1e-5)


def test_a_layer_of_one_constant_neuron():
    """It stays, but its constant must not count twice."""
    net = ts.SparseMLP.from_matrices([np.zeros((1, 3)), np.ones((2, 1))], [[2.0], [0.5, 0.0]], activation="relu")
    X = np.ones((4, 3))
    before = net.decision_function(X)
    np.testing.assert_allclose(before, [[2.5, 2.0]] * 4)
    for _ in range(2):
        assert all(stays.all() for stays in remove_neurons(net))
        np.testing.assert_allclose(net.decision_function(X), before)
    assert net.layer_sizes == (3, 1, 2)


def test_importance_is_the_sum_of_incoming_weights():
    net = network(1)
    for layer, weight in zip(net.layers, dense(net), strict=True):
        np.testing.assert_allclose(incoming(layer, 2), np.abs(weight).sum(axis=1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(outgoing(layer, 2), np.abs(weight).sum(axis=0), rtol=1e-5, atol=1e-6)


def naive_prune(weights, biases, percentile, activation, importance):
    """The definition on dense matrices: incoming weights of unimportant neurons become 0."""
    for number, values in enumerate(importance):
        weights[number][values <= np.percentile(values, percentile)] = 0

    def function(X):
        a = X.T
        for number, (w, b) in enumerate(zip(weights, biases, strict=True), start=1):
            z = w @ a + b[:, None]
            slope = activation * (-1) ** number
            a = np.where(z > 0, z, slope * z) if number < len(weights) else z
        return a.T

    return function


@pytest.mark.parametrize("score", ["incoming", "both", "activation"])
@pytest.mark.parametrize("percentile", [5, 20, 60])
def test_pruning_is_the_definition(percentile, score):
    net = network(2, epsilon=4.0)
    X = np.random.default_rng(2).standard_normal((60, 20))
    weights, biases = dense(net), [layer.bias.astype(float) for layer in net.layers]
    inward = [np.abs(w).sum(axis=1) for w in weights[:-1]]
    outward = [np.abs(w).sum(axis=0) for w in weights[1:]]
    importance = {
        "incoming": inward,
        "both": [a * b for a, b in zip(inward, outward, strict=True)],
        "activation": [a * b for a, b in zip(mean_activation(net, X), outward, strict=True)],
    }[score]
    function = naive_prune(weights, biases, percentile, 0.6, importance)
    report = ts.prune_neurons(net, percentile, score=score, X=X)
    np.testing.assert_allclose(net.decision_function(X), function(X), rtol=1e-4, atol=1e-4)
    assert report.neurons == (95, sum(net.layer_sizes[1:-1]))
    assert report.neurons[1] <= 95 - sum(int(np.ceil(n * percentile / 100)) for n in (40, 30, 25)) + 3
    assert report.connections[1] == net.n_connections < report.connections[0]


def test_mean_activation():
    net = network(3, epsilon=3.0)
    X = np.random.default_rng(0).standard_normal((300, 20))
    a = X.T
    for number, (layer, found) in enumerate(zip(net.layers[:-1], mean_activation(net, X), strict=True), start=1):
        z = layer.weight.toarray() @ a + layer.bias[:, None]
        a = np.where(z > 0, z, 0.6 * (-1) ** number * z)
        np.testing.assert_allclose(found, np.abs(a).mean(axis=1), rtol=1e-3, atol=1e-4)


def test_state_comes_along_in_training():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 20)), rng.integers(0, 4, 200)
    net = network(4, epsilon=4.0)
    trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), evolution=ts.DeepR(), batch_size=32, dropout=0.2)
    history = trainer.fit(X, y, epochs=8, callbacks=[ts.ImportancePruning(20, start=2, every=2, stop=6)])
    neurons = [record["neurons"] for record in history.records]
    assert neurons[0] > neurons[1] > neurons[3] > neurons[5] == neurons[7]
    for layer, optimizer_state in zip(net.layers, trainer.optimizer_state, strict=True):
        assert all(len(slot) == layer.n_connections for slot in optimizer_state.weight)
        assert all(len(slot) == layer.n_out for slot in optimizer_state.bias)
        check_invariants(layer.connectivity)


def test_slots_follow_their_neurons():
    net = network(5, epsilon=1.0)
    marks = [(layer.values.copy(), layer.bias.copy()) for layer in net.layers]
    optimizer_state = [OptimizerState([values], [bias]) for values, bias in marks]
    ts.prune_neurons(net, 30, optimizer_state=optimizer_state)
    for layer, state in zip(net.layers, optimizer_state, strict=True):
        np.testing.assert_array_equal(state.weight[0], layer.values)
    # biases differ by what was folded into them; those of the first hidden layer are untouched
    np.testing.assert_array_equal(optimizer_state[0].bias[0], net.layers[0].bias)


def test_report_and_saving(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 20)), rng.integers(0, 4, 100)
    net = network(6, epsilon=4.0)
    report = ts.prune_neurons(net, 30, X=X, y=y)
    assert report.scores is not None
    assert report.scores[1]["accuracy"] == ts.evaluate(net, X, y)["accuracy"]
    assert "accuracy" in str(report)
    ts.save(net, tmp_path / "m.safetensors")
    np.testing.assert_array_equal(ts.load(tmp_path / "m.safetensors").predict(X), net.predict(X))


def test_early_stopping_restores_removed_neurons():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 20)), rng.integers(0, 4, 200)
    net = network(7, epsilon=4.0)
    stop = ts.EarlyStopping("loss", patience=2, mode="max")  # the first epoch is the best
    ts.Trainer(net, optimizer=ts.SGD(0.01)).fit(
        X, y, epochs=6, callbacks=[stop, ts.ImportancePruning(30, start=2, every=1)]
    )
    assert net.layer_sizes == (20, 40, 30, 25, 4)
    net.predict(X)


def test_equal_importance_and_bad_arguments():
    net = network(8, epsilon=100)
    for layer in net.layers:
        layer.values[:] = 1
    ts.prune_neurons(net, 50)
    assert net.layer_sizes == (20, 40, 30, 25, 4)
    with pytest.raises(ts.InputError, match="percentile must lie"):
        ts.prune_neurons(net, 100)
    with pytest.raises(ts.InputError, match="score must be one of"):
        ts.prune_neurons(net, 10, score="size")
    with pytest.raises(ts.InputError, match="needs X"):
        ts.ImportancePruning(10, score="activation")
