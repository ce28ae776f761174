"""Importance pruning against its definition on dense matrices, in one call and in training."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from pruning.networks import dense, naive_prune, network
from trulysparse.optim import OptimizerState
from trulysparse.pruning.strength import mean_activation


@pytest.mark.parametrize("score", ["incoming", "both", "activation"])
@pytest.mark.parametrize("percentile", [5, 20, 60])
def test_prune_neurons_any_percentile_and_score_equals_dense_definition(percentile, score):
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


def test_importance_pruning_in_training_keeps_state_and_layers_consistent():
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


def test_prune_neurons_with_optimizer_state_moves_it_along():
    net = network(5, epsilon=1.0)
    copies = [(layer.values.copy(), layer.bias.copy()) for layer in net.layers]
    optimizer_state = [OptimizerState([values], [bias]) for values, bias in copies]
    ts.prune_neurons(net, 30, optimizer_state=optimizer_state)
    for layer, state in zip(net.layers, optimizer_state, strict=True):
        np.testing.assert_array_equal(state.weight[0], layer.values)
    # biases differ by what was folded into them; those of the first hidden layer are untouched
    np.testing.assert_array_equal(optimizer_state[0].bias[0], net.layers[0].bias)


def test_prune_neurons_with_data_reports_metrics_and_saves(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 20)), rng.integers(0, 4, 100)
    net = network(6, epsilon=4.0)
    report = ts.prune_neurons(net, 30, X=X, y=y)
    assert report.metrics is not None
    assert report.metrics[1]["accuracy"] == ts.evaluate(net, X, y)["accuracy"]
    assert "accuracy" in str(report)
    ts.save(net, tmp_path / "m.safetensors")
    np.testing.assert_array_equal(ts.load(tmp_path / "m.safetensors").predict(X), net.predict(X))


def test_early_stopping_after_pruning_restores_removed_neurons():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 20)), rng.integers(0, 4, 200)
    net = network(7, epsilon=4.0)
    stop = ts.EarlyStopping("loss", patience=2, mode="max")  # the first epoch is the best
    ts.Trainer(net, optimizer=ts.SGD(0.01)).fit(
        X, y, epochs=6, callbacks=[stop, ts.ImportancePruning(30, start=2, every=1)]
    )
    assert net.layer_sizes == (20, 40, 30, 25, 4)
    net.predict(X)


def test_prune_neurons_equal_importance_keeps_all():
    net = network(8, epsilon=100)
    for layer in net.layers:
        layer.values[:] = 1
    ts.prune_neurons(net, 50)
    assert net.layer_sizes == (20, 40, 30, 25, 4)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"percentile": 100}, "percentile must lie"),
        ({"score": "size"}, "score must be one of"),
        ({"score": "activation"}, "needs X"),
    ],
)
def test_pruning_bad_argument_is_refused(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.prune_neurons(network(8), **arguments)
    with pytest.raises(ts.InputError, match=message):
        ts.ImportancePruning(**arguments)


def test_prune_neurons_compact_storage_is_refused():
    with pytest.raises(ts.InputError, match="storage='indexed'"):
        ts.prune_neurons(ts.SparseMLP((20, 30, 4), epsilon=2, storage="compact"))
