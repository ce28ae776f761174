"""The way to a Ray cluster: why one does not let a driver in is said."""

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
def test_refused_by_a_cluster_says_why(monkeypatch, error, said, not_said):
    def init(*_, **__):
        raise error

    fake = types.SimpleNamespace(init=init, is_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "ray", fake)
    with pytest.raises(ts.InputError, match=said) as caught:
        pool.connect(ts.WASAP(1, backend="ray", address="auto"))
    assert not_said not in str(caught.value)
