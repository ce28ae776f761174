"""Locks of layers that several threads use."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import trulysparse as ts
from trulysparse import _kernels
from trulysparse.parallel.server.locks import SharedLayer, writing
from trulysparse.training.passes import BatchPasses, checked_batch


def test_locked_layers_lose_no_update():
    """Four threads add one to every weight, 200 times each, while others read: all arrive."""
    lock, net = _kernels.SharedLock(), ts.SparseMLP((300, 400), epsilon=20, dtype="float64", seed=0)
    layer = net.layers[0]
    layer.values[:] = 0
    rule = ts.SGD(1.0, 0).rule(0, 0, None)
    optimizer_state = ts.Trainer(net, optimizer=ts.SGD(1.0, 0)).optimizer_state[0]
    ones = (-np.ones(layer.n_connections), np.zeros(400), 1.0)
    torn = []

    def write():
        for _ in range(200):
            lock.acquire()
            layer.update([ones], optimizer_state, rule, 1)
            lock.release()

    def read():
        for _ in range(200):
            lock.acquire_shared()
            torn.append(len(np.unique(layer.values)))  # all weights have seen the same updates
            lock.release_shared()

    threads = [threading.Thread(target=target) for target in (write, read) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(layer.values, 800.0)
    assert set(torn) == {1}
    with pytest.raises(ValueError, match="not held"):
        lock.release()


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_passes_through_shared_layers_wait_for_a_writer(rng, layer):
    """Of whichever layer; and give the gradients of the layers themselves."""
    net = ts.SparseMLP((6, 20, 10, 3), epsilon=3, seed=0, threads=1)
    locks = [_kernels.SharedLock() for _ in net.layers]
    shared = net.with_layers([SharedLayer(*each) for each in zip(net.layers, locks, strict=True)])
    batch = checked_batch(net, ts.SoftmaxCrossEntropy(), rng.standard_normal((16, 6)), rng.integers(0, 3, 16))
    found = []
    worker = threading.Thread(target=lambda: found.append(BatchPasses(shared).gradients(batch)))
    with writing(locks[layer]):
        worker.start()
        worker.join(0.2)
        assert worker.is_alive()
    worker.join(10)
    value, gradients = BatchPasses(net).gradients(batch)
    assert found[0][0] == value
    for given, wanted in zip(found[0][1], gradients, strict=True):
        np.testing.assert_array_equal(given[0], wanted[0])
        np.testing.assert_array_equal(given[1], wanted[1])
