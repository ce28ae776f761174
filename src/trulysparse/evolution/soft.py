"""Soft removal: the connections that stay are drawn at random, larger ones more likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trulysparse._core import checks
from trulysparse._core.arrays import Floats, widened
from trulysparse.connectivity.coordinates import ANY, INDEXED, KeepMask
from trulysparse.evolution.view import LayerView
from trulysparse.nn.layers.indexed import IndexedLayer

REMOVALS = ("wm", "ri")


def relative_importance(layer: IndexedLayer) -> Floats:
    """|w| / sum of the |w| out of its input neuron + |w| / sum of those into its output neuron, of each connection."""
    rows, size = layer.connectivity.by_input, np.abs(layer.values)
    owner = np.repeat(np.arange(layer.n_in, dtype=np.int32), np.diff(rows.ptr))
    out = np.zeros(len(size), np.float64)
    for index, n in ((owner, layer.n_in), (rows.index, layer.n_out)):
        sums = np.bincount(index, weights=size, minlength=n)
        out += size / np.where(sums > 0, sums, 1)[index]
    return out.astype(layer.values.dtype)


def soft(view: LayerView, power: float, *, relative: bool = False, count: int | None = None) -> KeepMask:
    """Removes `count` connections; those that stay are drawn without replacement with p ~ s^power."""
    n = view.layer.n_connections
    assert isinstance(view.layer, IndexedLayer) or not relative
    scores = relative_importance(view.layer) if relative else np.abs(widened(view.layer.values))  # type: ignore[arg-type]
    random = np.random.Generator(np.random.Philox(key=view.stream("soft")))
    count = int(view.fraction * n) if count is None else count
    with np.errstate(divide="ignore"):
        keys = power * np.log(np.maximum(scores.astype(np.float64), 1e-12)) + random.gumbel(size=n)
    keep_mask = np.ones(n, np.uint8)
    if count:
        keep_mask[np.argpartition(keys, count - 1)[:count]] = 0
    return keep_mask


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
