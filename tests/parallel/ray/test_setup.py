"""Samples as a worker opens them, with a stand-in for Ray."""

from __future__ import annotations

import sys
import types
from dataclasses import replace

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data import fit_target_scaling
from trulysparse.data.target_scaling import standardised
from trulysparse.parallel.ray.setup import Setup
from trulysparse.parallel.worker import worker_options


class Arrays:
    def __init__(self, *samples):
        self._samples = samples

    def open(self):
        return self._samples


@pytest.fixture
def setup(monkeypatch, rng):
    """What the driver makes: a network without layers, and a reference that the stand-in resolves to itself."""
    exceptions = types.SimpleNamespace(RaySystemError=RuntimeError)
    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(get=lambda ref: ref, exceptions=exceptions))
    trainer = ts.Trainer(ts.SparseMLP((6, 5, 3), epsilon=2), batch_size=4)
    net = trainer.net.with_layers(trainer.net.layers)
    net.layers = []
    source = Arrays(rng.standard_normal((10, 6)), rng.integers(0, 3, 10), np.arange(10.0))
    options = worker_options(trainer, ts.WASAP(2))
    return Setup(net, options, ts.WASAP(2), (0, 1), 0, 0, 1, (2, 1), 10, True, (source,), ())


def test_samples_open_for_a_network_without_layers(setup):
    data = setup.open_data()
    assert (data.matrix.n_samples, data.epochs, data.shuffle) == (10, 1, True)
    np.testing.assert_array_equal(data.weight, np.arange(10.0))
    shards = setup.shards(data)
    assert [shard.n_batches for shard in shards.values()] == [2, 1]
    np.testing.assert_array_equal(np.sort(np.concatenate([shard.rows for shard in shards.values()])), np.arange(10))


@pytest.mark.parametrize(
    ("shape", "n_targets", "message"),
    [
        ((10, 7), 10, "cannot read its samples: X has 7 features"),
        ((9, 6), 9, "finds 9 samples and 9 targets where fit"),
    ],
)
def test_other_samples_than_fit_was_given_are_refused(setup, shape, n_targets, message):
    source = Arrays(np.zeros(shape), np.zeros(n_targets, int), None)
    with pytest.raises(ts.InputError, match=message):
        replace(setup, source=(source,)).open_data()


@pytest.mark.parametrize("own", [False, True])
def test_input_as_target_is_known_to_the_worker(setup, own):
    X = np.eye(10)[:, :3]
    net = ts.SparseMLP((3, 5, 3), output="identity")
    net.layers = []
    options = replace(setup.options, loss="huber")
    data = replace(setup, net=net, options=options, source=(Arrays(X, X.copy() if own else X, None),)).open_data()
    assert data.targets.is_input != own
    assert len(data.targets) == 10


@pytest.mark.parametrize("in_own_unit", [True, False])
def test_targets_are_standardised_once(setup, in_own_unit):
    """A user's function gives them in their own unit; what the driver sends is standardised already."""
    X, y = np.eye(10)[:, :3], np.arange(10.0)[:, None] * 100
    net = ts.SparseMLP((3, 5, 1), output="identity")
    net.layers, net.target_scaling = [], fit_target_scaling(y)
    source = Arrays(X, y if in_own_unit else standardised(y, net.target_scaling), None)
    source.in_own_unit = in_own_unit
    options = replace(setup.options, loss="huber")
    targets = replace(setup, net=net, options=options, source=(source,)).open_data().targets
    np.testing.assert_array_equal(targets.matrix.x, standardised(y, net.target_scaling))


def test_tables_go_through_the_preprocessor(setup, rng):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    frame = pd.DataFrame({"c": list("ababababab"), "x": rng.random(10)})
    net = ts.SparseMLP((3, 5, 3))
    net.layers, net.preprocessor = [], ts.TablePreprocessor().fit(frame)
    data = replace(setup, net=net, source=(Arrays(frame, np.arange(10) % 3, None),)).open_data()
    np.testing.assert_array_equal(data.matrix.x, net.preprocessor.transform(frame))
