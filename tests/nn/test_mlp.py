"""SparseMLP: how networks are built, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse import connectivity as tc
from trulysparse._core import memory
from trulysparse.connectivity import TiledConnectivity, uniform
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.nn.settings import NetworkSettings


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_seed_same_network(dtype):
    nets = [ts.SparseMLP((300, 400, 10), epsilon=6, seed=5, threads=t, dtype=dtype) for t in (1, 2, 3)]
    for net in nets[1:]:
        for a, b in zip(nets[0].layers, net.layers, strict=True):
            np.testing.assert_array_equal(a.values, b.values)
            np.testing.assert_array_equal(a.connectivity.indices, b.connectivity.indices)
    other = ts.SparseMLP((300, 400, 10), epsilon=6, seed=6, dtype=dtype)
    assert not np.array_equal(other.layers[0].values, nets[0].layers[0].values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(layer_sizes=(5,)), "layer_sizes must name at least"),
        (dict(layer_sizes=(5, 0, 2)), r"layer_sizes\[1\] must be between"),
        (dict(layer_sizes=(5, -3, 2)), r"layer_sizes\[1\]"),
        (dict(layer_sizes=(5, 2.5, 2)), r"layer_sizes\[1\] must be an integer"),
        (dict(layer_sizes=(5, 2**31, 2)), r"layer_sizes\[1\]"),
        (dict(epsilon=0), "epsilon must lie"),
        (dict(epsilon=-1), "epsilon must lie"),
        (dict(epsilon=float("inf")), "epsilon must lie"),
        (dict(epsilon="20"), "epsilon must be a number"),
        (dict(activation="swish"), "activation must be one of all_relu"),
        (dict(output="linear"), "output must be one of"),
        (dict(init="zeros"), "init must be one of"),
        (dict(fan="x"), "fan must be one of"),
        (dict(dtype="float16"), "dtype must be one of"),
        (dict(seed=-1), "seed must be at least 0"),
        (dict(threads=0), "threads must be at least 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.SparseMLP(**{"layer_sizes": (5, 4, 2), **arguments})


def test_a_network_too_large_is_refused_before_allocation(monkeypatch):
    with pytest.raises(ts.NotEnoughMemoryError, match=r"needs about .*TiB, but only .* of memory is free"):
        ts.SparseMLP((2_000_000_000, 2_000_000_000, 2), epsilon=1000)
    monkeypatch.setattr(memory, "free_bytes", lambda: 100 << 20)
    with pytest.raises(ts.NotEnoughMemoryError, match="epsilon"):
        ts.SparseMLP((100_000, 100_000, 2), epsilon=20)
    net = ts.SparseMLP((10_000, 10_000, 2), epsilon=1)
    with pytest.raises(ts.NotEnoughMemoryError, match=r"training at batch_size=8192 needs about .*batch_size"):
        ts.Trainer(net, batch_size=8192, micro_batch_size=8192)
    ts.Trainer(net, batch_size=8192)  # in tiles


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda *_: None, "must return a Connectivity, not NoneType"),
        (lambda a, b, n: sp.csr_array((b, a)), "must return a Connectivity, not csr_array"),
        (lambda a, b, n: uniform(b, a, count=n), "must return a layer 5 x 4, not 4 x 5"),
        (lambda a, b, n: uniform(a, b, 0), "at least one, not none"),
        (lambda a, b, n: TiledConnectivity.draw(a, b, n + 1, seed=0, threads=1), "not TiledConnectivity"),
    ],
)
def test_a_users_pattern_that_returns_something_else_is_refused(result, message):
    def pattern(n_in, n_out, count, *, seed, threads):
        return result(n_in, n_out, count)

    with pytest.raises(ts.InputError, match=message):
        ts.SparseMLP((5, 4), epsilon=1, connectivity=pattern)


def from_layers(cons, values, biases, storage_config=None):
    return ts.SparseMLP.from_layers(
        cons,
        values,
        biases,
        NetworkSettings(epsilon=1, storage_config=storage_config),
    )


def test_from_layers_that_do_not_fit_are_refused():
    cons = [uniform(5, 4, 8), uniform(4, 3, 6)]
    values, biases = (
        [np.ones(8, np.float32), np.ones(6, np.float32)],
        [np.zeros(4, np.float32), np.zeros(3, np.float32)],
    )
    assert from_layers(cons, values, biases).layer_sizes == (5, 4, 3)
    for wrong, message in [
        (([], [], []), "at least one layer"),
        ((cons, values[:1], biases), "values must have one entry"),
        ((cons[::-1], values[::-1], biases[::-1]), r"layers\[1\] connects 5 x 4 neurons, not 3 x 4"),
        ((cons, values[::-1], biases), r"layers\[0\].values must be float32 of shape \(8,\)"),
        ((cons, values, biases[::-1]), r"layers\[0\].bias must be float32 of shape \(4,\)"),
        ((cons, [values[0], values[1].astype(np.float64)], biases), "values must be float32"),
        ((cons, [values[0], None], biases), "not NoneType"),
        (([cons[0], "con"], values, biases), r"connectivities\[1\] must be a Connectivity, not str"),
        (
            (cons, values, biases, StorageConfig.create("compact", None, None, None, "float32")),
            "must be a TiledConnectivity",
        ),
    ]:
        with pytest.raises(ts.InputError, match=message):
            from_layers(*wrong)


def test_epsilon_is_none_where_density_was_given():
    assert ts.SparseMLP((5, 4), density=0.5).epsilon is None
    assert ts.SparseMLP((5, 4), epsilon=2).epsilon == 2.0


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_an_epsilon_per_layer(storage):
    net = ts.SparseMLP((17, 64, 64, 6), epsilon=[7, 16, 64], storage=storage, seed=2)
    assert [layer.n_connections for layer in net.layers] == [7 * 81, 16 * 128, 64 * 6]
    assert net.epsilon == net.copy().epsilon == (7.0, 16.0, 64.0)
    assert net.with_layers(net.layers[:2]).epsilon is None  # it says nothing of two layers
    one = ts.SparseMLP((17, 64, 64, 6), epsilon=16, storage=storage, seed=2)
    np.testing.assert_array_equal(one.layers[1].values, net.layers[1].values)


def test_from_matrices(rng):
    matrices = [sp.random_array((n_out, n_in), density=0.2, rng=rng) for n_in, n_out in ((12, 20), (20, 4))]
    biases = [rng.standard_normal(20), rng.standard_normal(4)]
    net = ts.SparseMLP.from_matrices(matrices, biases, activation="relu", dtype="float64")
    X = rng.standard_normal((7, 12))
    hidden = np.maximum(X @ matrices[0].toarray().T + biases[0], 0)
    np.testing.assert_allclose(net.decision_function(X), hidden @ matrices[1].toarray().T + biases[1])
    for layer, matrix in zip(net.layers, matrices, strict=True):
        np.testing.assert_array_equal(layer.weight.toarray(), matrix.toarray())


def test_from_a_dense_model_by_magnitude(rng):
    dense = [rng.standard_normal((20, 12)), rng.standard_normal((4, 20))]
    net = ts.SparseMLP.from_matrices(dense, density=0.25)
    for layer, matrix in zip(net.layers, dense, strict=True):
        assert layer.n_connections == round(0.25 * matrix.size)
        order = np.argsort(-np.abs(matrix), axis=None)[: layer.n_connections]
        expected = np.zeros(matrix.size)
        expected[order] = matrix.flat[order]
        np.testing.assert_allclose(layer.weight.toarray(), expected.reshape(matrix.shape), rtol=1e-6)
    ties = tc.largest(np.ones((3, 4)), 0.5)
    assert ties.nnz == 6
    assert ties.toarray()[:1].all()


@pytest.mark.parametrize("value", [3, None, {}, "ab", iter([2, 3])])
def test_arguments_that_are_no_sequences_are_refused_by_name(value):
    with pytest.raises(ts.InputError, match=r"^layer_sizes must be a sequence"):
        ts.SparseMLP(value)
    with pytest.raises(ts.InputError, match=r"^matrices must be a sequence"):
        ts.SparseMLP.from_matrices(value)
    if value is not None:
        with pytest.raises(ts.InputError, match=r"^biases must be a sequence"):
            ts.SparseMLP.from_matrices([np.eye(2)], value)


@pytest.mark.parametrize("value", [None, 3, [1], np.eye(2)])
def test_connectivity_that_is_neither_name_nor_function_is_refused(value):
    with pytest.raises(ts.InputError, match=r"^connectivity must be a name or a function"):
        ts.SparseMLP((4, 3), connectivity=value)


def test_an_array_of_matrices_makes_a_network():
    net = ts.SparseMLP.from_matrices(np.ones((2, 3, 3)), np.ones((2, 3)), output="identity")
    assert net.layer_sizes == (3, 3, 3)
    assert net.n_connections == 18


@pytest.mark.parametrize("value", [3, 2.5, [1], b"a"])
def test_folder_and_progress_of_another_kind_are_refused_by_name(value):
    with pytest.raises(ts.InputError, match=r"^folder must be the path of a folder"):
        ts.SparseMLP((4, 3), storage="compact", folder=value)
    with pytest.raises(ts.InputError, match=r"^progress must be a function"):
        ts.SparseMLP((4, 3), progress=value)


def test_threads_have_an_upper_bound():
    with pytest.raises(ts.InputError, match=r"^threads must be between 1 and 1024"):
        ts.SparseMLP((4, 3), threads=2**40)


@pytest.mark.parametrize("storage", ["indexed", "float64", "compact", "bfloat16"])
def test_a_network_without_biases_trains_evolves_and_is_saved(rng, tmp_path, storage):
    kinds = {
        "indexed": {},
        "float64": {"dtype": "float64"},
        "compact": {"storage": "compact"},
        "bfloat16": {"storage": "compact", "weights": "bfloat16", "signals": "bfloat16"},
    }
    X = rng.standard_normal((300, 10)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    net = ts.SparseMLP((10, 40, 30, 2), epsilon=4, bias=False, activation="relu", **kinds[storage])
    tiled = storage in ("compact", "bfloat16")
    for optimizer in (ts.SGD(0.05), ts.Adam(0.01)):
        callbacks = [] if tiled else [ts.ImportancePruning(5, start=1, every=1)]
        trainer = ts.Trainer(net, optimizer=optimizer, evolution=ts.SET(), batch_size=200, callbacks=callbacks)
        losses = trainer.fit(X, y, epochs=5)["loss"]
        assert losses[-1] < losses[0]
    assert all(layer.bias.shape == (0,) for layer in net.layers)
    ts.save(net, tmp_path / "model.safetensors")
    again = ts.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.decision_function(X), net.decision_function(X))
    a = X.astype(np.float64)
    for number, layer in enumerate(net.layers):
        a = a @ layer.weight.toarray().T
        a = np.maximum(a, 0) if number < 2 else a
    tolerance = 3e-2 if storage == "bfloat16" else 1e-4
    np.testing.assert_allclose(net.decision_function(X), a, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(net.indexed().freeze().decision_function(X), a, rtol=tolerance, atol=tolerance)
    if not tiled:
        pruning = [ts.ImportancePruning(5, start=1, every=1)]
        options = {"batch_size": 50, "evolution": ts.SET(), "callbacks": pruning}
        ts.Trainer(net, parallel=ts.WASAP(2), **options).fit(X, y, epochs=3)
        assert all(layer.bias.shape == (0,) for layer in net.layers)


def test_neurons_that_are_a_constant_need_a_bias_to_go_to():
    matrices = [np.array([[1.0], [0.0]]), np.array([[1.0, 1.0]])]
    net = ts.SparseMLP.from_matrices(matrices, [np.zeros(0)] * 2, activation="sigmoid", output="identity")
    with pytest.raises(ts.InputError, match=r"^neurons that are not 0 without inputs"):
        ts.prune_neurons(net, 0)
    net = ts.SparseMLP.from_matrices(matrices, [np.zeros(0)] * 2, activation="relu", output="identity")
    ts.prune_neurons(net, 0)
    assert net.layer_sizes == (1, 1, 1)


@pytest.mark.parametrize("bias", [None, 1, "yes"])
def test_bias_must_be_true_or_false(bias):
    with pytest.raises(ts.InputError, match=r"^bias must be True or False"):
        ts.SparseMLP((3, 4, 2), epsilon=1, bias=bias)


def test_layers_in_a_folder_have_biases(tmp_path):
    with pytest.raises(ts.InputError, match=r"^bias must be True where layers live in a folder"):
        ts.SparseMLP((3, 4, 2), epsilon=1, bias=False, storage="compact", folder=tmp_path / "layers")
