"""A batch: its targets and weights, and what loads them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

import trulysparse as ts
from sample_files import npy
from training_helpers import sparse_samples
from trulysparse.data import fit_target_scaling
from trulysparse.data.stream.matrix import StreamMatrix
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


@pytest.fixture
def regression(rng):
    net = ts.SparseMLP((3, 6, 2), epsilon=3, output="identity")
    X, y = rng.standard_normal((30, 3)), rng.standard_normal((30, 2)) * [1e4, 1e-4]
    net.target_scaling = fit_target_scaling(y)
    return net, X, y


def frame_of(y):
    return pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]").DataFrame(y)


@pytest.mark.parametrize("form", [np.asarray, frame_of, np.ndarray.tolist, lambda y: y.astype(np.float32)])
def test_targets_are_standardised_by_the_network(regression, form):
    net, X, y = regression
    plain = net.copy()
    plain.target_scaling = None
    wanted = StandardScaler().fit_transform(y)
    loss = make_loss(None, "identity")
    for data in (FitData.checked(net, loss, X, form(y)), FitData.checked(plain, loss, X, wanted)):
        np.testing.assert_allclose(data.targets.matrix.x, wanted, rtol=1e-3, atol=1e-3)
    first, second = (ts.Trainer(each, batch_size=30).step(X, t) for each, t in ((net, form(y)), (plain, wanted)))
    assert first == pytest.approx(second, rel=1e-4)


def test_samples_as_targets_are_standardised_too(rng):
    X = rng.standard_normal((30, 2)) * 100
    net = ts.SparseMLP((2, 6, 2), epsilon=3, output="identity")
    net.scaling = net.target_scaling = fit_target_scaling(X)
    data = FitData.checked(net, make_loss(None, "identity"), X, X)
    assert not data.targets.is_input
    np.testing.assert_allclose(data.targets.matrix.x, StandardScaler().fit_transform(X), atol=1e-12)
    assert ts.Trainer(net, batch_size=30).step(X, X) < 10


@pytest.mark.parametrize("kind", ["sparse", "stream"])
def test_targets_that_cannot_be_standardised(regression, tmp_path, kind):
    net, X, y = regression
    y = sp.csr_array(y) if kind == "sparse" else StreamMatrix(npy(tmp_path, y))
    for call in (
        ts.Trainer(net).step,
        lambda X, y: ts.Trainer(net).fit(X, y, epochs=1),
        lambda X, y: ts.evaluate(net, X, y),
    ):
        with pytest.raises(ts.InputError, match="y must be a dense array in memory where the network has a target_sc"):
            call(X, y)


def test_wrong_targets_are_named(regression):
    net, X, y = regression
    y[4, 1] = np.nan
    with pytest.raises(ts.InputError, match=r"y\[4, 1\] is nan"):
        ts.Trainer(net).fit(X, y, epochs=1)
    with pytest.raises(ts.InputError, match="X has 30 samples, but y has 7"):
        ts.Trainer(net).fit(X, y[-7:], epochs=1)
    with pytest.raises(ts.InputError, match="X has 30 samples, but y has 7"):
        ts.Trainer(net).step(X, y[-7:])
