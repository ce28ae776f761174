"""Pickles of other versions, and how large pickles are."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris

import trulysparse as ts
from trulysparse.estimators import _pickling


@pytest.fixture
def model():
    return ts.SparseMLPClassifier((8,), epochs=2, random_state=0).fit(*load_iris(return_X_y=True))


def test_a_pickle_of_another_version_is_read_with_a_warning(model, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_pickling, "__version__", "0.0.9")
        data = pickle.dumps(model)
    with pytest.warns(UserWarning, match=r"this SparseMLPClassifier was pickled by trulysparse 0\.0\.9 and is read by"):
        twin = pickle.loads(data)
    X = load_iris().data
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


def test_the_warning_comes_before_what_fails(model, monkeypatch):
    """The version is read before the state, of which a class may be gone."""
    with monkeypatch.context() as patch:
        patch.setattr(_pickling, "__version__", "7.0")
        data = pickle.dumps(model).replace(b"History", b"Hystory")
    with pytest.warns(UserWarning, match="pickled by trulysparse 7.0"), pytest.raises(AttributeError, match="Hystory"):
        pickle.loads(data)


def test_a_pickle_of_a_newer_form_is_refused(model, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_pickling, "__version__", "7.0")
        patch.setattr(_pickling, "STATE", 2)
        data = pickle.dumps(model)
    with pytest.raises(ts.InputError, match=r"in a form that .* cannot read: install trulysparse 7\.0, or save"):
        pickle.loads(data)


def test_own_pickles_are_read_in_silence_before_and_after_fit(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for each in (model, ts.SparseMLPRegressor(epsilon=3)):
            assert pickle.loads(pickle.dumps(each)).get_params() == each.get_params()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_protocols(model, protocol):
    twin = pickle.loads(pickle.dumps(model, protocol))
    assert twin.loss_ == model.loss_


def test_pickles_hold_the_network_once_and_no_memory_for_batches():
    X = np.random.default_rng(0).normal(size=(256, 300)).astype(np.float32)
    model = ts.SparseMLPClassifier((2000, 2000), epsilon=5, epochs=1, batch_size=128, random_state=0)
    model.fit(X, np.arange(256) % 2).predict(X)
    per_connection = 4 + 2 * 4 + 4 + 4 + 4  # weight, Adam's state, both indices and the position
    assert len(pickle.dumps(model)) < 1.1 * per_connection * model.network_.n_connections + 40 * 5000
