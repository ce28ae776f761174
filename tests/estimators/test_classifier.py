"""The classifier: digits, labels, class weights."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import StratifiedKFold, cross_val_score

import trulysparse as ts


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


def test_classifier_with_defaults_learns_a_table_of_150_samples():
    X, y = load_iris(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    assert cross_val_score(ts.SparseMLPClassifier(random_state=0), X, y, cv=folds).mean() > 0.9
