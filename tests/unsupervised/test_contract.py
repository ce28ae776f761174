"""What all models without targets have in common, whichever it is."""

from __future__ import annotations

import copy
import json
import pickle
from functools import partial

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import trulysparse as ts
from estimators.tables import mixed_table
from sample_files import npy
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.io.tensors import opened

MODELS = {
    "autoencoder": lambda **options: ts.SparseAutoencoder((12, 4), **{"epochs": 3, **options}),
    "tied": lambda **options: ts.SparseAutoencoder((12, 4), tied=True, **{"epochs": 3, **options}),
    "rbm": lambda **options: ts.SparseRBM(4, **{"n_iter": 3, "epsilon": 4, **options}),
    "quickselection": lambda **options: ts.SparseFeatureSelector(4, hidden_layer_sizes=20, **{"epochs": 3, **options}),
    "wast": lambda **options: ts.SparseFeatureSelector(
        4, method="wast", hidden_layer_sizes=20, **{"epochs": 3, **options}
    ),
}
MODELS["gradient"] = lambda **options: ts.SparseFeatureSelector(
    4, method="gradient", hidden_layer_sizes=20, **{"epochs": 3, **options}
)
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


@pytest.fixture
def X(rng):
    X = rng.normal(size=(64, 8))
    X[:, 1] = X[:, 0] + 0.1 * X[:, 1]
    return X


def fitted(make, X, **options):
    return make(random_state=0, **{"n_jobs": 1, **options}).fit(X, labels(X))


def labels(X):
    """For methods that look at them; others must not mind."""
    n = getattr(X, "n_samples", None)
    return np.arange(X.shape[0] if n is None else n) % 2


def dense(values):
    return values.toarray() if sp.issparse(values) else np.asarray(values)


def same(first, second, X):
    np.testing.assert_array_equal(dense(first.transform(X)), dense(second.transform(X)))


# ---- forms of samples ----


@each_model
@pytest.mark.parametrize("form", ["csr", "csc", "memmap", "stream", "frame", "polars"])
def test_every_form_of_samples(make, X, tmp_path, form):
    pd = pytest.importorskip("pandas")
    np.save(tmp_path / "map.npy", X)
    if form == "polars":
        given = pytest.importorskip("polars").DataFrame(X, schema=list("abcdefgh"))
    else:
        given = {
            "csr": sp.csr_array(X),
            "csc": sp.csc_array(X),
            "memmap": np.load(tmp_path / "map.npy", mmap_mode="r"),
            "stream": StreamMatrix(npy(tmp_path, X)),
            "frame": pd.DataFrame(X, columns=list("abcdefgh")),
        }[form]
    model = fitted(make, given)
    assert model.n_features_in_ == 8
    expected = fitted(make, X).transform(X)
    found = dense(model.transform(given))
    assert found.shape == expected.shape
    if form != "stream":  # which shuffles its samples in an order of its own
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@each_model
def test_tables_of_mixed_columns(make, tmp_path):
    frame, _ = mixed_table(80)
    model = fitted(make, frame)
    assert model.n_features_in_ == 5
    assert model.preprocessor_ is not None
    names = model.get_feature_names_out()
    assert len(names) == np.shape(model.transform(frame))[1]
    ts.save(model, tmp_path / "m")
    twin = ts.load(tmp_path / "m")
    assert twin.feature_names_in_.tolist() == list(frame.columns)
    first, second = model.transform(frame), twin.transform(frame)
    assert first.equals(second) if hasattr(first, "equals") else np.array_equal(first, second)
    with pytest.raises(ValueError, match="feature names should match"):
        twin.transform(frame.rename(columns={"city": "town"}))


@each_model
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_by_name(make, X, tmp_path, value):
    X[7, 2] = value
    for form in (X, sp.csr_array(X)):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            fitted(make, form)
    np.save(tmp_path / "map.npy", X)
    with pytest.raises(ts.InputError, match=r"X\[7, 2\] is (nan|inf)"):
        fitted(make, np.load(tmp_path / "map.npy", mmap_mode="r"))


@each_model
def test_samples_of_another_width_are_refused(make, X, tmp_path):
    model = fitted(make, X)
    np.save(tmp_path / "map.npy", X[:, :5])
    for form in (X[:, :5], sp.csr_array(X[:, :5]), np.load(tmp_path / "map.npy", mmap_mode="r")):
        with pytest.raises(ValueError, match=r"X has 5 features, but Sparse\w+ is expecting 8 features"):
            model.transform(form)


# ---- scikit-learn's rules ----


@pytest.mark.parametrize("method", ["quickselection", "wast", "gradient"])
def test_checks_of_scikit_learn(method):
    """Of the selector; those of the autoencoder and the Boltzmann machine are in files of their own."""
    model = ts.SparseFeatureSelector(1, method=method, hidden_layer_sizes=5, epochs=1, n_jobs=1)
    results = check_estimator(model, on_fail=None, on_skip=None)
    assert len(results) > 40
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] not in ("passed", "skipped")] == []
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= {"check_array_api_input"}


@each_model
def test_threads_change_nothing_and_seeds_do(make, X):
    model = fitted(make, X)
    same(model, fitted(make, X, n_jobs=2), X)
    other = make(random_state=1, n_jobs=1).fit(X, labels(X))
    scores = [getattr(each, "scores_", None) for each in (model, other)]
    if scores[0] is not None:
        assert (scores[0] != scores[1]).any()
    else:
        assert (model.transform(X) != other.transform(X)).any()


@each_model
def test_names_and_containers(make, X):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdefgh"), index=np.arange(64) + 100)
    model = make(random_state=0).set_output(transform="pandas")
    out = model.fit_transform(frame, labels(frame))
    assert list(out.columns) == list(model.get_feature_names_out())
    assert len(set(out.columns)) == 4
    assert out.index[0] == 100
    pipeline = (
        make_pipeline(StandardScaler(), make(random_state=0)).set_output(transform="pandas").fit(frame, labels(frame))
    )
    assert list(pipeline.get_feature_names_out()) == list(pipeline.transform(frame).columns)


@each_model
def test_pipelines_and_searches(make, X):
    y = (X[:, 0] > 0).astype(int)
    pipeline = make_pipeline(MinMaxScaler(), make(random_state=0, n_jobs=1), LogisticRegression())
    name = pipeline.steps[1][0]
    assert pipeline[1].__sklearn_tags__().input_tags.sparse
    search = GridSearchCV(pipeline, {f"{name}__random_state": [0, 1]}, cv=2, error_score="raise").fit(X, y)
    assert 0 <= search.best_score_ <= 1
    assert search.predict(X).shape == (64,)


@each_model
def test_before_fit_and_after_a_fit_that_failed(make, X, tmp_path):
    model = make()
    reads = [
        getattr(model, name)
        for name in ("reconstruct", "score_samples", "gibbs", "free_energy")
        if hasattr(model, name)
    ]
    for call in (
        lambda: model.transform(X),
        lambda: ts.save(model, tmp_path / "m"),
        *(partial(each, X) for each in reads),
    ):
        with pytest.raises(NotFittedError):
            call()
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, labels(X))
    with pytest.raises(NotFittedError):
        model.transform(X[1:])
    assert not list(tmp_path.iterdir())


def stop(what, done, total):
    if done:
        raise KeyboardInterrupt


@each_model
@pytest.mark.parametrize("progress, error", [(None, ts.InputError), (stop, KeyboardInterrupt)], ids=["late", "stopped"])
def test_a_fit_that_ends_early_leaves_a_fitted_model_as_it_was(make, X, tmp_path, progress, error):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    model, twin = fitted(make, frame), fitted(make, frame)
    attributes, expected, names = set(vars(model)), dense(model.transform(frame)), list(model.get_feature_names_out())
    wide = np.hstack([X, X])
    wide[60, 3] = np.nan if progress is None else 0
    np.save(tmp_path / "map.npy", wide)
    with pytest.raises(error):
        model.set_params(progress=progress).fit(np.load(tmp_path / "map.npy", mmap_mode="r"), labels(X))
    assert set(vars(model)) == attributes
    assert list(model.feature_names_in_) == list(frame.columns)
    assert list(model.get_feature_names_out()) == names
    np.testing.assert_array_equal(dense(model.transform(frame)), expected)
    if hasattr(model, "partial_fit"):
        same(model.set_params(progress=None).partial_fit(frame), twin.partial_fit(frame), frame)


@each_model
def test_an_empty_set_and_n_jobs(make, X):
    with pytest.raises(ValueError, match=r"0 sample|empty"):
        make().fit(X[:0], labels(X[:0]))
    with pytest.raises(ValueError, match=r"0 feature|empty"):
        make().fit(X[:, :0], labels(X))
    with pytest.raises(ts.InputError, match="n_jobs must be at least 1"):
        make(n_jobs=0).fit(X, labels(X))


# ---- copies, pickles, files, progress ----


class Told:
    """Remembers what it is told; can neither be copied nor pickled."""

    def __init__(self):
        self.calls = []

    def __call__(self, what, done, total):
        self.calls.append((what, done, total))

    def __reduce_ex__(self, protocol):
        raise TypeError("not to be pickled")


@each_model
def test_progress_is_told_to_the_end_and_not_pickled(make, X):
    told = Told()
    model = fitted(make, X, progress=told)
    same(model, fitted(make, X), X)
    assert told.calls
    for what in {call[0] for call in told.calls}:
        own = [call[1:] for call in told.calls if call[0] == what]
        assert [done for done, _ in own] == sorted(done for done, _ in own) or what == "evolving"
        assert own[-1][0] == own[-1][1]
    assert clone(model).progress is told
    twin = pickle.loads(pickle.dumps(model))
    assert twin.progress is None
    with pytest.raises(ts.InputError, match="progress must be a function"):
        fitted(make, X, progress=3)


@each_model
def test_copies_pickles_and_files(make, X, tmp_path):
    model = fitted(make, X)
    ts.save(model, tmp_path / "m")
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), ts.load(tmp_path / "m")):
        assert type(twin) is type(model)
        assert twin.get_params() == model.get_params()
        same(twin, model, X)
        if hasattr(model, "inverse_transform"):
            codes = model.transform(X)
            np.testing.assert_array_equal(twin.inverse_transform(codes), model.inverse_transform(codes))
        if hasattr(model, "partial_fit"):
            rest = copy.deepcopy(model).partial_fit(X)
            same(twin.partial_fit(X), rest, X)
            same(twin.partial_fit(3 * X[::-1]), rest.partial_fit(3 * X[::-1]), X)
        if "warm_start" in model.get_params():
            again = copy.deepcopy(model).partial_fit(X).partial_fit(3 * X[::-1]).set_params(warm_start=True).fit(X)
            same(twin.set_params(warm_start=True).fit(X), again, X)
    assert ts.load(tmp_path / "m", threads=2).n_jobs == 2
    again = tmp_path / "again"
    ts.save(ts.load(tmp_path / "m"), again)
    assert again.read_bytes() == (tmp_path / "m").read_bytes()


@each_model
def test_a_model_in_a_memory_map_is_used_and_not_trained(make, X, tmp_path):
    model = fitted(make, X)
    joblib.dump(model, tmp_path / "m")
    mapped = joblib.load(tmp_path / "m", mmap_mode="r")
    same(mapped, model, X)
    if hasattr(model, "partial_fit"):
        with pytest.raises(ts.InputError, match="this model is read-only, as"):
            mapped.partial_fit(X)
    same(mapped, model, X)
    same(clone(mapped).fit(X, labels(X)), model, X)


@each_model
def test_files_of_any_other_kind_are_refused(make, X, tmp_path):
    path = tmp_path / "m"
    ts.save(fitted(make, X), path)
    with (
        pytest.raises(ts.InputError, match="has format version 5; this release reads"),
        opened(path, "trulysparse", (1, 2, 3), "trulysparse model"),
    ):
        pass
    whole = path.read_bytes()
    for size in (0, 8, len(whole) // 3, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ts.InputError, match="truncated or not a trulysparse model"):
            ts.load(path)


@pytest.mark.parametrize(
    "make, options",
    [
        (MODELS["autoencoder"], {"evolution": ts.RigL(output_layer=True), "optimizer": ts.SGD(0.001, momentum=0.5)}),
        (
            MODELS["autoencoder"],
            {"activation": ts.AllReLU(0.3), "loss": ts.Huber(2.0), "density": [0.5, 0.6, 0.6, 0.5]},
        ),
        (MODELS["rbm"], {"evolution": ts.SET(0.2, fresh="init"), "persistent": True}),
        (MODELS["quickselection"], {"n_repeats": 2, "accumulate": True}),
    ],
    ids=["methods", "objects", "rbm", "repeats"],
)
def test_parameters_of_every_kind_are_in_the_file(make, options, X, tmp_path):
    model = fitted(make, X, **options)
    ts.save(model, tmp_path / "m")
    twin = ts.load(tmp_path / "m")
    same(twin, model, X)
    for name, value in options.items():
        assert type(getattr(twin, name)) is type(value)
        if not isinstance(value, ts.Evolution):
            assert getattr(twin, name) == value
    same(twin.fit(X, labels(X)), model.fit(X, labels(X)), X)


@each_model
def test_settings_of_a_newer_release_are_named(make, X, tmp_path):
    path = tmp_path / "m"
    ts.save(fitted(make, X), path)
    with safe_open(path, "np") as file:
        arrays, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    config = json.loads(metadata["trulysparse"])
    config["config"]["parameters"]["warp"] = 9
    save_file(arrays, path, {"trulysparse": json.dumps(config)})
    with pytest.raises(ts.InputError, match="has no parameter 'warp' in this release"):
        ts.load(path)
