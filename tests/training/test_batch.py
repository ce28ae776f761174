"""A batch: its targets and weights, and what loads them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from training_helpers import sparse_samples
from trulysparse.nn.losses import make_loss
from trulysparse.training.fit_data import FitData


def data_of(rng, n=10, **options):
    net = ts.SparseMLP((4, 6, 3))
    y = rng.integers(0, 3, n)
    return FitData.checked(net, ts.SoftmaxCrossEntropy(), rng.normal(size=(n, 4)), y, **options), y


def test_batch_has_the_targets_and_weights_of_its_rows(rng):
    weight = rng.random(10)
    data, y = data_of(rng, sample_weight=weight)
    rows = np.array([7, 2, 9])
    batch = data.batch(rows, data.matrix)
    np.testing.assert_array_equal(batch.targets, y[rows])
    np.testing.assert_array_equal(batch.weight, weight[rows])
    assert batch.total_weight == pytest.approx(weight[rows].sum())
    assert data.total_weight(rows) == pytest.approx(weight[rows].sum())


def test_parts_of_a_batch_are_the_batch(rng):
    data, _ = data_of(rng, sample_weight=rng.random(10))
    whole = data.batch(data.rows, data.matrix)
    parts = [whole.part(start, start + 4) for start in range(0, 10, 4)]
    assert [len(part.rows) for part in parts] == [4, 4, 2]
    for name in ("rows", "targets", "weight"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    assert sum(part.total_weight for part in parts) == pytest.approx(whole.total_weight)


def test_weight_of_unweighted_samples_is_their_number(rng):
    data, _ = data_of(rng)
    assert data.weight is None
    assert data.batch(data.rows, data.matrix).part(2, 5).total_weight == data.total_weight(np.arange(3)) == 3.0


def test_targets_of_a_batch_are_the_loaded_input_or_memory_that_is_kept(rng):
    X = sparse_samples(rng)
    net = ts.SparseMLP((6, 8, 6), output="identity", dtype="float64", threads=1)
    x, z, rows = np.zeros((6, 16)), np.empty((6, 16)), np.arange(3, 14)
    for y, same in ((X, True), (X.copy(), False), (sp.csr_array(X), False)):
        data = FitData.checked(net, ts.MeanSquaredError(), X, y)
        with data.reader(data.rows) as reader:
            batch = data.batch(rows, reader)
            batch.reader.load(rows, x, None, 1)
            found = batch.load_targets(x, z, None, 1)
            assert np.shares_memory(found, x) == same
            np.testing.assert_array_equal(found[:, :11].T, X[rows])
            assert not found[:, 11:].any()
            again = data.batch(rows[:5], reader).load_targets(x, z, None, 1)
            assert np.shares_memory(again, found)
            part = batch.part(4, 9)
            part.reader.load(part.rows, x, None, 1)
            np.testing.assert_array_equal(part.load_targets(x, z, None, 1)[:, :5].T, X[rows[4:9]])


def test_targets_made_from_the_input_are_not_the_input(rng):
    class Doubled:
        def check_targets(self, y, n_outputs, dtype):
            return 2 * y

        def value_and_gradient(self, z, targets, weight):
            return (weight * (z - targets) ** 2).sum(), 2 * weight * (z - targets)

    X = sparse_samples(rng)
    net = ts.SparseMLP((6, 8, 6), output="identity", threads=1)
    assert ts.evaluate(net, X, X, loss=Doubled())["loss"] == ts.evaluate(net, X, X.copy(), loss=Doubled())["loss"]
    assert not FitData.checked(net, make_loss(Doubled(), "identity"), X, X).targets.is_input


def test_labels_of_a_batch_are_handed_on_as_they_are(rng):
    data, y = data_of(rng)
    batch = data.batch(np.array([7, 2]), data.matrix)
    assert batch.load_targets(None, None, None, 1) is batch.targets
    assert data.labelled
    assert y[7] == batch.targets[0]
