"""The connection to a Ray cluster, and the workers of a phase on it."""

from __future__ import annotations

import sys
import types

import pytest

import trulysparse as ts
from trulysparse.parallel.ray import pool

# As Ray 2.60 raises it: the reason is in the cause, at the end of a quoted traceback.
QUOTED = """Failed to connect to GCS. Last connection error: Traceback (most recent call last):
  File "node.py", line 996, in _init_gcs_client
    client = GcsClient(address=gcs_address)
ray.exceptions.AuthenticationError: InvalidAuthToken: Authentication token is missing or incorrect"""


def refused(message, cause):
    error = ConnectionError(message)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said", "not_said"),
    [
        (
            refused("Failed to connect", RuntimeError(QUOTED)),
            "RAY_AUTH_MODE=token",
            "Traceback",
        ),
        (refused("Failed to connect", RuntimeError(QUOTED)), "RAY_AUTH_TOKEN", "node.py"),
        (refused("Failed to connect", RuntimeError(QUOTED)), "token is missing or incorrect", "no Ray cluster"),
        (refused("Failed to connect", OSError("no route to host")), "Failed to connect; no route to host", "token"),
        (RuntimeError(""), r"no Ray cluster answers at 'auto' \(RuntimeError\)", "token"),
        (RuntimeError("Version mismatch: 2.9\nPython: 3.12"), "Version mismatch: 2.9 Python: 3.12", "token"),
    ],
)
def test_connect_says_why_a_cluster_refused(monkeypatch, error, said, not_said):
    def init(*_, **__):
        raise error

    fake = types.SimpleNamespace(init=init, is_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "ray", fake)
    with pytest.raises(ts.InputError, match=said) as caught:
        pool.connect(ts.WASAP(1, backend="ray", address="auto"))
    assert not_said not in str(caught.value)


class Call:
    """A remote call of the stand-in for Ray: over once `answer` is set."""

    def __init__(self):
        self.over = False

    def remote(self):
        return self


class FakeWorker:
    def __init__(self):
        self.serve, self.pings, self.answers = Call(), [], True

    @property
    def ping(self):
        self.pings.append(Call())
        self.pings[-1].over = self.answers
        return self.pings[-1]


class FakeRay:
    exceptions = types.SimpleNamespace(RayTaskError=RuntimeError)

    def __init__(self):
        self.processors, self.killed = 0, []

    def wait(self, refs, num_returns=1, timeout=0):
        return [ref for ref in refs if ref.over], [ref for ref in refs if not ref.over]

    def get(self, ref):
        return None

    def kill(self, worker):
        self.killed.append(worker)

    def available_resources(self):
        return {"CPU": self.processors}


@pytest.fixture
def made(monkeypatch):
    """A stand-in for Ray, workers by number, those that were reported as lost, and a clock."""
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(pool.time, "monotonic", lambda: clock.now)
    return FakeRay(), {}, [], clock


def make_pool(made, config):
    ray, workers, lost, _ = made
    return pool.WorkerPool(ray, config, lambda number: workers.setdefault(number, FakeWorker()), lost.append)


def test_silent_worker_is_reported_once_and_again_after_it_was_back(made):
    _, workers, lost, clock = made
    workers_pool = make_pool(made, ts.WASAP(2, backend="ray", worker_timeout=5))
    workers[1].answers = False
    for _ in range(12):
        clock.now += 1
        assert workers_pool.poll()
    assert lost == [1]
    workers[1].pings[-1].over = workers[1].answers = True
    workers_pool.poll()
    workers[1].answers = False
    for _ in range(12):
        clock.now += 1
        workers_pool.poll()
    assert lost == [1, 1]


def test_poll_ends_when_only_silent_workers_are_left(made):
    _, workers, lost, clock = made
    workers_pool = make_pool(made, ts.WASAP(2, backend="ray", worker_timeout=5))
    workers[1].answers = False
    for _ in range(8):
        clock.now += 1
        assert workers_pool.poll()
    workers[0].serve.over = True
    assert lost == [1]
    assert not workers_pool.poll()


def test_poll_goes_on_while_no_worker_answers(made):
    _, workers, lost, clock = made
    workers_pool = make_pool(made, ts.WASAP(2, backend="ray", worker_timeout=5))
    workers[0].answers = workers[1].answers = False
    for _ in range(12):
        clock.now += 1
        assert workers_pool.poll()
    assert lost == [0, 1]


def test_workers_join_up_to_the_number_of_shards(made):
    ray, workers, _, clock = made
    workers_pool = make_pool(made, ts.WASAP(1, shards=3, backend="ray"))
    clock.now += 2
    workers_pool.poll()
    assert len(workers) == 1  # no processor is free
    ray.processors = 4
    for _ in range(5):
        clock.now += 2
        workers_pool.poll()
    assert len(workers) == 3
    workers_pool.shutdown()
    assert ray.killed == list(workers.values())
