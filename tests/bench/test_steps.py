"""Steps of several peers, side by side."""

from __future__ import annotations

import time

import trulysparse as ts
from trulysparse.bench import Problem, Unavailable, steps


def test_compare_has_a_row_per_peer_that_runs_and_a_reason_for_the_others(monkeypatch):
    def absent(problem, threads):
        raise Unavailable("absent is not installed")

    threads_of = []

    def sleeper(seconds):
        def make(problem, threads):
            threads_of.append(threads)
            return lambda: time.sleep(seconds)

        return make

    peers = {"trulysparse": sleeper(0.001), "slow": sleeper(0.02), "absent": absent, "not asked": absent}
    monkeypatch.setattr(steps, "PEERS", peers)
    net = ts.SparseMLP((4, 8, 2), epsilon=2)
    result = steps.compare(Problem.make("small", net, 16), ["slow", "absent", "trulysparse"], 3, 0.02)
    assert threads_of == [3, 3]
    assert result["missing"] == {"absent": "absent is not installed"}
    assert (result["problem"], result["batch"], result["layer_sizes"]) == ("small", 16, net.layer_sizes)
    assert (result["connections"], result["density"]) == (net.n_connections, net.density)
    slow, ours = result["rows"]
    assert (slow["name"], ours["name"], ours["ratio"]) == ("slow", "trulysparse", 1)
    assert slow["ratio"] > 1
    assert slow["ms"] >= 20
    assert slow["low_ms"] <= slow["ms"] <= slow["high_ms"]
