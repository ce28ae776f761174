"""Growth between neurons that are active together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats, empty
from trulysparse.connectivity.coordinates import NewConnections, absent, chosen
from trulysparse.errors import InputError
from trulysparse.evolution.grow import MAX_MULTIPLY_ADDS, uniform
from trulysparse.evolution.view import LayerView
from trulysparse.nn.activations_buffer import Activations

# Where so large a share of the choice has just been removed, mix='seq' goes over to random growth.
STALLED = 0.5


@dataclass(frozen=True)
class CosineSimilarity:
    """The empty coordinates (i, j) where |cosine| between the activations of input i and of output j on the current
    batch is largest, exactly. Cosines are computed tile by tile and not stored: time n_in * n_out * batch, memory
    linear in the number grown and in the layer's activations. The outputs' activations are computed from x with the
    layer's weights as they are, without dropout of the outputs. A neuron that is never active has cosine 0.

    Args:
        mix: what keeps the same coordinates from being removed and grown again and again. 'sim': those of the choice
            that have just been removed are replaced by uniformly random empty ones. 'seq': once more than half of a
            layer's choice has just been removed, all later growth of this layer is uniformly random.

    Raises:
        InputError: where mix is neither; on use, where the layer would take more than 1e13 multiply-adds.

    Source: Atashgahi et al., "A brain-inspired algorithm for training highly sparse neural networks", Machine Learning
        111 (2022), algorithm 1 (CTRE). There cosines are over all training samples, and 'seq' goes over to random
        growth when the accuracy on validation samples has stalled for 40 epochs.

    Example:
        >>> import numpy as np
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView
        >>> from trulysparse.evolution.similarity import CosineSimilarity
        >>> layer = ts.SparseMLP.from_matrices([sp.eye_array(3)]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.0, key=0, threads=1, count=1)
        >>> x = np.array([[1, 0, 2, 0], [0, 1, 0, 0], [0.9, 0, 2, 0]], np.float32)  # inputs 0 and 2 are active together
        >>> view.set_batch(x, np.ones((3, 4), np.float32))
        >>> ptr, outputs = CosineSimilarity()(view)
        >>> ptr.tolist(), outputs.tolist()  # output 2 repeats input 2
        ([0, 1, 1, 1], [2])
    """

    mix: str = "sim"
    needs_gradient: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.choice("mix", self.mix, ("sim", "seq"))

    def __call__(self, view: LayerView) -> NewConnections:
        """view.count empty coordinates."""
        if view.rule_state.get("random_growth"):
            drawn = uniform(view)
            assert isinstance(drawn, tuple)
            return drawn
        x, dy = view.require_batch()
        work = view.layer.n_in * view.layer.n_out * x.shape[1]
        if work > MAX_MULTIPLY_ADDS:
            raise InputError(
                f"the exact cosines of a layer {view.layer.n_in} x {view.layer.n_out} take {work:.1g} multiply-adds; "
                f"above {MAX_MULTIPLY_ADDS:.0g}, grow by LocalCommunity, linear in connections"
            )
        samples = n_samples(dy)
        rows = view.layer.connectivity.by_input
        x, y = _of_length_one(x, samples), _of_length_one(own_output(view), samples)
        choice = _kernels.grow_by_gradient(rows.ptr, rows.index, view.keep_mask, x, y, view.count, view.threads)
        is_new = absent(choice, (rows.ptr, rows.index), view.threads)
        n_regrown = view.count - int(np.count_nonzero(is_new))
        if self.mix == "sim" and n_regrown:
            return _with_random(view, chosen(choice, is_new, view.threads), n_regrown)
        if self.mix == "seq" and n_regrown > STALLED * view.count:
            view.rule_state["random_growth"] = 1.0
        return choice


def own_output(view: LayerView) -> Floats:
    """The layer's activations for view.x, as in a prediction: (n_out, stride)."""
    x, _ = view.require_batch()
    layer, stride = view.layer, x.shape[1]
    y = empty(layer.n_out * stride, layer.values.dtype).reshape(layer.n_out, stride)
    layer.forward(Activations(x), Activations(y, layer.activation), 0, view.threads)
    return y


def n_samples(dy: Floats) -> int:
    """How many columns are samples.

    Args:
        dy: a loss gradient, (n_neurons, columns).

    Returns:
        Columns up to the last one with a gradient: those after are padding, or samples that nothing is learned from.
    """
    with_gradient = np.flatnonzero(dy.any(axis=0))
    return int(with_gradient[-1]) + 1 if len(with_gradient) else dy.shape[1]


def _of_length_one(rows: Floats, samples: int) -> Floats:
    """Each row divided by its length over the samples; 0 in the columns after them, and where a row is 0."""
    out: Floats = rows.copy()
    out[:, samples:] = 0
    length = np.sqrt(np.einsum("ij,ij->i", out, out, dtype=np.float64))
    out /= np.where(length > 0, length, 1).astype(out.dtype)[:, None]
    return out


def _with_random(view: LayerView, choice: NewConnections, n: int) -> NewConnections:
    """The choice and n uniformly random ones of the other empty coordinates."""
    rows, threads = view.layer.connectivity.by_input, view.threads
    keep_mask = np.ones(view.layer.n_connections, np.uint8) if view.keep_mask is None else view.keep_mask
    ptr, index, _ = _kernels.rewire(rows.ptr, rows.index, keep_mask, *choice, [], None, threads)
    drawn = _kernels.sample_empty(ptr, index, view.layer.n_out, None, n, view.stream("grow"), threads)
    all_kept = np.ones(len(choice[1]), np.uint8)
    ptr, index, _ = _kernels.rewire(*choice, all_kept, *drawn, [], None, threads)
    return ptr, index
