"""Time a step against connections, 10^4 to 10^8, at fixed neurons (two hidden layers of equal size), with one
thread and with all; and the memory of the network against connections."""

from __future__ import annotations

import numpy as np
from _run import RESULTS, keep, options

from trulysparse.bench import PEERS, Problem, interleave, network_of_density
from trulysparse.bench.report import plot, table

WIDTH = 7100  # 7100^2 is 5 * 10^7, so two full layers are 10^8 connections
COUNTS = (2, 10**4, 10**5, 10**6, 10**7, 10**8)

given = options(__doc__, batch=128)
results = []
for count in COUNTS:
    net = network_of_density((WIDTH, WIDTH, WIDTH, 2), min(1.0, count / 2 / WIDTH**2))
    problem = Problem.make(f"{count}", net, given.batch)
    steps = {f"{t} thread(s)": PEERS["trulysparse"](problem, t) for t in sorted({1, given.threads})}
    timings = interleave(steps, seconds=given.seconds, min_rounds=3, max_rounds=50)
    held = sum(
        a.nbytes
        for layer in net.layers
        for rows in (layer.connectivity.by_input, layer.connectivity.by_output)
        for a in (rows.ptr, rows.index)
    ) + sum(layer.connectivity.position.nbytes + layer.values.nbytes for layer in net.layers)
    results.append({"connections": net.n_connections, "bytes": held, "ms": [t.median * 1e3 for t in timings]})
    del steps, problem, net

x = np.array([r["connections"] for r in results], float)
y = np.array([r["ms"][-1] for r in results])
# The first network has next to no hidden connections: what it takes is the floor, the cost of neurons alone.
floor = float(y[0] - (y[-1] - y[0]) / (x[-1] - x[0]) * x[0])
x, y, results = x[1:], y[1:], results[1:]
slope = float(np.polyfit(np.log(x), np.log(y - floor), 1)[0])
table(
    f"A training step, {WIDTH}-{WIDTH}-{WIDTH}-2, batch {given.batch}",
    ["connections", "MB", "1 thread, ms", f"{given.threads} threads, ms", "speed-up", "ns a connection"],
    [
        [
            f"{r['connections']:,}",
            r["bytes"] / 1e6,
            r["ms"][0],
            r["ms"][-1],
            f"{r['ms'][0] / r['ms'][-1]:.2f}",
            r["ms"][-1] * 1e6 / r["connections"],
        ]
        for r in results
    ],
)
print(f"log-log slope above a floor of {floor:.2f} ms: {slope:.3f}")
keep("scaling", given.threads, {"floor_ms": floor, "slope": slope, "rows": results})
plot(
    RESULTS / "scaling_time.png",
    x="connections",
    y="ms a step",
    lines={"trulysparse": (x.tolist(), y.tolist())},
    title=f"{WIDTH}-{WIDTH}-{WIDTH}-2, batch {given.batch}, {given.threads} threads",
)
plot(
    RESULTS / "scaling_memory.png",
    x="connections",
    y="bytes",
    lines={"trulysparse": (x.tolist(), [r["bytes"] for r in results])},
    title="connectivity and weights",
)
