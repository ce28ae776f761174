"""The scikit-learn contract, and the parameters that classifier and regressor share."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.estimator_checks import check_estimator

import trulysparse as ts


@pytest.mark.parametrize("members", [2, pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", [ts.SparseMLPClassifier, pytest.param(ts.SparseMLPRegressor, marks=pytest.mark.slow)])
def test_contract(kind, members):
    """Every check passes; the one skipped is scikit-learn's own (it wants the variable SCIPY_ARRAY_API). members: None
    gives five for so few samples, which takes longer."""
    estimator = kind(n_estimators=members)
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(results) > 50
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] not in ("passed", "skipped")] == []
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= {"check_array_api_input"}


def test_sparse_x_and_small_types_give_the_same(digits):
    X, X_test, y, _ = digits
    reference = ts.SparseMLPClassifier((30,), epochs=3, dtype="float32", random_state=0).fit(X, y).predict_proba(X_test)
    for kind in (sp.csr_array, sp.csc_array, np.float32, np.uint8):
        convert = kind if kind in (sp.csr_array, sp.csc_array) else lambda a, kind=kind: a.astype(kind)
        clf = ts.SparseMLPClassifier((30,), epochs=3, dtype="float32", random_state=0).fit(convert(X), y)
        np.testing.assert_allclose(clf.predict_proba(convert(X_test)), reference, rtol=1e-3, atol=1e-5)


def test_starts_and_densities(digits):
    X, _, y, _ = digits
    options = {"epochs": 1, "random_state": 0, "densities": "uniform", "density": 0.1, "output_density": 1.0}
    starts = {}
    for name in ("erdos_renyi", "connected", "brf", "csti"):
        net = ts.SparseMLPClassifier((30, 20), connectivity=name, evolution=None, **options).fit(X, y).network_
        assert [layer.n_connections for layer in net.layers] == [192, 60, 200]
        starts[name] = net.layers[0].connectivity.indices.tobytes()
    assert len(set(starts.values())) == 4
    own = ts.connectivity.Connected(3)
    model = ts.SparseMLPClassifier((30,), connectivity=own, density=np.array([0.05, 1.0]), epochs=1).fit(X, y)
    assert [layer.n_connections for layer in model.network_.layers] == [96, 300]
    partial = ts.SparseMLPClassifier((30,), connectivity="csti", density=[0.05, 1.0]).partial_fit(X, y, np.arange(10))
    assert partial.network_.layers[0].n_connections == 96
    for wrong, message in [
        ({"density": [0.1]}, "one per layer, 2, not 1"),
        ({"density": 0.1, "epsilon": 3}, "epsilon"),
    ]:
        with pytest.raises(ts.InputError, match=message):
            ts.SparseMLPClassifier((30,), **wrong).fit(X, y)


def test_random_state_and_n_jobs(digits):
    X, _, y, _ = digits
    a, b, c, d = (
        ts.SparseMLPClassifier((100, 100), epochs=3, dropout=0.2, random_state=s, n_jobs=j).fit(X, y).predict_proba(X)
        for s, j in ((0, 1), (0, 2), (1, 1), (np.random.RandomState(0), None))
    )
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, d)
    assert not np.array_equal(a, c)


def test_early_stopping(digits):
    X, X_test, y, y_test = digits
    clf = ts.SparseMLPClassifier((100, 100), epochs=500, early_stopping=True, patience=20, random_state=0).fit(X, y)
    assert clf.n_iter_ < 500
    assert "val_loss" in clf.history_.records[0]
    assert clf.score(X_test, y_test) > 0.94


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
        (dict(activation="swish"), "activation must be one of"),
        (dict(batch_size=0), "batch_size must be"),
        (dict(n_jobs=0), "n_jobs must be"),
        (dict(n_jobs=1.5), "n_jobs must be an integer"),
        (dict(hidden_layer_sizes=5.0), "hidden_layer_sizes must be an integer or a sequence of integers, not 5.0"),
        (dict(hidden_layer_sizes="a"), "hidden_layer_sizes must be an integer or a sequence of integers, not 'a'"),
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
    assert set(ts.SparseMLPClassifier().get_params()) == names - {"loss"} | {"class_weight"}
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


@pytest.mark.parametrize("n_samples, size", [(30, 32), (40, 16), (400, 50), (2000, 128)])
def test_batch_size_auto_follows_the_number_of_samples(n_samples, size):
    X, y = make_regression(n_samples, 5, random_state=0)
    auto, given = (
        ts.SparseMLPRegressor((8,), batch_size=value, epochs=2, random_state=0).fit(X, y) for value in ("auto", size)
    )
    np.testing.assert_array_equal(auto.predict(X), given.predict(X))
