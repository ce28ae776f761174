"""Time per step and memory from 10^4 to 10^8 connections, with one thread and with all, beside sparse peers.

The number of neurons is fixed: two hidden layers of equal size.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from _run import RESULTS, keep, options

from trulysparse.bench import PEERS, Problem, interleave, network_of_density
from trulysparse.bench.peers import Unavailable
from trulysparse.bench.report import plot, table

WIDTH = 7100  # 7100^2 is 5 * 10^7, so two full layers are 10^8 connections
COUNTS = (10**4, 3 * 10**4, 10**5, 3 * 10**5, 10**6, 3 * 10**6, 10**7, 3 * 10**7, 10**8)
# Peers take too long with more connections.
SPARSE_PEERS, PEERS_MOST = ("torch csr", "scipy+numba"), 10**7


def problem_of(count: int, batch: int) -> Problem:
    """The network with about so many connections between its hidden layers."""
    net = network_of_density((WIDTH, WIDTH, WIDTH, 2), min(1.0, count / 2 / WIDTH**2))
    return Problem.make(f"{count}", net, batch)


def memory_of(peer: str, count: int, batch: int, threads: int) -> float | None:
    """Peak memory in MB of a process that builds the network and takes three steps; None where the peer is missing."""
    command = [
        sys.executable,
        __file__,
        "--memory",
        f"{peer},{count}",
        "--batch",
        str(batch),
        "--threads",
        str(threads),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1]) if done.stdout.strip() else None


def print_memory(peer: str, count: int, batch: int, threads: int) -> None:
    """Prints the peak memory: what memory_of runs in another process."""
    try:
        step = PEERS[peer](problem_of(count, batch), threads)
    except Unavailable:
        return
    for _ in range(3):
        step()
    # Not getrusage's figure, which starts from the parent's.
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def times(count: int, batch: int, threads: int, seconds: float) -> dict[str, Any]:
    """Medians in ms by contender, and the speed-up of all threads over one, round by round."""
    problem = problem_of(count, batch)
    ways = {f"{t} thread(s)": ("trulysparse", t) for t in sorted({1, threads})}
    if count <= PEERS_MOST:
        ways |= {name: (name, threads) for name in SPARSE_PEERS}
    if count == COUNTS[0]:
        ways["torch dense"] = ("torch dense", threads)
    steps = {}
    for name, (peer, with_threads) in ways.items():
        try:
            steps[name] = PEERS[peer](problem, with_threads)
        except Unavailable as why:
            print(why)
    timings = {t.name: t for t in interleave(steps, seconds=seconds, min_rounds=5, max_rounds=50)}
    ours = timings[f"{threads} thread(s)"]
    return {
        "connections": problem.net.n_connections,
        "ms": {name: t.median * 1e3 for name, t in timings.items()},
        "speed_up": timings["1 thread(s)"].over(ours),
    }


def main() -> None:
    given = options(__doc__, batch=128, memory="")
    if given.memory:
        peer, count = given.memory.split(",")
        return print_memory(peer, int(count), given.batch, given.threads)
    name = f"{given.threads} thread(s)"
    # With next to no connections between the hidden layers, what a step takes is the cost of neurons alone.
    floor = times(2, given.batch, given.threads, given.seconds)["ms"][name]
    bare = {peer: memory_of(peer, 2, given.batch, given.threads) for peer in ("trulysparse", *SPARSE_PEERS)}
    results = []
    for count in COUNTS:
        results.append(times(count, given.batch, given.threads, given.seconds))
        known = ("trulysparse", *SPARSE_PEERS) if count <= PEERS_MOST else ("trulysparse",)
        results[-1]["memory_mb"] = {
            peer: memory_of(peer, count, given.batch, given.threads) - bare[peer] for peer in known if bare[peer]
        }
    x = np.array([r["connections"] for r in results], float)
    y = np.array([r["ms"][name] for r in results])
    above = y >= 3 * floor  # connections take at least two thirds of the time
    slope = float(np.polyfit(np.log(x[above]), np.log(y[above] - floor), 1)[0])
    table(
        f"A training step, {WIDTH}-{WIDTH}-{WIDTH}-2, batch {given.batch}",
        [
            "connections",
            "1 thread, ms",
            f"{given.threads} threads, ms",
            "speed-up",
            "ns per connection",
            "MB",
            *SPARSE_PEERS,
        ],
        [
            [
                f"{r['connections']:,}",
                r["ms"]["1 thread(s)"],
                r["ms"][name],
                f"{r['speed_up']:.2f}",
                (r["ms"][name] - floor) * 1e6 / r["connections"],
                r["memory_mb"]["trulysparse"],
                *(f"{r['ms'][p]:.4g}" if p in r["ms"] else "" for p in SPARSE_PEERS),
            ]
            for r in results
        ],
    )
    print(f"floor {floor:.2f} ms; log-log slope above it, from {x[above][0]:,.0f} connections: {slope:.3f}")
    keep("scaling", given.threads, {"floor_ms": floor, "slope": slope, "from": x[above][0], "rows": results})

    def line(key: str, of: str, least: float = 0.0) -> tuple[list[float], list[float]]:
        known = [r for r in results if r[key].get(of, -1.0) >= least]
        return [r["connections"] for r in known], [r[key][of] for r in known]

    title = f"{WIDTH}-{WIDTH}-{WIDTH}-2, batch {given.batch}, {given.threads} threads"
    lines = {"trulysparse": line("ms", name)} | {p: line("ms", p) for p in SPARSE_PEERS}
    dense = results[0]["ms"].get("torch dense")
    if dense is not None:
        lines["torch dense"] = ([float(x[0]), float(x[-1])], [dense, dense])
    plot(RESULTS / "scaling_time.png", x="connections", y="ms per step", lines=lines, title=title)
    memory = {p: line("memory_mb", p, least=1.0) for p in ("trulysparse", *SPARSE_PEERS)}
    plot(
        RESULTS / "scaling_memory.png",
        x="connections",
        y="MB of peak memory that connections add",
        lines=memory,
        title=title,
    )


if __name__ == "__main__":
    main()
