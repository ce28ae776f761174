"""The base of models without targets: samples of any form, scikit-learn's rules, pickles, files, progress."""

from __future__ import annotations

import pickle
import threading
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import trulysparse as ts
from estimators.tables import mixed_table
from sample_files import npy
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.estimators import _pickling
from unsupervised.tiny_model import TinyModel


@pytest.fixture
def X(rng):
    return rng.normal(size=(60, 5))


def fitted(X, **options):
    return TinyModel(random_state=0, **options).fit(X)


def test_contract():
    results = check_estimator(TinyModel(), on_fail=None, on_skip=None)
    assert len(results) > 40
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] not in ("passed", "skipped")] == []


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "memmap", "stream", "frame", "fortran", "list"])
def test_every_form_of_samples_gives_the_same(X, tmp_path, kind):
    pd = pytest.importorskip("pandas")
    np.save(tmp_path / "map.npy", X)
    form = {
        "csr": sp.csr_array(X),
        "csc": sp.csc_matrix(X),
        "coo": sp.coo_array(X),
        "memmap": np.load(tmp_path / "map.npy", mmap_mode="r"),
        "stream": StreamMatrix(npy(tmp_path, X)),
        "frame": pd.DataFrame(X, columns=list("abcde")),
        "fortran": np.asfortranarray(X),
        "list": X.tolist(),
    }[kind]
    expected = fitted(X).transform(X)
    model = fitted(form)
    np.testing.assert_allclose(model.transform(form), expected, rtol=0, atol=1e-12)
    assert model.n_features_in_ == 5
    assert hasattr(model, "feature_names_in_") == (kind == "frame")


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool, np.float16, np.int32])
def test_types_are_taken_as_they_are(rng, dtype):
    X = rng.integers(0, 2, (40, 5)).astype(dtype)
    expected = fitted(X.astype(float)).transform(X.astype(float))
    np.testing.assert_allclose(fitted(X).transform(X), expected, atol=1e-12)
    np.testing.assert_allclose(
        fitted(sp.csr_array(X.astype(float)).astype(dtype) if dtype is not np.float16 else X).transform(X),
        expected,
        atol=1e-12,
    )


@pytest.mark.parametrize("form", ["int64", "csr", "memmap"])
def test_samples_are_not_copied(rng, tmp_path, form):
    """8 MB of samples: what is reserved stays below a quarter of it."""
    X = np.zeros((20_000, 50), np.int64)
    X[:, ::2] = rng.integers(0, 9, (20_000, 25))
    if form == "csr":
        X = sp.csr_array(X)
    elif form == "memmap":
        np.save(tmp_path / "X.npy", X)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = TinyModel()
    model._samples(X[:100], reset=True)  # what is loaded on the way
    tracemalloc.start()
    matrix = model._samples(X, reset=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert matrix.n_samples == 20_000
    assert peak < 2e6


def test_tables_of_mixed_columns(tmp_path):
    frame, _ = mixed_table(80)
    model = fitted(frame)
    assert model.n_features_in_ == 5
    assert model.network_.layer_sizes[0] == model.preprocessor_.n_features_out_ > 5
    assert "city=Rome" in model.preprocessor_.get_feature_names_out()
    one_hot = ~model.preprocessor_.scaled_
    assert (model.network_.scaling.factor[one_hot] == 1).all()
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(frame.rename(columns={"city": "town"}))
    with pytest.raises(ts.InputError, match="must be a table with the columns"):
        model.transform(sp.csr_array(np.ones((3, 5))))
    with pytest.raises(ts.InputError, match="not samples in files"):
        model.transform(StreamMatrix(npy(tmp_path, np.ones((3, 5)))))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_what_is_not_finite_is_refused(X, form, value):
    X[7, 2] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        fitted(form(X))


def test_nan_in_a_file_is_refused_by_its_place(X, tmp_path):
    X[7, 2] = np.nan
    np.save(tmp_path / "map.npy", X)
    for form in (np.load(tmp_path / "map.npy", mmap_mode="r"), StreamMatrix(npy(tmp_path, X))):
        with pytest.raises(ts.InputError, match=r"X\[7, 2\] is nan"):
            fitted(form)


def test_a_file_of_other_width_is_refused(X, tmp_path):
    np.save(tmp_path / "map.npy", X[:, :4])
    with pytest.raises(ValueError, match="X has 4 features, but TinyModel is expecting 5 features as input"):
        fitted(X).transform(np.load(tmp_path / "map.npy", mmap_mode="r"))


def test_targets_are_checked(X, tmp_path):
    np.save(tmp_path / "map.npy", X)
    for form in (X, sp.csr_array(X), np.load(tmp_path / "map.npy", mmap_mode="r")):
        matrix, y = TinyModel()._samples_and_targets(form, np.arange(60), reset=True)
        assert (matrix.n_samples, y.shape) == (60, (60,))
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            TinyModel()._samples_and_targets(form, np.arange(59), reset=True)


def test_before_fit(X):
    with pytest.raises(NotFittedError):
        TinyModel().transform(X)
    model = TinyModel(size=-1)
    with pytest.raises(ts.InputError, match="layer_sizes"):
        model.fit(X)
    with pytest.raises(NotFittedError):  # a fit that failed leaves no fitted model
        model.transform(X)
    with pytest.raises(NotFittedError):
        ts.save(model, "nowhere")


def test_names_and_containers(X):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(60) + 100)
    model = make_pipeline(StandardScaler(), TinyModel(random_state=0)).set_output(transform="pandas")
    out = model.fit_transform(frame)
    assert list(out.columns) == ["tinymodel0", "tinymodel1", "tinymodel2"]
    assert out.index[0] == 100


@pytest.mark.parametrize("n_jobs, wanted", [(1, 1), (2, 2), (-1, None)])
def test_n_jobs(X, n_jobs, wanted):
    assert fitted(X, n_jobs=n_jobs).network_.threads == (wanted or ts.SparseMLP((2, 2)).threads)
    with pytest.raises(ts.InputError, match="n_jobs must be at least 1"):
        fitted(X, n_jobs=0)


# ---- progress ----


class Locked:
    """A display that can be neither copied nor pickled."""

    def __init__(self):
        self.lock, self.calls = threading.Lock(), []

    def __call__(self, what, done, total):
        with self.lock:
            self.calls.append((what, done, total))


@pytest.mark.parametrize("verbose", [False, True])
def test_progress_is_told_and_cloned_but_not_pickled(X, verbose):
    shown = Locked()
    model = fitted(X, progress=shown, verbose=verbose)
    assert shown.calls == [("measuring", 0, 1), ("measuring", 1, 1)]
    assert clone(model).progress is shown
    assert clone(model).get_params() == model.get_params()
    twin = pickle.loads(pickle.dumps(model))
    assert twin.progress is None
    np.testing.assert_array_equal(twin.transform(X), model.transform(X))


def test_progress_must_be_a_function(X):
    with pytest.raises(ts.InputError, match=r"progress must be a function of \(what, done, total\), or None, not 5"):
        fitted(X, progress=5)


def test_pickles_of_a_newer_form_name_what_to_do(X, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_pickling, "STATE", 2)
        data = pickle.dumps(fitted(X))
    with pytest.raises(ts.InputError, match=r"or save the model there with ts\.save\(model, path\)"):
        pickle.loads(data)


# ---- files ----


def test_a_file_keeps_all(tmp_path, rng):
    pd = pytest.importorskip("pandas")
    table, _ = mixed_table(80)
    for X in (rng.normal(size=(30, 5)), pd.DataFrame(rng.normal(size=(30, 2)), columns=["a", "é"]), table):
        model = fitted(X, n_jobs=2, evolution=ts.SET(0.2), progress=print)
        ts.save(model, tmp_path / "m")
        twin = ts.load(tmp_path / "m")
        assert type(twin) is TinyModel
        assert twin.progress is None
        np.testing.assert_array_equal(twin.transform(X), model.transform(X))
        assert twin.n_features_in_ == model.n_features_in_
        assert list(getattr(twin, "feature_names_in_", [])) == list(getattr(model, "feature_names_in_", []))
        first, second = model.get_params(), twin.get_params()
        assert second.pop("evolution").zeta == first.pop("evolution").zeta
        assert second == {**first, "progress": None}
        assert (twin.network_.threads, ts.load(tmp_path / "m", threads=1).network_.threads) == (2, 1)
    first = (tmp_path / "m").read_bytes()
    ts.save(twin, tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_preprocessing_in_a_file_is_whole():
    table, _ = mixed_table(80)
    parts = fitted(table).to_parts()
    del parts.config["preprocessing"]
    with pytest.raises(ts.InputError, match="preprocessing has arrays, but no settings"):
        TinyModel.from_parts(parts, None, None)


def test_a_file_keeps_the_container(X, tmp_path):
    pytest.importorskip("pandas")
    ts.save(fitted(X).set_output(transform="pandas"), tmp_path / "m")
    assert list(ts.load(tmp_path / "m").transform(X).columns) == ["tinymodel0", "tinymodel1", "tinymodel2"]
