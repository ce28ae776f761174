"""LayerViews and references that the tests of the rules share."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from trulysparse import _kernels
from trulysparse._core.arrays import zeros
from trulysparse.evolution import LayerView, prune
from trulysparse.optim import OptimizerState

BATCH = 32


def view_of(sizes=(30, 40), epsilon=3.0, fraction=0.3, *, seed=0, dtype="float32", batch=BATCH, threads=2):
    net = ts.SparseMLP((*sizes, 2), epsilon=epsilon, seed=seed, dtype=dtype)
    layer = net.layers[0]
    rng = np.random.default_rng(seed)
    stride = _kernels.padded_batch(batch)
    x, dy = (zeros(n * stride, net.dtype).reshape(n, stride) for n in sizes)
    x[:, :batch] = rng.standard_normal((sizes[0], batch))
    dy[:, :batch] = rng.standard_normal((sizes[1], batch))
    optimizer_state = OptimizerState(
        [rng.standard_normal(layer.n_connections).astype(dtype)], [np.zeros(layer.n_out, dtype)]
    )
    return LayerView(layer, optimizer_state, 0, fraction, 7, threads, x=x, dy=dy)


def pairs(ptr, index):
    return set(zip(np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)).tolist(), index.tolist(), strict=True))


def existing(view, kept_only=False):
    rows = view.layer.connectivity.by_input
    all_pairs = list(
        zip(np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr)).tolist(), rows.index.tolist(), strict=True)
    )
    return {p for p, k in zip(all_pairs, view.keep_mask, strict=True) if k or not kept_only}


def check_coordinates(view, coordinates):
    """view.count distinct empty coordinates, sorted, none of them kept."""
    ptr, index = coordinates
    assert len(index) == view.count
    assert ptr[0] == 0
    assert ptr[-1] == len(index)
    for r in range(len(ptr) - 1):
        assert (np.diff(index[ptr[r] : ptr[r + 1]]) > 0).all()
    chosen = pairs(ptr, index)
    assert not chosen & existing(view, kept_only=True)
    assert all(0 <= i < view.layer.n_in and 0 <= j < view.layer.n_out for i, j in chosen)
    return chosen


def pruned(view):
    view.keep_mask = prune.magnitude(view)
    view.count = view.removed
    return view
