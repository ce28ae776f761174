"""Soft removal: connections remain at random, strong ones more often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.connectivity.coordinates import ANY, INDEXED, KeepMask
from trulysparse.errors import InputError
from trulysparse.evolution.view import LayerView
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.layers.tiled import TiledLayer

REMOVALS = ("wm", "ri")


def soft(view: LayerView, power: float, *, relative: bool = False, count: int | None = None) -> KeepMask:
    """Removes a number of connections; those that remain are drawn one by one, without replacement, with probability
    proportional to their strength raised to a power. Time and memory linear in connections.

    Args:
        view: the layer.
        power: at least 0. At 0 every connection is as likely to remain as another; the larger, the closer to keeping
            the strongest. In the source delta / (1 - delta): 1 to 3 for MLPs, up to 9 for transformers.
        relative: the strength of a connection is its |weight| (False), or its share of the sum of |weights| out of its
            input neuron plus its share of that into its output neuron (True; for indexed layers only).
        count: how many to remove, 0 to n_connections; None: the view's fraction, rounded down.

    Returns:
        The keep mask, uint8 (n_connections,).

    Raises:
        InputError: where power or count is out of range, or relative is asked of a layer with storage='compact'.

    Source: Zhang et al., "Brain network science modelling of sparse neural networks enables Transformers and LLMs to
        perform as fully connected", NeurIPS 2025, section 3 (weight magnitude, relative importance). Drawn by keys:
        Efraimidis and Spirakis (2006).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView
        >>> from trulysparse.evolution.soft import soft
        >>> layer = ts.SparseMLP.from_matrices([np.array([[1e-6, -0.4], [0.3, -1e-6]])]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=0, threads=1)
        >>> soft(view, power=3.0).tolist()
        [0, 1, 1, 0]
    """
    checks.real("power", power, low=0)
    layer, n = view.layer, view.layer.n_connections
    remove = int(view.fraction * n) if count is None else checks.integer("count", count, low=0, high=n)
    keep_mask = np.empty(n, np.uint8)
    key = view.stream("soft")
    if not relative:
        _kernels.soft_keep(layer.values, power, remove, key, keep_mask, view.threads)
        return keep_mask
    if isinstance(layer, TiledLayer):
        raise InputError(
            "relative importance needs sums over both sides of each connection: the layer's storage must be 'indexed', "
            "not 'compact'; use relative=False, or net.indexed()"
        )
    con = layer.connectivity
    out_of_input, into_output = np.empty(con.n_in), np.empty(con.n_out)
    _kernels.strength(con.by_input.ptr, con.by_input.index, None, layer.values, out_of_input, view.threads)
    _kernels.strength(con.by_output.ptr, con.by_output.index, con.position, layer.values, into_output, view.threads)
    _kernels.soft_keep_relative(
        con.by_input.ptr,
        con.by_input.index,
        layer.values,
        out_of_input,
        into_output,
        power,
        remove,
        key,
        keep_mask,
        view.threads,
    )
    return keep_mask


def relative_importance(layer: IndexedLayer) -> Floats:
    """|w| / sum of the |w| out of its input neuron + |w| / sum of those into its output neuron, of each connection."""
    rows, size = layer.connectivity.by_input, np.abs(layer.values)
    owner = np.repeat(np.arange(layer.n_in, dtype=np.int32), np.diff(rows.ptr))
    out = np.zeros(len(size), np.float64)
    for index, n in ((owner, layer.n_in), (rows.index, layer.n_out)):
        sums = np.bincount(index, weights=size, minlength=n)
        out += size / np.where(sums > 0, sums, 1)[index]
    return out.astype(layer.values.dtype)


@dataclass(frozen=True)
class Soft:
    """Prune rule: of a layer's connections (1 - fraction) stay, drawn without replacement with probability ~ s^T.

    T rises along a line until the end of evolution: from nearly random removal to nearly removal of the smallest. In
    the source T = delta / (1 - delta): 1 is delta = 0.5, 3 is 0.75 (its MLPs), 9 is 0.9 (its language models).

    Args:
        removal: the score s: 'wm', weight magnitude |w|; 'ri', relative importance, |w| / row sum + |w| / column sum.
        start: T at the start of training, at least 0.
        end: T at the end of evolution, at least 0.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Zhang et al., "Brain network science modelling of sparse neural networks enables Transformers and LLMs to
        perform as fully connected", NeurIPS 2025 (arXiv 2501.19107), soft link removal.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, prune
        >>> layer = ts.SparseMLP.from_matrices([np.array([[1e-9, -0.4], [0.3, 1e-9]])]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=0, threads=1, elapsed=1.0)
        >>> prune.Soft("ri")(view).tolist()  # of 0, 0.3, -0.4, 0
        [0, 1, 1, 0]
    """

    removal: str = "wm"
    start: float = 1.0
    end: float = 9.0
    needs_progress: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.choice("removal", self.removal, REMOVALS)
        checks.real("start", self.start, low=0)
        checks.real("end", self.end, low=0)

    @property
    def storages(self) -> frozenset[str]:
        """Relative importance needs the index."""
        return ANY if self.removal == "wm" else INDEXED

    def __call__(self, view: LayerView) -> KeepMask:
        """The keep mask of one layer."""
        power = self.start + (self.end - self.start) * view.elapsed
        return soft(view, power, relative=self.removal == "ri")
