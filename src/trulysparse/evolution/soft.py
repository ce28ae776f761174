"""Soft removal: connections remain at random, strong ones more often."""

from __future__ import annotations

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse.connectivity.coordinates import KeepMask
from trulysparse.errors import InputError
from trulysparse.evolution.view import LayerView
from trulysparse.nn.layers.tiled import TiledLayer


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
