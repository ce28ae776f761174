"""Growth by CH2-L3n scores (plain form)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from trulysparse.connectivity.coordinates import NewConnections
from trulysparse.connectivity.sampling import coordinates_of
from trulysparse.evolution.view import LayerView


@dataclass(frozen=True)
class LocalCommunity:
    """Growth where the local community is strong."""

    selection: str = "sampled"

    def __call__(self, view: LayerView) -> NewConnections:
        """view.count empty coordinates."""
        rows, n_in, n_out = view.layer.connectivity.by_input, view.layer.n_in, view.layer.n_out
        keep = np.ones(len(rows.index), bool) if view.keep_mask is None else view.keep_mask > 0
        owner = np.repeat(np.arange(n_in), np.diff(rows.ptr))
        X = sp.csr_array((np.ones(keep.sum()), (owner[keep], rows.index[keep])), shape=(n_in, n_out))

        def community(a: sp.csr_array) -> sp.csr_array:
            P = (a @ a.T).tocsr()
            degree = np.asarray(a.sum(axis=1)).ravel()
            P.data = (P.data + 1) / np.maximum(degree[P.indices] - P.data, 1)
            return P

        score = (community(X) @ X + (community(X.T.tocsr()) @ X.T.tocsr()).T).tocoo()
        keys = score.row.astype(np.int64) * n_out + score.col
        taken = owner[keep].astype(np.int64) * n_out + rows.index[keep]
        free = ~np.isin(keys, taken) & (score.data > 0)
        keys, value = keys[free], score.data[free]
        random = np.random.Generator(np.random.Philox(key=view.stream("paths")))
        order = np.argsort(-(np.log(value) + random.gumbel(size=len(value))))[: view.count]
        chosen = keys[order]
        if len(chosen) < view.count:
            every = np.setdiff1d(np.arange(n_in * n_out), np.concatenate([taken, chosen]))
            chosen = np.concatenate([chosen, random.choice(every, view.count - len(chosen), replace=False)])
        return coordinates_of(np.sort(chosen), n_in, n_out)
