"""SparseMLP: construction, prediction on every kind of X, what it refuses."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit, softmax

import trulysparse as ts
from trulysparse._core import memory
from trulysparse.data import Scaling
from trulysparse.nn import memory_use


def reference_outputs(net, X):
    """A dense float64 forward pass."""
    a = X.toarray().astype(np.float64) if sp.issparse(X) else np.asarray(X, np.float64)
    if net.scaling is not None:
        a = (a - net.scaling.offset) * net.scaling.factor
    for layer in net.layers:
        z = a @ layer.weight.toarray().astype(np.float64).T + layer.bias
        kind, slope = layer.activation
        a = [lambda z: z, lambda z, s=slope: np.where(z > 0, z, s * z), np.tanh, expit][kind](z)
    return a


@pytest.mark.parametrize("activation", ["all_relu", "relu", "leaky_relu", "tanh", "sigmoid", "identity"])
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_outputs_match_a_dense_reference(rng, activation, output):
    net = ts.SparseMLP((20, 30, 25, 40, 4), epsilon=5, activation=activation, output=output, seed=3)
    for layer in net.layers:
        layer.bias[:] = rng.standard_normal(layer.n_out)
    X = rng.standard_normal((37, 20))
    net.scaling = Scaling("standard", rng.random(20), rng.random(20))
    z = reference_outputs(net, X)
    for batch_size in (1, 5, 16, 37, 1000):
        np.testing.assert_allclose(net.decision_function(X, batch_size=batch_size), z, rtol=1e-4, atol=1e-5)
    if output == "softmax":
        np.testing.assert_allclose(net.predict_proba(X), softmax(z, axis=1), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(net.predict(X), z.argmax(axis=1))
        net.labels = np.array(["a", "b", "c", "d"])
        np.testing.assert_array_equal(net.predict(X), net.labels[z.argmax(axis=1)])
    elif output == "sigmoid":
        np.testing.assert_allclose(net.predict_proba(X), expit(z), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(net.predict(X), z > 0)
    else:
        np.testing.assert_allclose(net.predict(X), z, rtol=1e-4, atol=1e-5)
        with pytest.raises(ts.InputError, match="predict_proba needs output"):
            net.predict_proba(X)


def test_all_relu_alternates():
    net = ts.SparseMLP((4, 5, 6, 7, 2), activation=ts.AllReLU(0.6))
    assert [layer.activation for layer in net.layers] == [(1, -0.6), (1, 0.6), (1, -0.6), (0, 0.0)]


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
    ("init", "fan"),
    [
        ("he_uniform", "dense"),
        ("he_uniform", "sparse"),
        ("xavier_uniform", "dense"),
        ("xavier_uniform", "sparse"),
        ("normal", "dense"),
    ],
)
def test_weights_follow_the_rule(init, fan):
    net = ts.SparseMLP((500, 800, 10), epsilon=20, init=init, fan=fan, balance=False, seed=1)
    values = net.layers[0].values.astype(np.float64)
    n = 20 * 1300
    fan_in, fan_out = (500, 800) if fan == "dense" else (n / 800, n / 500)
    deviation = {"he_uniform": np.sqrt(2 / fan_in), "xavier_uniform": np.sqrt(2 / (fan_in + fan_out)), "normal": 0.1}[
        init
    ]
    assert values.std() == pytest.approx(deviation, rel=0.03)
    assert abs(values.mean()) < 5 * deviation / np.sqrt(n)
    if init != "normal":
        assert np.abs(values).max() <= deviation * np.sqrt(3)
        assert np.abs(values).max() > 0.99 * deviation * np.sqrt(3)


@pytest.mark.parametrize("activation", ["all_relu", "relu", "identity", "tanh"])
def test_balanced_outputs_start_with_the_promised_deviation(rng, activation):
    net = ts.SparseMLP((400, 600, 500, 8), epsilon=40, activation=activation, seed=2)
    z = net.decision_function(rng.standard_normal((500, 400)))
    assert z.std() == pytest.approx(0.25, rel=0.35)


def test_weight_is_a_csr_array():
    net = ts.SparseMLP((30, 40, 5), epsilon=3)
    weight = net.layers[0].weight
    assert isinstance(weight, sp.csr_array)
    assert weight.shape == (40, 30)
    assert weight.nnz == net.layers[0].n_connections == 210
    assert weight.has_canonical_format
    assert net.n_connections == 210 + 135
    assert net.n_neurons == 45


def test_every_kind_of_x_gives_the_same(rng, tmp_path):
    net = ts.SparseMLP((12, 20, 3), epsilon=5)
    X = rng.integers(0, 200, (50, 12), dtype=np.uint8)
    expected = net.predict_proba(X)
    np.save(tmp_path / "x.npy", X)
    others = [X.astype(t) for t in ("f2", "f4", "f8", "i8", "u2")]
    others += [
        sp.csr_array(X),
        sp.csc_array(X),
        np.asfortranarray(X),
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        X.tolist(),
    ]
    try:
        import pandas as pd
    except ImportError:
        pass
    else:
        others.append(pd.DataFrame(X))
    for other in others:
        np.testing.assert_allclose(net.predict_proba(other), expected, rtol=1e-6)


@pytest.mark.parametrize("batch", [1, 7])
def test_threads_may_predict_side_by_side(rng, batch):
    net = ts.SparseMLP((200, 400, 400, 10), epsilon=20, threads=1)
    inputs = [rng.standard_normal((batch, 200)) for _ in range(64)]
    expected = [net.predict_proba(X) for X in inputs]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            for found, known in zip(pool.map(net.predict_proba, inputs), expected, strict=True):
                np.testing.assert_array_equal(found, known)


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
        (dict(activation="gelu"), "activation must be one of all_relu"),
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


def test_wrong_number_of_features(rng):
    net = ts.SparseMLP((12, 20, 3))
    with pytest.raises(ts.InputError, match="X has 11 features, but the network has 12 inputs"):
        net.predict(rng.random((4, 11)))


def test_a_network_too_large_is_refused_before_allocation(monkeypatch):
    with pytest.raises(ts.NotEnoughMemoryError, match=r"needs about .*TiB, but only .* of memory is free"):
        ts.SparseMLP((2_000_000_000, 2_000_000_000, 2), epsilon=1000)
    monkeypatch.setattr(memory, "free_bytes", lambda: 100 << 20)
    with pytest.raises(ts.NotEnoughMemoryError, match="epsilon"):
        ts.SparseMLP((100_000, 100_000, 2), epsilon=20)
    net = ts.SparseMLP((10_000, 10_000, 2), epsilon=1)
    with pytest.raises(ts.NotEnoughMemoryError, match=r"training at batch_size=8192 needs about .*batch_size"):
        ts.Trainer(net, batch_size=8192)


def test_memory_estimate_is_near_the_truth():
    """Arrays of the finished network against the estimate, which adds scratch for building."""
    net = ts.SparseMLP((5000, 20_000, 20_000, 10), epsilon=10)
    held = 0
    for layer in net.layers:
        con = layer.connectivity
        held += sum(
            a.nbytes
            for a in (
                con.by_input.ptr,
                con.by_input.index,
                con.by_output.ptr,
                con.by_output.index,
                con.position,
                layer.values,
                layer.bias,
            )
        )
    estimate = memory_use.network_bytes(
        net.layer_sizes, [layer.n_connections for layer in net.layers], net.storage_config
    )
    largest = max(layer.n_connections for layer in net.layers)
    assert estimate - memory_use.BUILD_BYTES * largest == pytest.approx(held, rel=0.01)


def test_importing_leaves_scikit_learn_alone():
    """The core must start fast and small; the estimators bring scikit-learn when they are asked for."""
    code = (
        "import sys, trulysparse as ts; assert 'sklearn' not in sys.modules\n"
        "ts.SparseMLPClassifier; assert 'sklearn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ts.nothing  # noqa: B018
