"""Input neurons that go and come, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse._core.arrays import Floats
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.evolution import Evolution, Schedule, grow, prune
from trulysparse.unsupervised.selection import inputs
from trulysparse.unsupervised.selection.inputs import Total, load_features, replace_inputs, steepest_features


def test_inputs_that_stay_keep_all_they_have() -> None:
    net = ts.SparseMLP((12, 9, 2), epsilon=3, dtype="float64", seed=0)
    state = net.layers[0].new_state(ts.Adam())
    rng = np.random.default_rng(0)
    for slot in state.weight:
        slot[:] = rng.random(len(slot))
    before, moments = net.layers[0].weight.toarray(), net.layers[0].to_csr(net.layers[0].in_order(state.weight[0]))
    features, new = np.arange(100, 112), np.array([3, 102, 105, 107, 111, 400])
    replace_inputs(net, state, features, new)
    layer = net.layers[0]
    kept = [2, 5, 7, 11]
    assert net.layer_sizes == (6, 9, 2)
    np.testing.assert_array_equal(layer.weight.toarray()[:, 1:5], before[:, kept])
    assert not layer.weight.toarray()[:, [0, 5]].any()
    after = layer.to_csr(layer.in_order(state.weight[0])).toarray()
    np.testing.assert_array_equal(after[:, 1:5], moments.toarray()[:, kept])
    assert layer.values.shape == state.weight[1].shape == (np.count_nonzero(before[:, kept]),)
    net.check_layers()


def test_total_fills_a_layer_up_to_its_number() -> None:
    net = ts.SparseMLP((8, 10, 2), epsilon=2, seed=0)
    state = net.layers[0].new_state(ts.SGD())
    method = Evolution(
        prune.sign_magnitude, grow.uniform, Schedule(0.5, every_epochs=1), budget=Total(60), fresh="zero"
    )
    method.evolve(net.layers[0], state, key=1, threads=1)
    assert net.layers[0].n_connections == 60
    replace_inputs(net, state, np.arange(8), np.array([1, 2, 3]))
    method.evolve(net.layers[0], state, key=2, threads=1)
    assert net.layers[0].n_connections == 30  # all


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("block", [1024, 7])
def test_steepest_features_are_those_of_the_dense_gradient(
    threads: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    X = np.where(rng.random((50, 40)) < 0.4, rng.standard_normal((50, 40)) * np.arange(1, 41), 0.0)
    rows = np.sort(rng.choice(50, 30, replace=False))
    dy: Floats = np.zeros((11, 32), np.float32)
    dy[:, :30] = rng.standard_normal((11, 30))
    scaling = fit_scaling("standard", as_matrix(X))
    assert scaling is not None
    gone = np.setdiff1d(np.arange(40), [3, 4, 20])
    scaled = ((X - X.mean(0)) / X.std(0))[rows][:, gone]
    steepness = np.abs(scaled.T @ dy[:, :30].T.astype(np.float64)).max(axis=1)
    monkeypatch.setattr(inputs, "_BLOCK_BYTES", 0)
    monkeypatch.setattr(inputs, "_LEAST_BLOCK", block)
    for matrix in (as_matrix(X), as_matrix(sp.csr_array(X))):
        for count in (1, 5, 36, 37):
            found = steepest_features(matrix, gone, rows, scaling, dy, count, threads)
            assert found.tolist() == sorted(gone[np.argsort(-steepness)[:count]])


def test_one_row_may_hold_all_large_gradients() -> None:
    x = np.ones((5, 16), np.float32) * np.array([[1.0], [9], [1.5], [0.0], [2]], np.float32)
    dy = np.ones((30, 16), np.float32)
    rows, values = inputs._steepest(x, dy, 3, 1)
    assert {1, 2, 4} <= set(rows.tolist())
    assert values[list(rows).index(1)] == 9 * 16


def test_loaded_features_are_scaled_and_padded() -> None:
    X = np.arange(12.0).reshape(4, 3)
    scaling = fit_scaling("minmax", as_matrix(X))
    assert scaling is not None
    x = load_features(as_matrix(X), np.array([2]), np.array([1, 3]), scaling, np.empty((1, 4), np.float32), 1)
    np.testing.assert_allclose(x, [[1 / 3, 1, 0, 0]], rtol=1e-6)
