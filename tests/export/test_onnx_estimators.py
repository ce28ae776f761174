"""Estimators converted by skl2onnx, run by onnxruntime."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import trulysparse as ts

skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx comes with the extra trulysparse[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime comes with the extra trulysparse[test]")

LABELS = {
    "integers": np.arange(90) % 3 + 5,
    "texts": np.array(["a", "bb", "ccc"])[np.arange(90) % 3],
    "objects": np.array(["a", "bb", "ccc"], object)[np.arange(90) % 3],
    "two texts": np.array(["n", "y"])[np.arange(90) % 2],
    "booleans": np.arange(90) % 2 == 1,
    "whole floats": np.arange(90) % 3 * 1.0,
}


@pytest.fixture(autouse=True, scope="module")
def registered():
    ts.export.register_onnx_converters()
    ts.export.register_onnx_converters()  # changes nothing


@pytest.fixture
def X(rng) -> np.ndarray:
    return rng.normal(5, 2, size=(90, 6)).astype(np.float32)


def classifier(**options) -> ts.SparseMLPClassifier:
    return ts.SparseMLPClassifier((16,), epochs=2, random_state=0, n_jobs=1, **options)


def regressor(**options) -> ts.SparseMLPRegressor:
    return ts.SparseMLPRegressor((16,), epochs=2, random_state=0, n_jobs=1, **options)


def run(model, X) -> list:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 2, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: X})


def converted(model, X, **options) -> list:
    """The outputs for X, with options of the classifier."""
    step = model[-1] if hasattr(model, "steps") else model
    return run(skl2onnx.to_onnx(model, X[:1], options={id(step): options} if options else None), X)


@pytest.mark.parametrize("kind", LABELS)
def test_classifier_in_a_pipeline(X, kind):
    y = LABELS[kind]
    model = make_pipeline(StandardScaler(), classifier()).fit(X, y)
    label, probabilities = converted(model, X, zipmap=False)
    assert label.tolist() == model.predict(X).tolist()
    assert label.shape == (90,)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-6)
    label, dictionaries = converted(model, X)
    names = [each if isinstance(each, str) else int(each) for each in model.classes_.tolist()]
    assert [*dictionaries[0]] == names
    np.testing.assert_allclose([[each[name] for name in names] for each in dictionaries], probabilities)


def test_options_of_a_classifier(X):
    model = classifier(skip=True, activation="gelu").fit(X, LABELS["texts"])
    label, probabilities = converted(model, X, zipmap=False, nocl=True)
    np.testing.assert_array_equal(label, np.searchsorted(model.classes_, model.predict(X)))
    _, scores = converted(model, X, zipmap=False, raw_scores=True)
    np.testing.assert_allclose(scores, model.decision_function(X), atol=1e-5)
    *_, classes = converted(model, X, zipmap=False, output_class_labels=True)
    assert classes.tolist() == model.classes_.tolist()
    label, *columns = converted(model, X, zipmap="columns")
    np.testing.assert_allclose(np.column_stack([each.ravel() for each in columns]), probabilities)


def test_several_labels_a_sample(X):
    model = classifier().fit(X, (X[:, :3] > 5).astype(int))
    label, probabilities = converted(model, X, zipmap=False)
    np.testing.assert_array_equal(label, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-6)
    for options in ({}, {"zipmap": False, "nocl": True}, {"zipmap": False, "output_class_labels": True}):
        with pytest.raises(ts.InputError, match="must be False for a classifier whose samples may have several"):
            converted(model, X, **options)


@pytest.mark.parametrize("n_targets", [0, 1, 2])
def test_regressor(X, n_targets):
    y = X[:, 0] * 100 + 3 if not n_targets else X[:, :n_targets] * 1000
    for model in (regressor().fit(X, y), make_pipeline(StandardScaler(), regressor()).fit(X, y)):
        (predicted,) = converted(model, X)
        assert predicted.shape == (90, max(1, n_targets))
        np.testing.assert_allclose(predicted.reshape(y.shape), model.predict(X), rtol=1e-5, atol=1e-5)
    peer = LinearRegression().fit(X, X[:, 0])
    names = [[each.name for each in skl2onnx.to_onnx(m, X[:1]).graph.output] for m in (peer, regressor().fit(X, y))]
    assert names[0] == names[1]


def test_samples_of_other_types(X):
    double = X.astype(np.float64)
    model = make_pipeline(StandardScaler(), classifier()).fit(double, LABELS["texts"])
    label, probabilities = converted(model, double, zipmap=False)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities, model.predict_proba(double), atol=1e-12)
    single = classifier(dtype="float32").fit(double, LABELS["texts"])
    label, probabilities = converted(single, double, zipmap=False)
    np.testing.assert_array_equal(label, single.predict(double))
    np.testing.assert_allclose(probabilities, single.predict_proba(double), atol=1e-6)
    whole = X.astype(np.int64)
    model = classifier().fit(whole, LABELS["texts"])
    label, probabilities = converted(model, whole, zipmap=False)
    np.testing.assert_array_equal(label, model.predict(whole))
    np.testing.assert_allclose(probabilities, model.predict_proba(whole), atol=1e-6)


def test_ensembles_and_searches(X):
    model = classifier(n_estimators=3).fit(X, LABELS["texts"])
    np.testing.assert_allclose(converted(model, X, zipmap=False)[1], model.predict_proba(X), atol=1e-6)
    search = GridSearchCV(classifier(), {"zeta": [0.1]}, cv=2).fit(X, LABELS["texts"])
    assert converted(search, X)[0].tolist() == search.predict(X).tolist()


def test_weights_stay_sparse(rng):
    X = rng.normal(size=(40, 100)).astype(np.float32)
    model = ts.SparseMLPClassifier((200,), epsilon=5, epochs=1, random_state=0).fit(X, np.arange(40) % 2)
    content = skl2onnx.to_onnx(model, X[:1]).SerializeToString()
    assert len(content) < 12 * model.network_.n_connections + 5000 < 4 * 100 * 200


def test_what_cannot_be_converted(X):
    pandas = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    table = pandas.DataFrame({"text": list("xyz") * 30, "number": np.arange(90.0)})
    numbers = pandas.DataFrame(X[:, :2], columns=["a", "b"])
    with pytest.raises(ts.InputError, match="was fitted to a table whose columns it encodes itself, which ONNX cannot"):
        skl2onnx.to_onnx(classifier().fit(table, LABELS["integers"]), table[:1])
    with pytest.raises(ts.InputError, match="was fitted to a table whose columns it encodes itself"):
        skl2onnx.to_onnx(regressor().fit(table, np.arange(90)), table[:1])
    with pytest.raises(ts.InputError, match=r"converts with one input of numbers .* not a FloatTensorType, b FloatT"):
        skl2onnx.to_onnx(classifier().fit(numbers, LABELS["integers"]), numbers[:1])
    fitted = classifier().fit(X, LABELS["integers"])
    with pytest.raises(ts.InputError, match="the input must have 6 features, as the fitted samples, not 3"):
        skl2onnx.to_onnx(fitted, X[:1, :3])
    for model in (classifier(), regressor()):
        with pytest.raises(ts.InputError, match="model must be fitted"):
            skl2onnx.to_onnx(model, X[:1])
    mixed = classifier().fit(X, LABELS["integers"])
    mixed.classes_ = np.array([1, "a", None], object)
    with pytest.raises(ts.InputError, match="classes_ must be all texts or all integers"):
        skl2onnx.to_onnx(mixed, X[:1], options={"zipmap": False})


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ts.MissingExtraError, match=r"skl2onnx: pip install 'trulysparse\[onnx\]'"):
        ts.export.register_onnx_converters()
