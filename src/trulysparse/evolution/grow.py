"""Growth rules: where a layer grows new connections.

A rule is a function of a LayerView that returns view.count distinct empty coordinates as rows by input neuron. A rule
with needs_gradient = True sees x and dy. A rule that also works on tiled layers (storage='compact') declares it,
storages = {"indexed", "tiled"}, and returns Uniform(view.count) for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.connectivity.coordinates import (
    ANY,
    KeepMask,
    NewConnections,
    Uniform,
    absent,
    chosen,
    nothing,
    works_with,
)
from trulysparse.connectivity.sampling import sample_weighted
from trulysparse.errors import InputError
from trulysparse.evolution.view import LayerView
from trulysparse.nn.layers.tiled import TiledLayer

# A layer whose dense gradient takes more multiply-adds is refused: that many take minutes on one core.
MAX_MULTIPLY_ADDS = 1e13


class Grow(Protocol):
    """Where a layer grows."""

    def __call__(self, view: LayerView, /) -> NewConnections | Uniform:
        """view.count empty coordinates."""


@works_with(ANY)
def uniform(view: LayerView) -> NewConnections | Uniform:
    """Any empty coordinates, those just emptied included, every subset equally likely. Linear in connections.

    Args:
        view: the layer, pruned.

    Returns:
        view.count coordinates as rows by input neuron: row pointers, int64 (n_in + 1,), and output neurons, int32.

    Example:
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, grow
        >>> layer = ts.SparseMLP.from_matrices([sp.eye_array(2)]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.0, key=0, threads=1, count=2)
        >>> ptr, outputs = grow.uniform(view)  # the only two
        >>> ptr.tolist(), outputs.tolist()
        ([0, 1, 2], [1, 0])
    """
    if isinstance(view.layer, TiledLayer):
        return Uniform(view.count)
    return _uniform(view, view.keep_mask, view.count, "grow")


def uniform_excluding_pruned(view: LayerView) -> NewConnections:
    """As `uniform`, but not where a connection has just been removed, as long as enough other coordinates are empty.

    Args:
        view: the layer, pruned.

    Returns:
        view.count coordinates as rows by input neuron.

    Example:
        >>> import numpy as np
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, grow
        >>> layer = ts.SparseMLP.from_matrices([sp.eye_array(3)]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.0, key=0, threads=1, count=1)
        >>> view.keep_mask = (layer.values < 0).astype(np.uint8)  # all are removed
        >>> ptr, outputs = grow.uniform_excluding_pruned(view)
        >>> int(outputs[0]) != int(ptr.searchsorted(1)) - 1  # not on the diagonal
        True
    """
    n_empty_before = view.layer.n_in * view.layer.n_out - view.layer.n_connections
    return _uniform(view, None if view.count <= n_empty_before else view.keep_mask, view.count, "grow")


@works_with(ANY)
def no_growth(view: LayerView) -> NewConnections | Uniform:
    """No coordinates: connections are only removed.

    Args:
        view: the layer, pruned.

    Returns:
        Empty rows.

    Example:
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, grow
        >>> layer = ts.SparseMLP.from_matrices([sp.eye_array(3)]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.0, key=0, threads=1, count=1)
        >>> ptr, outputs = grow.no_growth(view)
        >>> len(outputs)
        0
    """
    if isinstance(view.layer, TiledLayer):
        return Uniform(0)
    return nothing(view.layer.n_in)


def _uniform(view: LayerView, keep_mask: KeepMask | None, count: int, purpose: str) -> NewConnections:
    rows = view.layer.connectivity.by_input
    ptr, index = _kernels.sample_empty(
        rows.ptr, rows.index, view.layer.n_out, keep_mask, count, view.stream(purpose), view.threads
    )
    return ptr, index


class LargestGradient:
    """The empty coordinates where |loss gradient| is largest on the current batch, exactly. The dense gradient is
    computed tile by tile and not stored: time n_in * n_out * batch, memory linear in the number grown. For layers whose
    n_in * n_out is too large see GuidedGradient.

    Source: Evci et al. (2020), section 3 (RigL).

    Example:
        >>> import numpy as np
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, grow
        >>> layer = ts.SparseMLP.from_matrices([sp.eye_array(3)]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.0, key=0, threads=1, count=1)
        >>> view.x, view.dy = np.zeros((3, 32), np.float32), np.zeros((3, 32), np.float32)
        >>> view.x[0], view.dy[1] = 1, 1  # input 0 and output 1 are active
        >>> ptr, outputs = grow.LargestGradient()(view)
        >>> ptr.tolist(), outputs.tolist()  # from input 0 to output 1
        ([0, 1, 1, 1], [1])
    """

    needs_gradient: ClassVar[bool] = True

    def __call__(self, view: LayerView) -> NewConnections:
        """view.count empty coordinates."""
        x, dy = view.require_batch()
        work = view.layer.n_in * view.layer.n_out * x.shape[1]
        if work > MAX_MULTIPLY_ADDS:
            raise InputError(
                f"the exact gradient of a layer {view.layer.n_in} x {view.layer.n_out} takes {work:.1g} multiply-adds; "
                f"above {MAX_MULTIPLY_ADDS:.0g}, grow by GuidedGradient (the method GSE), linear in connections"
            )
        rows = view.layer.connectivity.by_input
        ptr, index = _kernels.grow_by_gradient(rows.ptr, rows.index, view.keep_mask, x, dy, view.count, view.threads)
        return ptr, index


@dataclass(frozen=True)
class GuidedGradient:
    """Of a random set of empty coordinates, those where |loss gradient| is largest. Time and memory linear in
    connections.

    Args:
        candidates: size of the random set, as a multiple of the layer's connections (gamma in the paper).
        distribution: 'uniform', or 'bound', which draws (i, j) with probability proportional to
            sum|x_i| * sum|dy_j|, an upper bound of the gradient.

    Source: Heddes et al. (2024), algorithm 1 (GSE).

    Example:
        >>> import numpy as np
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, grow
        >>> layer = ts.SparseMLP.from_matrices([sp.eye_array(3)]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.0, key=0, threads=1, count=1)
        >>> view.x, view.dy = np.zeros((3, 32), np.float32), np.zeros((3, 32), np.float32)
        >>> view.x[0], view.dy[1] = 1, 1  # input 0 and output 1 are active
        >>> ptr, outputs = grow.GuidedGradient(candidates=2.0)(view)
        >>> ptr.tolist(), outputs.tolist()  # from input 0 to output 1
        ([0, 1, 1, 1], [1])
    """

    candidates: float = 1.0
    distribution: str = "uniform"
    needs_gradient: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.real("candidates", self.candidates, low=0, low_open=True)
        checks.choice("distribution", self.distribution, ("uniform", "bound"))

    def __call__(self, view: LayerView) -> NewConnections:
        """view.count empty coordinates."""
        wanted = min(view.n_empty, max(view.count, round(self.candidates * view.layer.n_connections)))
        if self.distribution == "uniform":
            coordinates = _uniform(view, view.keep_mask, wanted, "candidates")
        else:
            x, dy = view.require_batch()
            coordinates = weighted(view, np.abs(x).sum(axis=1), np.abs(dy).sum(axis=1), wanted)
        return best(view, coordinates, view.gradient_at(coordinates))


@dataclass(frozen=True)
class Active:
    """Coordinates between active neurons: (i, j) with probability proportional to mean|x_i| on the current batch times
    the sum of |incoming weights| of j. Time and memory linear in connections.

    Example:
        >>> import numpy as np
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, grow
        >>> layer = ts.SparseMLP.from_matrices([sp.eye_array(3)]).layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.0, key=0, threads=1, count=1)
        >>> view.x, view.dy = np.zeros((3, 32), np.float32), np.zeros((3, 32), np.float32)
        >>> view.x[0] = 1  # only input 0 is active
        >>> ptr, outputs = grow.Active()(view)
        >>> ptr.tolist(), int(outputs[0]) in (1, 2)
        ([0, 1, 1, 1], True)
    """

    needs_gradient: ClassVar[bool] = True

    def __call__(self, view: LayerView) -> NewConnections:
        """view.count empty coordinates."""
        x, _ = view.require_batch()
        rows = view.layer.connectivity.by_input
        incoming = np.bincount(rows.index, weights=np.abs(view.layer.values), minlength=view.layer.n_out)
        return weighted(view, np.abs(x).sum(axis=1), incoming, view.count)


def best(view: LayerView, coordinates: NewConnections, scores: Floats) -> NewConnections:
    """Of the given coordinates the view.count with the largest |score|."""
    keep_mask = np.empty(len(scores), np.uint8)
    _kernels.keep_by_magnitude([scores], len(scores) - view.count, [keep_mask], view.threads)
    return chosen(coordinates, keep_mask, view.threads)


def weighted(view: LayerView, of_input: NDArray[Any], of_output: NDArray[Any], count: int) -> NewConnections:
    """`count` empty coordinates, (i, j) with probability proportional to of_input[i] * of_output[j]; see
    sample_weighted."""

    def empty(coordinates: NewConnections) -> NDArray[np.bool_]:
        rows = view.layer.connectivity.by_input
        return absent(coordinates, (rows.ptr, rows.index), view.threads, view.keep_mask).astype(np.bool_)

    random = np.random.Generator(np.random.Philox(key=view.stream("weighted")))
    return sample_weighted(
        of_input, of_output, count, random, empty, lambda: _uniform(view, view.keep_mask, view.n_empty, "rest")
    )
