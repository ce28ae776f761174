"""A frozen network answers as the network it was made from."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.nn.activations import NAMES

SHAPES = [
    ((30, 50, 7), 3.0),
    ((30, 50, 7), 0.2),  # rows without connections
    ((5, 3, 1), 100.0),  # complete, fewer rows than a slice
    ((41, 20, 11), 100.0),  # complete, slices that are partly filled
    ((41, 90, 9), 9.1),  # a complete layer after one that is not
    ((70_000, 20, 9, 3), 0.5),  # wider than 16-bit indices reach
    ((65_536, 11, 2), 0.01),  # just not
]


def network(sizes: tuple[int, ...], epsilon: float, **settings: object) -> ts.SparseMLP:
    net = ts.SparseMLP(sizes, epsilon=epsilon, seed=1, **settings)  # type: ignore[arg-type]
    rng = np.random.default_rng(2)
    for layer in net.layers:
        layer.bias[:] = rng.standard_normal(layer.n_out)
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("sizes", "epsilon"), SHAPES)
def test_same_outputs(sizes: tuple[int, ...], epsilon: float, dtype: str, isa: str) -> None:
    net = network(sizes, epsilon, dtype=dtype)
    X = np.random.default_rng(0).standard_normal((5, sizes[0]))
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    expected, found = net.decision_function(X), net.freeze(threads=2).decision_function(X, batch_size=3)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_and_outputs(activation: str, output: str, dtype: str, isa: str) -> None:
    net = network((20, 30, 4), 5.0, activation=activation, output=output, dtype=dtype)
    X = np.random.default_rng(0).standard_normal((9, 20))
    frozen, tolerance = net.freeze(), 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_array_equal(frozen.predict(X).shape, net.predict(X).shape)
    np.testing.assert_allclose(frozen.decision_function(X), net.decision_function(X), rtol=tolerance, atol=tolerance)
    if output != "identity":
        np.testing.assert_allclose(frozen.predict_proba(X), net.predict_proba(X), rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(frozen.predict(X), net.predict(X))


def test_scaling_labels_and_kinds_of_input() -> None:
    net = network((12, 30, 3), 5.0)
    X = np.random.default_rng(0).integers(0, 9, (40, 12)).astype(np.float64)
    net.scaling = fit_scaling("standard", as_matrix(X))
    net.labels = np.array(["ant", "bee", "cat"])
    expected = net.predict_proba(X)
    frozen = net.freeze()
    kinds = [X, X.astype(np.uint8), np.asfortranarray(X), X.astype(np.float16), X.astype(">f4"), sp.csr_array(X)]
    for kind in kinds:
        np.testing.assert_allclose(frozen.predict_proba(kind), expected, rtol=1e-5, atol=1e-6)
    assert list(frozen.predict(X)) == list(net.predict(X))


def test_later_changes_do_not_reach_it() -> None:
    net = network((12, 30, 3), 5.0)
    X = np.ones((1, 12))
    frozen = net.freeze()
    before = frozen.decision_function(X)
    net.layers[0].values[:] = 0
    net.layers[1].bias[:] += 1
    np.testing.assert_array_equal(frozen.decision_function(X), before)


def test_bad_input_is_named() -> None:
    frozen = network((12, 30, 3), 5.0).freeze()
    X = np.zeros((300, 12))
    X[270, 5] = np.nan
    with pytest.raises(ts.InputError, match=r"X\[270, 5\] is nan"):
        frozen.predict(X)
    with pytest.raises(ts.InputError, match="11 features, but the network has 12"):
        frozen.predict(X[:, :11])


def test_threads_predict_side_by_side() -> None:
    frozen = network((50, 80, 6), 10.0).freeze()
    X = np.random.default_rng(0).standard_normal((200, 50))
    expected = frozen.decision_function(X)
    wrong = []

    def ask(offset: int) -> None:
        for i in range(200):
            sample = (i + offset) % 200
            if not np.array_equal(frozen.decision_function(X[sample : sample + 1])[0], expected[sample]):
                wrong.append(sample)

    askers = [threading.Thread(target=ask, args=(offset,)) for offset in (0, 50, 100)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert not wrong


def evolve(net: ts.SparseMLP, key: int = 1) -> None:
    ts.SET(0.3, fresh="init").evolve(net, [layer.new_state(ts.SGD(0.1)) for layer in net.layers], key, 1)


def change(net: ts.SparseMLP, seed: int = 3) -> None:
    """Other weights and biases, in place."""
    rng = np.random.default_rng(seed)
    for layer in net.layers:
        layer.values[:] = rng.standard_normal(layer.n_connections)
        layer.bias[:] = rng.standard_normal(layer.bias.size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("settings", [{}, {"skip": True}, {"bias": False}])
@pytest.mark.parametrize(("sizes", "epsilon"), SHAPES)
def test_refresh_gives_the_bits_of_a_new_one(sizes, epsilon, settings, dtype) -> None:
    net = ts.SparseMLP(sizes, epsilon=epsilon, seed=1, dtype=dtype, **settings)
    X = np.random.default_rng(0).standard_normal((5, sizes[0]))
    frozen = net.freeze()
    for step in range(5):
        change(net, step)
        if step == 2:
            evolve(net)  # another topology: laid out anew, then refreshed as before
        network = frozen._network
        frozen.refresh(net)
        assert (frozen._network is network) == (step != 2)
        np.testing.assert_array_equal(frozen.decision_function(X), net.freeze().decision_function(X))


def test_refresh_takes_scaling_and_labels_too() -> None:
    net = network((12, 30, 3), 5.0)
    frozen = net.freeze()
    X = np.random.default_rng(0).random((40, 12))
    net.scaling = fit_scaling("standard", as_matrix(X))
    net.labels = np.array(["ant", "bee", "cat"])
    frozen.refresh(net)
    np.testing.assert_array_equal(frozen.predict(X), net.freeze().predict(X))


def test_refresh_from_a_twin_that_shares_connectivity() -> None:
    net = network((12, 30, 3), 5.0)
    frozen, twin = net.freeze(), net.copy()
    change(twin)
    before = frozen._network
    frozen.refresh(twin)
    assert frozen._network is before
    X = np.ones((1, 12))
    np.testing.assert_array_equal(frozen.decision_function(X), twin.freeze().decision_function(X))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (dict(sizes=(12, 31, 3)), "net must have layer_sizes"),
        (dict(output="identity"), "net must have output softmax"),
        (dict(dtype="float64"), "net must have dtype float32"),
    ],
)
def test_refresh_from_another_network_is_refused(other, message) -> None:
    frozen = network((12, 30, 3), 5.0).freeze()
    before = frozen.decision_function(np.ones((1, 12)))
    settings = dict(sizes=(12, 30, 3), epsilon=5.0) | other
    with pytest.raises(ts.InputError, match=message):
        frozen.refresh(network(**settings))
    with pytest.raises(ts.InputError, match="net must have layer_sizes"):
        frozen.refresh(None)
    np.testing.assert_array_equal(frozen.decision_function(np.ones((1, 12))), before)


def test_kernels_refuse_weights_that_do_not_fit() -> None:
    net = network((12, 30, 3), 5.0)
    kernels = net.freeze()._network
    weights, biases = [layer.values for layer in net.layers], [layer.bias for layer in net.layers]
    with pytest.raises(ValueError, match="has not been prepared"):
        kernels.refresh(weights, biases)
    con = net.layers[0].connectivity
    rows = con.by_output
    kernels.prepare_refresh(0, rows.ptr, rows.index, con.position)
    with pytest.raises(ValueError, match="has not been prepared"):
        kernels.refresh(weights, biases)
    for number in (-1, 2):
        with pytest.raises(ValueError, match="no such layer"):
            kernels.prepare_refresh(number, rows.ptr, rows.index, con.position)
    with pytest.raises(ValueError, match="other connections"):
        kernels.prepare_refresh(1, rows.ptr, rows.index, con.position)
    with pytest.raises(ValueError, match="other connections"):
        kernels.prepare_refresh(0, rows.ptr, rows.index, con.position + np.uint32(1))
    with pytest.raises(ValueError, match="weights and biases for each layer"):
        kernels.refresh(weights[:1], biases)
    with pytest.raises(ValueError, match="weights has"):
        kernels.refresh([weights[0][:-1], weights[1]], biases)
    with pytest.raises(ValueError, match="biases has"):
        kernels.refresh(weights, [biases[0][:-1], biases[1]])


@pytest.mark.parametrize(("sizes", "epsilon"), SHAPES)
def test_kernels_give_back_what_they_were_given(sizes, epsilon) -> None:
    net = ts.SparseMLP(sizes, epsilon=epsilon, seed=1, skip=True)
    change(net)
    kernels = net.freeze()._network
    for number, layer in enumerate(net.layers):
        ptr, index, weight, bias = kernels.layer(number)
        con = layer.connectivity
        np.testing.assert_array_equal(ptr, con.by_output.ptr)
        np.testing.assert_array_equal(index, con.by_output.index)
        np.testing.assert_array_equal(weight, layer.values[con.position])
        np.testing.assert_array_equal(bias, layer.bias if layer.bias.size else np.zeros(layer.n_out))


def test_threads_predict_while_one_refreshes() -> None:
    """Each answer is that of one set of weights, whose outputs are known: all weights 1, or all weights 2."""
    nets = [ts.SparseMLP((50, 80, 6), density=0.5, output="identity", activation="relu", seed=1)]
    nets.append(nets[0].copy())
    for factor, net in enumerate(nets, start=1):
        for layer in net.layers:
            layer.values[:] = factor
    X = np.ones((30, 50))
    frozen = nets[0].freeze()
    wanted = [net.freeze().decision_function(X) for net in nets]
    wrong, done = [], threading.Event()

    def ask() -> None:
        while not done.is_set():
            answer = frozen.decision_function(X)
            if not any(np.array_equal(answer, each) for each in wanted):
                wrong.append(answer)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for step in range(300):
        frozen.refresh(nets[step % 2])
    done.set()
    for asker in askers:
        asker.join()
    assert not wrong
