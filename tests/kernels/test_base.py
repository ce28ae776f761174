"""The pool of threads: what users do around it must neither hang nor change a bit."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings

import numpy as np
import pytest

import trulysparse as ts

SIZES = (300, 400, 400, 5)


def trained(threads: int, steps: int = 5) -> bytes:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((128, SIZES[0])), rng.integers(0, SIZES[-1], 128)
    net = ts.SparseMLP(SIZES, epsilon=20, seed=0, threads=threads)
    trainer = ts.Trainer(net, dropout=0.2, seed=0)
    for _ in range(steps):
        trainer.step(X, y)
    return b"".join(layer.values.tobytes() for layer in net.layers)


def test_more_threads_than_processors() -> None:
    assert trained(13) == trained(1)


def test_python_threads_side_by_side() -> None:
    expected, found = trained(1), []
    workers = [threading.Thread(target=lambda t=t: found.append(trained(t, 5))) for t in (2, 3, 2, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * 4


@pytest.mark.skipif(sys.platform != "linux", reason="fork with threads is only promised on Linux")
def test_a_forked_child_starts_its_own_threads() -> None:
    expected = trained(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of any fork with threads
        child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if trained(2) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert trained(2) == expected
