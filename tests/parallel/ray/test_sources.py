"""Sources of samples: what is sent to workers, and what they open."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.losses import make_loss
from trulysparse.parallel.ray.sources import source_of
from trulysparse.training.fit_data import FitData


def fit_data(X, weight=None):
    net = ts.SparseMLP((X.shape[1], 3, 2), epsilon=1)
    return FitData.checked(net, make_loss(None, net.output), X, np.arange(len(X)) % 2, weight)


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
