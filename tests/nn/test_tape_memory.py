"""Memory of tapes: used again when it is free, never while a value is in use, and not hoarded."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np

import trulysparse as ts
from trulysparse.nn.tape_memory import TapePool


def address(array):
    return array.__array_interface__["data"][0]


def network(**options):
    return ts.SparseMLP((5, 30, 3), **({"epsilon": 2, "output": "identity", "seed": 0} | options))


def test_a_network_that_is_gone_takes_its_memory_along(rng):
    net = network()
    net.forward(rng.standard_normal((10, 5))).gradients(np.ones((10, 3)))
    gone = weakref.ref(net)
    gc.disable()
    try:
        del net
        assert gone() is None  # no circle keeps it until the next collection
    finally:
        gc.enable()


def test_memory_beyond_the_limit_is_given_up(rng, monkeypatch):
    monkeypatch.setattr("trulysparse.nn.tape_memory._POOL_BYTES", 0)
    net = network()
    for _ in range(3):
        net.forward(rng.standard_normal((10, 5)))
    assert not net.tape_pool._free


def test_memory_of_another_size_is_not_used(rng):
    net, X = network(), rng.standard_normal((10, 5))
    net.forward(X)
    ts.prune_neurons(net, 40)
    np.testing.assert_allclose(net.forward(X).output, net.decision_function(X), rtol=1e-6)


def test_threads_record_side_by_side(rng):
    net = network()
    batches = [rng.standard_normal((10, 5)) for _ in range(4)]
    wanted = [net.decision_function(X) for X in batches]
    wrong = []

    def record(number):
        for _ in range(50):
            output = net.forward(batches[number], threads=1).output
            if not np.allclose(output, wanted[number], atol=1e-6):
                wrong.append(number)

    workers = [threading.Thread(target=record, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_a_view_holds_the_memory_and_only_as_long_as_it_lives(rng):
    net, X = network(), rng.standard_normal((10, 5))
    view = net.forward(X).output[3:]
    held = address(net.forward(X).output)
    assert held != address(view) - 3 * view.strides[0]
    del view
    seen = {address(tape.output) for tape in [net.forward(X), net.forward(X)]}
    assert held in seen


def test_copies_have_a_pool_of_their_own():
    net = network()
    assert isinstance(net.copy().tape_pool, TapePool)
    assert net.copy().tape_pool is not net.tape_pool
