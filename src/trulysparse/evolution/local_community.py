"""Growth from the topology alone, where neurons share neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse.connectivity.coordinates import NewConnections
from trulysparse.errors import InputError
from trulysparse.evolution.view import LayerView

# A layer with more paths of length three is not scored place by place: so many take about a minute on one core.
MAX_PATHS = 2e10
# Where sampling repeats itself, the rest is scored place by place, if there are no more paths than this: some seconds.
MAX_PATHS_FOR_REST = 2e9


@dataclass(frozen=True)
class LocalCommunity:
    """Empty coordinates at the ends of paths of length three, by their CH2-L3n scores, on the connections that remain
    after removal. With X their 0/1 matrix (n_in, n_out), P = X X' and E_uj = (P_uj + 1) / (degree_j - P_uj) where
    P_uj > 0, the score of (u, v) is (E X)_uv plus the same from the side of the outputs. Where fewer coordinates have a
    score than are to be grown, the rest is uniform among the empty ones. No gradients, no score matrix.

    Cost: sampling draws paths at random, with exactly the probabilities that the scores give, for a few random accesses
    to memory per coordinate grown: linear in connections. Choosing the largest takes time in proportion to the paths,
    connections * degree^2; memory is linear.

    Args:
        selection: 'sampled': one by one, without replacement, with probability proportional to the score. 'largest':
            those of the largest scores, of equal ones any.

    Raises:
        InputError: where selection is neither; on use, where 'largest' would have to score more than 2e10 paths.

    Source: Zhang et al., "Brain network science modelling of sparse neural networks enables Transformers and LLMs to
        perform as fully connected", NeurIPS 2025 (CHTs; the node-based form of CH2-L3).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView
        >>> from trulysparse.evolution.local_community import LocalCommunity
        >>> matrix = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # inputs 0 and 1 share output 0
        >>> layer = ts.SparseMLP.from_matrices([matrix]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.0, key=0, threads=1, count=1)
        >>> ptr, outputs = LocalCommunity()(view)
        >>> ptr.tolist(), outputs.tolist()  # input 1 gets the other output of input 0
        ([0, 0, 1, 1], [1])
    """

    selection: str = "sampled"

    def __post_init__(self) -> None:
        checks.choice("selection", self.selection, ("sampled", "largest"))

    def __call__(self, view: LayerView) -> NewConnections:
        """view.count empty coordinates."""
        rows = view.layer.connectivity.by_input
        largest = self.selection == "largest"
        if largest:
            paths = _kernels.count_paths(rows.ptr, rows.index, view.layer.n_out)
            if paths > MAX_PATHS:
                raise InputError(
                    f"a layer with {paths:.1g} paths of length three has too many for selection='largest' (at most "
                    f"{MAX_PATHS:.0g}); use selection='sampled', which is linear in connections"
                )
        ptr, index = _kernels.grow_by_paths(
            rows.ptr,
            rows.index,
            view.layer.n_out,
            view.keep_mask,
            view.count,
            largest,
            MAX_PATHS_FOR_REST,
            view.stream("paths"),
            view.threads,
        )
        return ptr, index
