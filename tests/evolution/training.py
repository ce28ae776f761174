"""Short trainings that the tests of methods share."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from trulysparse.evolution import NAMES, make_evolution

# ReDo alone changes no connection: methods/test_redo.py has its tests.
METHODS = [name for name in NAMES if name not in ("none", "redo")]
ON_TILES = {"static", "set"}


def problem(n=200, features=20, classes=3):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, features)).astype(np.float32)
    return X, (X[:, :classes].argmax(axis=1)).astype(np.int64)


def quick(name, **settings):
    """The method, set to evolve often enough for a short test."""
    often = {"every": 5, **settings}
    short = {"rigl": (ts.RigL, often), "gse": (ts.GSE, often), "granet": (ts.GraNet, often),
             "dsr": (ts.DSR, often | {"threshold": 0.02}), "mest": (ts.MEST, {"fraction": 0.1, **often, "every": 1}),
             "deepr": (ts.DeepR, {"l1": 1e-4, **settings} if settings else {})}  # fmt: skip
    if name not in short:
        return make_evolution(name, **settings)
    kind, given = short[name]
    return kind(**given)


def trained(method, *, threads=2, epochs=4, optimizer=None, callbacks=(), epsilon=4.0, sizes=(20, 30, 25, 3)):
    X, y = problem()
    net = ts.SparseMLP(sizes, epsilon=epsilon, seed=0, threads=threads)
    trainer = ts.Trainer(net, optimizer=optimizer or ts.SGD(0.05), evolution=method, batch_size=32, seed=0)
    history = trainer.fit(X, y, epochs=epochs, callbacks=callbacks)
    return trainer, history


def coordinates(layer):
    """The (input, output) pairs of a layer's connections, in the order of its values."""
    rows = layer.connectivity.by_input
    inputs = np.repeat(np.arange(layer.n_in), np.diff(rows.ptr)).tolist()
    return list(zip(inputs, rows.index.tolist(), strict=True))


def one_step(method, *, sizes=(20, 30, 25, 3), optimizer=None, seed=0):
    """A trainer after one update, its batch, and a dictionary of each layer's weights by coordinates."""
    X, y = problem(64)
    net = ts.SparseMLP(sizes, epsilon=3.0, seed=seed)
    trainer = ts.Trainer(net, optimizer=optimizer or ts.SGD(0.05), evolution=method, batch_size=64, seed=0)
    trainer.step(X, y)
    return trainer, (X, y), weights_of(net)


def weights_of(net):
    """For each layer (input, output) -> weight."""
    return [dict(zip(coordinates(layer), layer.values.tolist(), strict=True)) for layer in net.layers]


def network(storage, **settings):
    """A small untrained network."""
    return ts.SparseMLP((20, 30, 25, 3), epsilon=4, seed=1, storage=storage, **settings)


def started(net, method, key=7):
    """A trainer after one update, and the evolution step that comes next."""
    trainer = ts.Trainer(net, evolution=method, optimizer=ts.SGD(0.05, momentum=0.9), batch_size=32)
    rng = np.random.default_rng(0)
    trainer.step(rng.normal(size=(32, 20)), rng.integers(0, 3, 32))
    current = method.start(net, trainer.optimizer_state, key=key, threads=2, training_progress=0.2, evolution_state={})
    return trainer, current


def arrays_of(layers, states):
    """All arrays of layers and their optimizer state."""
    arrays = []
    for layer, state in zip(layers, states, strict=True):
        con = layer.connectivity
        topology = [con.ptr, con.packed] if layer.tiled else [con.by_input.ptr, con.by_input.index]
        arrays += [*topology, layer.values, layer.bias, *state.weight, *state.bias]
    return arrays


def assert_same(one, two):
    """Two pairs (layers, optimizer state) of the same bits."""
    for a, b in zip(arrays_of(*one), arrays_of(*two), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.view(np.uint8), b.view(np.uint8))


def layers_and_state(storage="indexed", optimizer=None, **settings):
    """The layers of a small network, and optimizer state that is not zero."""
    layers = network(storage, **settings).layers
    states = [layer.new_state(optimizer or ts.SGD(0.1, momentum=0.9)) for layer in layers]
    rng = np.random.default_rng(3)
    for state in states:
        for values in state.weight:
            values[:] = np.abs(rng.standard_normal(len(values)))
    return layers, states


def batch_of(layer, key, columns=24):
    """A layer's input and the gradient at its pre-activation, of random numbers."""
    rng = np.random.default_rng([key, layer.n_in, layer.n_out])
    return tuple(rng.standard_normal((n, columns)).astype(layer.values.dtype) for n in (layer.n_in, layer.n_out))


def evolve_once(step, key):
    """Evolves every layer of a step, with a batch of its own."""
    return sum(step.evolve_layer(number, *batch_of(view.layer, key)) for number, view in step.views.items())
