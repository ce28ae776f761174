"""Time of one sample through the Fashion-MNIST network on one thread, frozen and in the training layout."""

from __future__ import annotations

import time

import numpy as np
from _run import keep, options

import trulysparse as ts
from trulysparse.bench.report import table

given = options(__doc__)
net = ts.SparseMLP((784, 1000, 1000, 1000, 10), epsilon=20, threads=1)
X = np.random.default_rng(0).standard_normal((1, 784), dtype=np.float32)
rows = []
frozen = net.freeze()
for call in (frozen.predict, frozen.predict_proba, net.predict, net.predict_proba):
    times = []
    while sum(times) < given.seconds:
        began = time.perf_counter()
        call(X)
        times.append(time.perf_counter() - began)
    rows.append(
        {
            "call": f"{type(call.__self__).__name__}.{call.__name__}",
            "median_us": float(np.median(times)) * 1e6,
            "p95_us": float(np.percentile(times, 95)) * 1e6,
        }
    )
table(
    "One sample, 784-1000-1000-1000-10, epsilon 20, one thread",
    ["call", "median, us", "95 %, us"],
    [list(row.values()) for row in rows],
)
keep("latency", 1, rows)
