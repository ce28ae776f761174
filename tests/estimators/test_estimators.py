"""The scikit-learn contract, and what goes beyond its checks."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_regression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.estimator_checks import check_estimator

import trulysparse as ts


@pytest.mark.parametrize(
    "estimator", [ts.SparseMLPClassifier(), ts.SparseMLPRegressor()], ids=lambda e: type(e).__name__
)
def test_contract(estimator):
    """Every check passes; the one skipped is scikit-learn's own (it wants the variable SCIPY_ARRAY_API)."""
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(results) > 50
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] not in ("passed", "skipped")] == []
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= {"check_array_api_input"}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, random_state=0, stratify=y)


def test_digits(digits):
    X, X_test, y, y_test = digits
    clf = ts.SparseMLPClassifier((200, 200), epochs=30, random_state=0).fit(X, y)
    assert clf.score(X_test, y_test) > 0.95
    proba = clf.predict_proba(X_test)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(clf.predict_log_proba(X_test)), proba)
    np.testing.assert_array_equal(clf.classes_[proba.argmax(axis=1)], clf.predict(X_test))
    assert clf.network_.dtype == np.float64
    assert clf.n_iter_ == 30


def test_string_labels_and_saving(tmp_path):
    data = load_breast_cancer()
    names = np.asarray(data.target_names)[data.target]
    clf = ts.SparseMLPClassifier((50,), epochs=30, random_state=0).fit(data.data, names)
    assert set(clf.predict(data.data)) == {"benign", "malignant"}
    assert clf.score(data.data, names) > 0.95
    ts.save(clf.network_, tmp_path / "m")
    np.testing.assert_array_equal(ts.load(tmp_path / "m").predict(data.data), clf.predict(data.data))


def test_sparse_x_and_small_types_give_the_same(digits):
    X, X_test, y, _ = digits
    reference = ts.SparseMLPClassifier((30,), epochs=3, dtype="float32", random_state=0).fit(X, y).predict_proba(X_test)
    for kind in (sp.csr_array, sp.csc_array, np.float32, np.uint8):
        convert = kind if kind in (sp.csr_array, sp.csc_array) else lambda a, kind=kind: a.astype(kind)
        clf = ts.SparseMLPClassifier((30,), epochs=3, dtype="float32", random_state=0).fit(convert(X), y)
        np.testing.assert_allclose(clf.predict_proba(convert(X_test)), reference, rtol=1e-3, atol=1e-5)


def test_random_state_and_n_jobs(digits):
    X, _, y, _ = digits
    a, b, c, d = (
        ts.SparseMLPClassifier((100, 100), epochs=3, dropout=0.2, random_state=s, n_jobs=j).fit(X, y).predict_proba(X)
        for s, j in ((0, 1), (0, 2), (1, 1), (np.random.RandomState(0), None))
    )
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, d)
    assert not np.array_equal(a, c)


def test_partial_fit(digits):
    X, X_test, y, y_test = digits
    clf = ts.SparseMLPClassifier((100,), optimizer="sgd", learning_rate=0.05, random_state=0)
    with pytest.raises(ts.InputError, match="classes must be given"):
        clf.partial_fit(X[:10], y[:10])
    for _ in range(15):
        for part in np.array_split(np.arange(len(X)), 4):
            clf.partial_fit(X[part], y[part], classes=np.arange(10))
    assert clf.score(X_test, y_test) > 0.93
    with pytest.raises(ts.InputError, match="not among classes"):
        clf.partial_fit(X[:2], [0, 77])
    with pytest.raises(ts.InputError, match="differ"):
        clf.partial_fit(X[:2], y[:2], classes=[0, 1])
    X, y = make_regression(400, 10, noise=1, random_state=0)
    reg = ts.SparseMLPRegressor((50,), learning_rate=0.01, random_state=0)
    for _ in range(60):
        reg.partial_fit(X, y)
    assert reg.score(X, y) > 0.95


def test_early_stopping(digits):
    X, X_test, y, y_test = digits
    clf = ts.SparseMLPClassifier((100, 100), epochs=500, early_stopping=True, patience=20, random_state=0).fit(X, y)
    assert clf.n_iter_ < 500
    assert "val_loss" in clf.history_.records[0]
    assert clf.score(X_test, y_test) > 0.94


def test_class_weight_moves_the_boundary(rng):
    X = np.vstack([rng.standard_normal((900, 2)), rng.standard_normal((100, 2)) + 1.5])
    y = np.repeat([0, 1], [900, 100])
    plain = ts.SparseMLPClassifier((20,), epochs=30, random_state=0).fit(X, y)
    balanced = ts.SparseMLPClassifier((20,), epochs=30, class_weight="balanced", random_state=0).fit(X, y)
    given = ts.SparseMLPClassifier((20,), epochs=30, class_weight={0: 1000 / 1800, 1: 1000 / 200}, random_state=0).fit(
        X, y
    )
    weighted = ts.SparseMLPClassifier((20,), epochs=30, random_state=0).fit(
        X, y, sample_weight=np.where(y, 5.0, 1000 / 1800)
    )
    assert (balanced.predict(X) == 1).sum() > 1.5 * (plain.predict(X) == 1).sum()
    np.testing.assert_allclose(balanced.predict_proba(X), given.predict_proba(X))
    np.testing.assert_allclose(balanced.predict_proba(X), weighted.predict_proba(X))


def test_regression_one_and_many_targets(rng):
    X, y = make_regression(600, 20, n_targets=3, noise=1, random_state=0)
    reg = ts.SparseMLPRegressor((100,), epochs=60, learning_rate=0.01, random_state=0).fit(X[:500], y[:500])
    assert reg.score(X[500:], y[500:]) > 0.9
    assert reg.predict(X).shape == (600, 3)
    one = ts.SparseMLPRegressor((100,), epochs=60, learning_rate=0.01, random_state=0).fit(
        X[:500], 1e6 + 1e-3 * y[:500, 0]
    )
    assert one.predict(X).shape == (600,)
    assert one.score(X[500:], 1e6 + 1e-3 * y[500:, 0]) > 0.9


def test_in_pipelines_and_searches(digits):
    X, _, y, _ = digits
    pipe = make_pipeline(
        MaxAbsScaler(), ts.SparseMLPClassifier((30,), epochs=5, scale="none", learning_rate=0.01, random_state=0)
    )
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.8
    search = GridSearchCV(ts.SparseMLPClassifier((20,), epochs=2, random_state=0), {"epsilon": [1, 10]}, cv=2).fit(
        X[:300], y[:300]
    )
    assert search.best_params_["epsilon"] == 10


def test_verbose(digits, capsys):
    X, _, y, _ = digits
    ts.SparseMLPClassifier((10,), epochs=2, verbose=2).fit(X, y)
    assert len(capsys.readouterr().out.splitlines()) == 2
    ts.SparseMLPClassifier((10,), epochs=2).fit(X, y)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (dict(epsilon=-1), "epsilon must lie"),
        (dict(zeta=2), "zeta must lie"),
        (dict(hidden_layer_sizes=(10, 0)), r"hidden_layer_sizes\[1\] must be at least 1"),
        (dict(epochs=0), "epochs must be at least 1"),
        (dict(optimizer="lbfgs"), "optimizer must be one of"),
        (dict(evolution="some"), "evolution must be one of"),
        (dict(dtype="float16"), "dtype must be one of"),
        (dict(scale="robust"), "scale must be one of"),
        (dict(activation="gelu"), "activation must be one of"),
        (dict(batch_size=0), "batch_size must be"),
        (dict(n_jobs=0), "n_jobs must be"),
        (dict(n_jobs=1.5), "n_jobs must be an integer"),
        (dict(hidden_layer_sizes=5.0), "hidden_layer_sizes must be an integer or a sequence of integers, not 5.0"),
        (dict(hidden_layer_sizes=None), "hidden_layer_sizes must be an integer or a sequence of integers, not None"),
        (dict(hidden_layer_sizes="55"), "hidden_layer_sizes must be an integer or a sequence"),
        (dict(hidden_layer_sizes=(5.0,)), r"hidden_layer_sizes\[0\] must be an integer"),
        (dict(hidden_layer_sizes=0), r"hidden_layer_sizes\[0\] must be at least 1"),
        (dict(early_stopping=True, validation_fraction=0), "validation_fraction must lie"),
    ],
)
def test_bad_parameters(digits, parameters, message):
    X, _, y, _ = digits
    with pytest.raises(ts.InputError, match=message):
        clone(ts.SparseMLPClassifier()).set_params(**parameters).fit(X, y)


def test_bad_labels(digits):
    X = digits[0]
    with pytest.raises(ts.InputError, match="only one class"):
        ts.SparseMLPClassifier().fit(X, np.ones(len(X)))
    with pytest.raises(ValueError, match="continuous"):
        ts.SparseMLPClassifier().fit(X, X[:, 20] + 0.5)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ts.SparseMLPClassifier().fit(X, np.ones(3))
    with pytest.raises(ValueError, match="NaN"):
        ts.SparseMLPClassifier().fit(np.full((4, 2), np.nan), [0, 1, 0, 1])
    with pytest.raises(ts.InputError, match=r"sample_weight\[1\]"):
        ts.SparseMLPClassifier().fit(X[:3], [0, 1, 0], sample_weight=[1, -1, 1])


@pytest.mark.parametrize("parallel", ["wasap", "wassp", ts.WASAP(3, phase2_epochs=0)])
def test_workers(parallel):
    X, y = load_digits(return_X_y=True)
    model = ts.SparseMLPClassifier((50,), epochs=20, batch_size=16, n_jobs=2, parallel=parallel, random_state=0)
    model.fit(X[::2], y[::2])
    assert model.score(X[1::2], y[1::2]) > 0.9
    assert model.n_iter_ == 20
    with pytest.raises(ts.InputError, match="parallel must be one of wasap, wassp"):
        ts.SparseMLPClassifier(parallel="mpi").fit(X, y)


@pytest.mark.parametrize(
    ("sizes", "hidden"), [(5, (5,)), (np.int64(5), (5,)), ([6, 5], (6, 5)), (np.array([6, 5]), (6, 5))]
)
def test_hidden_layer_sizes_of_any_form(digits, sizes, hidden):
    model = ts.SparseMLPClassifier(sizes, epochs=1).fit(digits[0][:50], digits[2][:50])
    assert model.network_.layer_sizes[1:-1] == hidden


@pytest.mark.parametrize(("n_jobs", "threads"), [(None, 6), (-1, 6), (-2, 5), (-6, 1), (-100, 1), (3, 3)])
def test_negative_n_jobs_count_down_from_all_threads(monkeypatch, n_jobs, threads):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: range(6))
    assert ts.SparseMLPClassifier(n_jobs=n_jobs)._threads() == threads


def test_parameters_are_those_of_the_signature():
    names = set(inspect.signature(ts.SparseMLPRegressor).parameters)
    assert names == set(ts.SparseMLPRegressor().get_params())
    assert set(ts.SparseMLPClassifier().get_params()) == names | {"class_weight"}
    with pytest.raises(TypeError, match="positional"):
        ts.SparseMLPRegressor((5,), 20.0)
    model = ts.SparseMLPClassifier((5,), class_weight="balanced", evolution=ts.RigL())
    twin = clone(model)
    assert repr(twin) == repr(model)
    assert twin != model
    assert twin in {twin}


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("wrong", [10**7, -1])
def test_sparse_x_with_a_column_that_is_not_there_is_refused(rng, form, wrong):
    """Before scikit-learn reads it, which ends the process."""
    dense, y = rng.random((40, 5)), np.arange(40) % 2
    X = sp.csr_array(dense).asformat(form)
    if form == "coo":
        X.col[7] = wrong
    else:
        X.indices = X.indices.copy()
        X.indices[7] = wrong
    new, old = (
        ts.SparseMLPClassifier((5,), epochs=1),
        ts.SparseMLPClassifier((5,), epochs=1).fit(sp.csr_array(dense), y),
    )
    number = ts.SparseMLPRegressor((5,), epochs=1).fit(sp.csr_array(dense), y)
    calls = [lambda: new.fit(X, y), lambda: new.partial_fit(X, y, classes=[0, 1]), lambda: old.partial_fit(X, y)]
    calls += [lambda: old.predict(X), lambda: old.predict_proba(X), lambda: old.score(X, y)]
    calls += [lambda: number.fit(X, y), lambda: number.predict(X), lambda: number.score(X, y)]
    for call in calls:
        with pytest.raises(ts.InputError, match=f"X holds the (row|column) number {wrong}"):
            call()


@pytest.mark.parametrize("unit", [1e39, 1e300, 1e-300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_features_of_any_scale_are_learned(rng, convert, dtype, unit):
    y = np.arange(120) % 3
    X = rng.normal(size=(120, 4))
    X[:, 1] += 4 * y
    X = convert(X * unit)
    model = ts.SparseMLPClassifier((16,), epochs=40, learning_rate=0.01, batch_size=16, dtype=dtype, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("unit", [1e200, 1e299, 1e-200])
def test_targets_of_any_scale_are_learned(rng, unit):
    X = rng.normal(size=(200, 4))
    y = (X[:, 0] - X[:, 1]) / 10 * unit
    model = ts.SparseMLPRegressor((30,), epochs=60, learning_rate=0.01, batch_size=16, random_state=0).fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert model.score(X, y) > 0.9


def test_targets_and_predictions_beyond_the_range_are_refused(rng):
    X = rng.normal(size=(50, 4))
    y = np.full(50, 1e299)
    y[3] = -1e305
    with pytest.raises(ts.InputError, match=r"y\[3\] is -1e\+305; targets must lie between"):
        ts.SparseMLPRegressor((5,), epochs=1).fit(X, y)
    model = ts.SparseMLPRegressor((5,), epochs=1, random_state=0).fit(X, 1e299 * X[:, 0])
    model.network_.layers[-1].bias[:] = 1e12
    with pytest.raises(ts.InputError, match=r"the prediction for X\[0\] is beyond the range of float64"):
        model.predict(X)


@pytest.mark.parametrize("n_samples, size", [(40, 32), (400, 50), (2000, 128)])
def test_batch_size_auto_follows_the_number_of_samples(n_samples, size):
    X, y = make_regression(n_samples, 5, random_state=0)
    auto, given = (
        ts.SparseMLPRegressor((8,), batch_size=value, epochs=2, random_state=0).fit(X, y) for value in ("auto", size)
    )
    np.testing.assert_array_equal(auto.predict(X), given.predict(X))


def test_classifier_with_defaults_learns_a_table_of_150_samples():
    X, y = load_iris(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = [cross_val_score(ts.SparseMLPClassifier(random_state=seed), X, y, cv=folds) for seed in range(2)]
    assert np.mean(scores) > 0.9
