"""Soft update of a layer, per connection, with equal and with different topologies, beside NumPy and SciPy.

One layer of 10^5, 10^6 and 10^7 connections in float32. Different topologies: the source has evolved by SET, 5 % of the
weakest connections of each sign replaced, as critics do in dynamic sparse training. `first` compares the topologies,
`next` are the updates after it, in most of which some connections change. SciPy adds the matrices, removes the smallest
weights and makes the second index. All contenders take turns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from _run import keep, options

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.bench.timing import interleave

TAU = 0.005
LAYERS = (1_000, 0.1), (4_000, 0.0625), (20_000, 0.025)  # neurons of either side, density
UPDATES = 100  # after the first, until the target starts again


def evolved(net: ts.SparseMLP) -> ts.SparseMLP:
    """A copy after an evolution and some training."""
    copy = net.copy()
    method = ts.SET(zeta=0.05)
    method.output_layer = True  # there is no other
    method.evolve(copy, [copy.layers[0].new_state(ts.SGD(0.1))], 1, net.threads)
    layer = copy.layers[0]
    layer.values += (
        np.random.default_rng(0).standard_normal(layer.n_connections, dtype=np.float32) * layer.values.std() / 10
    )
    return copy


def first_update(source: ts.SparseMLP, start: ts.SparseMLP, threads: int) -> Callable[[], None]:
    target, layer = start.copy(), start.layers[0]
    target.threads = threads

    def call() -> None:
        target.layers[0].connectivity, target.layers[0].values = layer.connectivity, layer.values
        target.soft_update(source, TAU)

    return call


def next_update(source: ts.SparseMLP, start: ts.SparseMLP, threads: int) -> Callable[[], None]:
    after = start.copy()
    after.soft_update(source, TAU)
    target, done = after.copy(), 0
    target.threads = threads

    def call() -> None:
        nonlocal done
        if done % UPDATES == 0:
            target.layers[0] = after.layers[0].copy()
            target.soft_update(source, TAU)
        done += 1
        target.soft_update(source, TAU)

    return call


def by_input(net: ts.SparseMLP) -> sp.csr_array:
    con = net.layers[0].connectivity
    rows = con.by_input
    return sp.csr_array((net.layers[0].values, rows.index, rows.ptr.astype(np.int32)), shape=(con.n_in, con.n_out))


def scipy_update(t: sp.csr_array, s: sp.csr_array) -> tuple[sp.csr_array, sp.csc_array]:
    w = t + np.float32(TAU) * (s - t)
    excess = w.nnz - s.nnz
    if excess > 0:
        w.data[np.argpartition(np.abs(w.data), excess - 1)[:excess]] = 0
        w.eliminate_zeros()
    return w, w.tocsc()


def check(source: ts.SparseMLP, start: ts.SparseMLP) -> None:
    """SciPy's result is ours."""
    target = start.copy()
    target.soft_update(source, TAU)
    ours, (theirs, _) = by_input(target), scipy_update(by_input(start), by_input(source))
    assert abs(ours - theirs).max() < 1e-6
    assert len(np.setxor1d(*(m.tocoo().row.astype(np.int64) * m.shape[1] + m.indices for m in (ours, theirs)))) < 10


def contenders(net: ts.SparseMLP, most: int) -> dict[str, Callable[[], object]]:
    source = evolved(net)
    check(source, net)
    calls: dict[str, Callable[[], object]] = {}
    values = net.layers[0].values
    other, buffer, copy = (np.random.default_rng(0).permutation(values) for _ in range(3))

    def numpy_update() -> None:
        np.subtract(other, copy, out=buffer)
        np.multiply(buffer, np.float32(TAU), out=buffer)
        np.add(copy, buffer, out=copy)

    for threads in sorted({1, most}):
        same = net.copy()
        same.layers[0].values = other.copy()
        same.threads = threads
        of = f"{threads} thread{'s' * (threads > 1)}"
        calls[f"equal, {of}"] = lambda same=same: same.soft_update(net, TAU)
        calls[f"first, {of}"] = first_update(source, net, threads)
        calls[f"next, {of}"] = next_update(source, net, threads)
    calls["equal, NumPy"] = numpy_update
    calls["copy of the weights, NumPy"] = lambda: np.copyto(buffer, other)
    t, s = by_input(net), by_input(source)
    calls["different, SciPy"] = lambda: scipy_update(t, s)
    return calls


given = options(__doc__)
results = []
for n, density in LAYERS:
    net = ts.SparseMLP((n, n), density=density, threads=given.threads)
    timings = interleave(contenders(net, given.threads), seconds=given.seconds)
    ns = {t.name: t.median / net.n_connections * 1e9 for t in timings}
    quartiles = {t.name: [q / net.n_connections * 1e9 for q in (t.low, t.high)] for t in timings}
    of = {t.name: t for t in timings}
    scipy = {name: of["different, SciPy"].over(of[name]) for name in of if name.startswith(("first", "next"))}
    results.append(
        {
            "connections": net.n_connections,
            "ns_per_connection": ns,
            "quartiles": quartiles,
            "times_as_fast_as_scipy": scipy,
        }
    )
keep("soft_update", given.threads, results)
table(
    "Nanoseconds per connection",
    ["update", *(f"{r['connections']:,}" for r in results)],
    [[name, *(f"{r['ns_per_connection'][name]:.3f}" for r in results)] for name in results[0]["ns_per_connection"]]
    + [
        [f"SciPy / {name}", *(f"{r['times_as_fast_as_scipy'][name]:.1f} x" for r in results)]
        for name in results[0]["times_as_fast_as_scipy"]
    ],
)
