"""What several tests of parallel training share."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.server.server import Server
from trulysparse.parallel.shards import Shard, shard_rows


def problem(n=400, features=20, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    centres = 3 * rng.standard_normal((classes, features))
    return (centres[y] + rng.standard_normal((n, features))) / 3, y  # about unit variance, which allows stale gradients


def trainer_for(parallel=None, *, evolution=None, hidden=(60, 50), seed=0, dtype="float64", **options):
    net = ts.SparseMLP((20, *hidden, 3), epsilon=6, seed=seed, dtype=dtype)
    options.setdefault("optimizer", ts.SGD(0.02, 0.9))
    return ts.Trainer(net, evolution=evolution, batch_size=32, seed=seed, parallel=parallel, **options)


def assert_same_network(a, b):
    for x, y in zip(a.layers, b.layers, strict=True):
        np.testing.assert_array_equal(x.connectivity.by_input.index, y.connectivity.by_input.index)
        np.testing.assert_allclose(x.values, y.values, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(x.bias, y.bias, rtol=1e-9, atol=1e-12)


def shards_of(n, count):
    return [Shard(k, shard_rows(n, k, count, 32), 32, 0, True) for k in range(count)]


def make_server(config, batches, epochs=2, save=None, evolution=None, trainer=None):
    if trainer is None:
        net = ts.SparseMLP((6, 10, 8, 3), epsilon=2, seed=0, dtype="float64")
        trainer = ts.Trainer(net, optimizer=ts.SGD(0.1, 0.9), evolution=evolution)
        trainer.epochs = epochs
    records = []
    server = Server(trainer, config, batches, (0, epochs), epochs, records.append, lambda n_new: None, save)
    return server, records


def gradient_for(given, value=1.0):
    """The gradient of a batch_id: all values the same."""
    batch_id, model = given
    weights = [np.full(layer.n_connections, value) for layer in model.layers]
    return Gradient(
        batch_id, model.version, model.n_updates, weights, [np.zeros(x.n_out) for x in model.layers], 1.0, 4, 4.0
    )


def coordinates(con):
    """(input, output) of each connection, in the order of by_input."""
    rows = np.repeat(np.arange(con.n_in), np.diff(con.by_input.ptr))
    return list(zip(rows.tolist(), con.by_input.index.tolist(), strict=True))


def values_by_coordinates(con, values):
    return dict(zip(coordinates(con), values.tolist(), strict=True))
