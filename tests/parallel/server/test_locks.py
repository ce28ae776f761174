"""Locks of layers that several threads use."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import trulysparse as ts
from trulysparse import _kernels


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
