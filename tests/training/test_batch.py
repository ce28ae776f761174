"""A batch: its targets and weights, and what loads them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

import trulysparse as ts
from sample_files import npy
from training_helpers import sparse_samples
from trulysparse.data import as_matrix, fit_scaling, fit_target_scaling
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.targets import ValueReader
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


@pytest.mark.parametrize("kind", ["csr", "map", "stream"])
def test_targets_that_stay_where_they_are_are_scaled_as_they_are_loaded(regression, tmp_path, kind):
    net, X, y = regression
    np.save(tmp_path / "own.npy", y)
    given = {
        "csr": sp.csr_array(y),
        "map": np.load(tmp_path / "own.npy", mmap_mode="r"),
        "stream": StreamMatrix(npy(tmp_path, y)),
    }[kind]
    for call in (
        lambda y: ts.Trainer(net.copy(), batch_size=30).step(X, y),
        lambda y: ts.Trainer(net.copy()).fit(X, y, epochs=2, shuffle=False)["loss"],
        lambda y: list(ts.evaluate(net, X, y).values()),
    ):
        assert call(given) == pytest.approx(call(y), rel=1e-5)


FORMS = {
    "float32": lambda X, folder: X.astype(np.float32),
    "columns": lambda X, folder: np.asfortranarray(X),
    "csr": lambda X, folder: sp.csr_array(X),
    "map": lambda X, folder: np.load(npy_file(folder, X), mmap_mode="r"),
    "stream": lambda X, folder: StreamMatrix(npy(folder, X)),
    "frame": lambda X, folder: frame_of(X),
}


def npy_file(folder, X):
    np.save(folder / "map.npy", X)
    return folder / "map.npy"


def autoencoder(X, kind="standard", **settings):
    net = ts.SparseMLP((X.shape[1], 4, X.shape[1]), epsilon=3, **{"output": "identity", "seed": 3, **settings})
    net.scaling = net.target_scaling = fit_scaling(kind, as_matrix(X))
    return net


def wide_samples(rng, n=40):
    X = np.where(rng.random((n, 6)) < 0.5, rng.standard_normal((n, 6)) * [1e4, 1e-3, 1, 1, 1, 1] + 7, 0)
    X[:, 5] = 3.25  # constant
    return X


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_scaled_samples_as_targets_train_as_scaled_by_hand(rng, tmp_path, form, noise):
    X = wide_samples(rng)
    given, scaled = FORMS[form](X, tmp_path), StandardScaler().fit_transform(X).astype(np.float32)
    net, plain = autoencoder(X), autoencoder(X)
    plain.scaling = plain.target_scaling = None
    found = []
    for each, samples, targets in ((net, given, given), (plain, scaled, scaled.copy())):
        trainer = ts.Trainer(each, batch_size=16, input_noise=noise, seed=1)
        history = trainer.fit(samples, targets, epochs=2, shuffle=False, validation_data=(samples, targets))
        found.append(history["loss"] + history["val_loss"])
        steps = ts.Trainer(each.copy(), batch_size=40, input_noise=noise, seed=2)
        found[-1] += [steps.step(samples, targets) for _ in range(2)] + [ts.evaluate(each, samples, targets)["loss"]]
    np.testing.assert_allclose(*found, rtol=2e-4)
    unit = StandardScaler().fit(X).inverse_transform(plain.predict(scaled).astype(np.float64))
    reconstructed = net.predict(given)
    np.testing.assert_allclose(reconstructed[:, :5] / X.std(axis=0)[:5], unit[:, :5] / X.std(axis=0)[:5], atol=1e-3)
    assert (reconstructed[:, 5] == 3.25).all()
    r2 = r2_score(X[:, :5], reconstructed[:, :5], multioutput="variance_weighted")
    assert ts.evaluate(net, given, given)["r2"] == pytest.approx(r2, abs=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_the_loaded_samples_themselves_are_the_targets(rng, tmp_path, form):
    """No second array, where nothing corrupts them; a copy of the tile where something does."""
    X = FORMS[form](wide_samples(rng), tmp_path)
    net = autoencoder(wide_samples(rng))
    data = FitData.checked(net, make_loss(None, "identity"), X, X)
    assert data.targets.is_input
    rows = np.array([3, 1, 4])
    with data.reader(rows) as reader:
        batch = data.batch(rows, reader)
        x, z = np.empty((6, 16), np.float32), np.empty((6, 16), np.float32)
        reader.load(rows, x, net.scaling, 1)
        assert batch.load_targets(x, z, net.scaling, 1) is x
        own = batch.load_targets(x, z, net.scaling, 1, own=True)
        assert own is not x
        np.testing.assert_array_equal(own, x)
        net.scaling = fit_scaling("minmax", as_matrix(wide_samples(rng)))  # other values than the targets have
        reader.load(rows, x, net.scaling, 1)
        np.testing.assert_array_equal(batch.load_targets(x, z, net.scaling, 1), own)


def test_scaled_samples_of_sigmoid_outputs(rng):
    """Rounding must not put the largest value beyond 1; other values that are beyond it are refused."""
    X = rng.standard_normal((200, 6)).astype(np.float32) * np.float32(1 / 3) + np.float32(0.1)
    for dtype in ("float32", "float64"):
        net = autoencoder(X, "minmax", output="sigmoid", dtype=dtype)
        history = ts.Trainer(net, loss="sum_binary_cross_entropy").fit(X, X, epochs=2, validation_data=(X, X))
        assert history["val_loss"][-1] < 6
        p = net.predict_proba(X)
        np.testing.assert_allclose(net.predict(X), p / net.scaling.factor + net.scaling.offset, rtol=1e-12)
    beyond = X.copy()
    beyond[7, 2] = 100
    with pytest.raises(ts.InputError, match=r"X\[7, 2\] is .* once it is scaled; targets of .* lie in \[0, 1\]"):
        ts.Trainer(net).fit(beyond, beyond, epochs=1)


def test_an_autoencoder_in_the_unit_of_its_samples_is_saved(rng, tmp_path):
    X = wide_samples(rng)
    for kind, output in (("standard", "identity"), ("moderated", "identity"), ("minmax", "sigmoid")):
        net = autoencoder(X, kind, output=output)
        ts.save(net, tmp_path / "net.safetensors")
        np.testing.assert_array_equal(ts.load(tmp_path / "net.safetensors").predict(X), net.predict(X))


def test_wrong_targets_are_named(regression):
    net, X, y = regression
    y[4, 1] = np.nan
    with pytest.raises(ts.InputError, match=r"y\[4, 1\] is nan"):
        ts.Trainer(net).fit(X, y, epochs=1)
    with pytest.raises(ts.InputError, match="X has 30 samples, but y has 7"):
        ts.Trainer(net).fit(X, y[-7:], epochs=1)
    with pytest.raises(ts.InputError, match="X has 30 samples, but y has 7"):
        ts.Trainer(net).step(X, y[-7:])


@pytest.mark.parametrize("form", ["csr", "map"])
def test_wrong_targets_that_stay_where_they_are_are_named(rng, tmp_path, form):
    X = wide_samples(rng)
    y = X.copy()
    y[4, 1] = np.inf
    with pytest.raises(ts.InputError, match=r"^y\[4, 1\] is inf; targets must be finite"):
        ts.Trainer(autoencoder(X)).fit(X, FORMS[form](y, tmp_path), epochs=1)


@pytest.mark.parametrize("form", ["float32", "csr", "map"])
@pytest.mark.parametrize(
    "settings",
    [
        {"input_noise": 0.3},
        {"input_masking": 0.3, "redraw_input_noise": False},
        {"input_swap": 0.3, "recompute": 2},
        {"input_noise": 0.3, "micro_batch_size": 10},
    ],
)
def test_samples_loaded_again_as_targets_are_those_that_were_copied(rng, tmp_path, monkeypatch, form, settings):
    """Wide tiles: the same bits without the memory of a copy."""
    X = wide_samples(rng)
    given, found, copies = FORMS[form](X, tmp_path), [], []
    batch = ValueReader.batch

    def noted(self, rows, x, z, scaling, threads, own=False):
        copies.append(own)
        return batch(self, rows, x, z, scaling, threads, own)

    monkeypatch.setattr(ValueReader, "batch", noted)
    for limit in (1 << 26, 0):
        copies.clear()
        monkeypatch.setattr("trulysparse.training.batch._COPIED", limit)
        net = autoencoder(X)
        trainer = ts.Trainer(net, batch_size=20, seed=1, **settings)
        history = trainer.fit(given, given, epochs=2)
        found.append([*history["loss"], trainer.step(given, given), *net.layers[0].values])
        assert any(copies) == (limit > 0)
    assert found[0] == found[1]
