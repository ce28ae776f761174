"""Checked samples and their batches."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
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


def test_order_takes_each_sample_once_shuffled_or_not(rng):
    data, _ = data_of(rng)
    shuffled = data.order(np.random.default_rng(1))
    assert sorted(shuffled) == list(range(10))
    assert list(shuffled) != list(range(10))
    still, _ = data_of(rng, shuffle=False)
    assert list(still.order(np.random.default_rng(1))) == list(range(10))


@pytest.mark.parametrize(
    ("X", "y", "weight", "message"),
    [
        (np.zeros((3, 4)), [0, 1], None, "held-out X has 3 samples, but held-out y has 2"),
        (np.zeros((3, 5)), [0, 1, 2], None, "held-out X has 5 features"),
        (np.zeros((3, 4)), [0, 1, 2], [1, 2], "sample_weight must have shape"),
        (np.zeros((3, 4)), [0, 1, 2], [1, -2, 1], r"sample_weight\[1\] is -2"),
    ],
)
def test_samples_that_do_not_fit_are_refused_by_name(X, y, weight, message):
    net = ts.SparseMLP((4, 6, 3))
    with pytest.raises(ts.InputError, match=message):
        FitData.checked(net, ts.SoftmaxCrossEntropy(), X, y, weight, names=("held-out X", "held-out y"))
