"""What holds for layers of every storage."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.layers.base import Layer
from trulysparse.optim import OptimizerState


@pytest.fixture(params=["indexed", "compact", "mapped"])
def layer(request, tmp_path) -> Layer:
    storage = "indexed" if request.param == "indexed" else "compact"
    folder = tmp_path / "layers" if request.param == "mapped" else None
    return ts.SparseMLP((30, 40, 5), epsilon=3, storage=storage, folder=folder).layers[0]


def test_to_csr_of_values_in_order_is_the_weight(layer):
    np.testing.assert_array_equal(layer.to_csr(layer.in_order(layer.values)).toarray(), layer.weight.toarray())
    assert layer.weight.nnz == layer.n_connections == 210


def test_copy_has_parameters_of_its_own(layer):
    twin, before = layer.copy(), layer.weight.toarray()
    twin.values[:] = 0
    twin.bias[:] = 7
    np.testing.assert_array_equal(layer.weight.toarray(), before)
    assert not layer.bias.any()


def test_indexed_has_the_same_weights(layer):
    twin = layer.indexed(2)
    assert not twin.tiled
    np.testing.assert_array_equal(twin.weight.toarray(), layer.weight.toarray())


def test_snapshot_is_restored(layer):
    before, snapshot = layer.weight.toarray(), layer.snapshot()
    layer.values[:] = 0
    layer.restore(snapshot)
    np.testing.assert_array_equal(layer.weight.toarray(), before)


@pytest.mark.parametrize(
    ("sizes", "dtype", "message"),
    [
        ((30, 41), "f4", "connects 30 x 40 neurons, not 30 x 41"),
        ((30, 40), "f8", r".values must be"),
        ((30, 40), "f4", None),
    ],
)
def test_problem_says_what_does_not_fit(layer, sizes, dtype, message):
    problem = layer.problem(*sizes, np.dtype(dtype), "float64" if dtype == "f8" else "float32")
    assert problem is None if message is None else message in problem


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_a_rule_in_arrays_is_given_no_biases_where_there_are_none(storage):
    class Rule:
        learning_rate = 0.1

        def update(self, values, gradient, slots, is_bias):
            assert not is_bias
            values -= self.learning_rate * gradient / np.abs(gradient).max()

    net = ts.SparseMLP((6, 9, 3), epsilon=3, bias=False, storage=storage)
    for layer in net.layers:
        before, gradient = layer.values.copy(), np.ones_like(layer.values)
        layer.update([(gradient, np.zeros(0, np.float32), 1.0)], OptimizerState([], []), Rule(), 1)
        np.testing.assert_allclose(layer.values, before - 0.1, rtol=1e-6)
