"""Sources of samples: what is sent to workers, and what they open."""

from __future__ import annotations

import pickle
import sys
import types

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.data import fit_target_scaling
from trulysparse.data.target_scaling import standardised
from trulysparse.nn.losses import make_loss
from trulysparse.parallel.ray.sources import source_of
from trulysparse.training.fit_data import FitData


def fit_data(X, weight=None, y=None):
    if y is None:
        net, y = ts.SparseMLP((X.shape[1], 3, 2), epsilon=1), np.arange(len(X)) % 2
    else:
        net = ts.SparseMLP((X.shape[1], 3, y.shape[1]), epsilon=1, output="identity")
    return FitData.checked(net, make_loss(None, net.output), X, y, weight)


def map_of(folder, X, name="X.npy"):
    np.save(folder / name, X)
    return np.load(folder / name, mmap_mode="r")


@pytest.mark.parametrize("part", [slice(None), slice(5, 17)])
def test_memory_map_is_opened_again_at_the_same_rows(tmp_path, rng, part):
    np.save(tmp_path / "X.npy", rng.standard_normal((20, 4)))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")[part]
    weight = np.arange(1.0, len(X) + 1)
    sent = pickle.dumps(source_of(fit_data(X, weight), None, put=lambda arrays: pytest.fail("arrays are sent")))
    opened, y, opened_weight = pickle.loads(sent).open()
    assert isinstance(opened, np.memmap)
    np.testing.assert_array_equal(opened, X)
    np.testing.assert_array_equal(y, np.arange(len(X)) % 2)
    np.testing.assert_array_equal(opened_weight, weight)
    assert len(sent) < X.nbytes + 2000


def test_function_is_called_once_per_process(rng):
    X, calls = rng.standard_normal((20, 4)), []

    def load():
        calls.append(1)
        return X, np.zeros(20)

    source = source_of(fit_data(X), load, put=lambda arrays: pytest.fail("arrays are sent"))
    assert source.open()[0] is source.open()[0] is X
    assert len(calls) == 1


def test_arrays_are_put_into_the_store(rng):
    X, stored = rng.standard_normal((20, 4)), []
    source_of(fit_data(X), None, put=stored.append)
    (arrays,) = stored
    np.testing.assert_array_equal(arrays[0], X)


@pytest.mark.parametrize("form", ["map", "array", "input"])
def test_values_travel_beside_a_memory_map(tmp_path, rng, form):
    X, y = map_of(tmp_path, rng.standard_normal((200, 4))), rng.standard_normal((200, 3))
    given = {"map": lambda: map_of(tmp_path, y, "y.npy"), "array": lambda: y, "input": lambda: X}[form]()
    sent = pickle.dumps(source_of(fit_data(X, y=given), None, put=lambda arrays: pytest.fail("arrays are sent")))
    opened, opened_y, _ = pickle.loads(sent).open()
    np.testing.assert_array_equal(opened, X)
    np.testing.assert_array_equal(opened_y, given)
    assert isinstance(opened_y, np.memmap) == (form != "array")
    assert (opened_y is opened) == (form == "input")
    assert len(sent) < (y.nbytes if form == "array" else 0) + 2000


@pytest.mark.parametrize("form", ["csr", "map", "input"])
def test_values_travel_beside_samples_in_memory(tmp_path, rng, monkeypatch, form):
    X, y = sp.csr_array(rng.standard_normal((20, 4))), rng.standard_normal((20, 4))
    given = {"csr": lambda: sp.csr_array(y), "map": lambda: map_of(tmp_path, y), "input": lambda: X}[form]()
    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(get=pickle.loads))
    source = pickle.loads(pickle.dumps(source_of(fit_data(X, y=given), None, put=pickle.dumps)))
    opened, opened_y, _ = source.open()
    np.testing.assert_array_equal(opened.toarray(), X.toarray())
    if form == "input":
        assert opened_y is opened
    elif form == "map":
        assert isinstance(opened_y, np.memmap)
        np.testing.assert_array_equal(opened_y, y)
    else:
        np.testing.assert_array_equal(opened_y.toarray(), y)


def test_only_a_function_gives_targets_in_their_own_unit(tmp_path, rng):
    X, y = rng.standard_normal((20, 4)), rng.standard_normal((20, 2)) * 100
    net = ts.SparseMLP((4, 3, 2), epsilon=1, output="identity")
    net.target_scaling = fit_target_scaling(y)
    stored = []

    def data(X):
        return FitData.checked(net, make_loss(None, "identity"), X, y)

    assert source_of(data(X), lambda: (X, y), put=stored.append).in_own_unit
    assert not source_of(data(X), None, put=stored.append).in_own_unit
    np.testing.assert_array_equal(stored[0][1], standardised(y, net.target_scaling))
    mapped = source_of(data(map_of(tmp_path, X)), None, put=stored.append)
    assert not mapped.in_own_unit
    np.testing.assert_array_equal(mapped.open()[1], standardised(y, net.target_scaling))
