"""What a prune or growth rule sees: one layer at the moment of its evolution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty, zeros
from trulysparse._core.random import stream_key
from trulysparse.connectivity.coordinates import KeepMask, NewConnections, Uniform, absent, chosen
from trulysparse.errors import InputError
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.optim import OptimizerState


@dataclass
class LayerView:
    """One layer in one evolution step, as prune, growth and budget rules see it.

    Args:
        layer: the layer: `connectivity`, and `values`, its weights in the order of `connectivity.by_input`.
        optimizer_state: the layer's optimizer state.
        number: of the layer, from 0.
        fraction: of the layer's connections to replace now, in [0, 1].
        key: of this evolution's random streams; see `stream`.
        threads: threads that kernels may use.
        rule_state: a dictionary that the layer's rules find again at the next evolution.
        x: the layer's input on the current batch, (n_in, stride), samples along rows; None where no rule needs
            gradients.
        dy: the loss gradient at the layer's pre-activation, (n_out, stride), or None likewise.
        keep_mask: the prune rule's decision, uint8 (n_connections,): 1 for connections that remain.
        new_values: weights that the layer is to have when the step is applied, or None: those it has.
        new_connections: the growth rule's decision: rows by input neuron, or Uniform for tiled layers.
        count: connections to grow.
        elapsed: part of the time until the end of evolution that is over, 0 to 1.
        surplus: connections that the layer loses for good now: so many fewer grow than are removed.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import LayerView, prune
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> layer = net.layers[0]
        >>> view = LayerView(layer, layer.new_state(ts.SGD()), number=0, fraction=0.5, key=1, threads=1)
        >>> view.keep_mask = prune.magnitude(view)
        >>> layer.n_connections, view.removed, view.n_empty
        (60, 30, 170)
    """

    layer: IndexedLayer | TiledLayer
    optimizer_state: OptimizerState
    number: int
    fraction: float
    key: int
    threads: int
    rule_state: dict[str, Any] = field(default_factory=dict)
    x: Floats | None = None
    dy: Floats | None = None
    keep_mask: KeepMask | None = None
    new_values: Floats | None = None
    new_connections: NewConnections | Uniform | None = None
    count: int = 0
    elapsed: float = 0.0
    surplus: int = 0

    def stream(self, purpose: str) -> int:
        """The key of this layer's random stream for `purpose`.

        Args:
            purpose: any name; another name gives an independent stream.

        Returns:
            A key of 64 bits.
        """
        return stream_key(self.key, purpose, self.number)

    @property
    def removed(self) -> int:
        """Connections that the prune rule removes."""
        return 0 if self.keep_mask is None else self.layer.n_connections - int(np.count_nonzero(self.keep_mask))

    @property
    def lost(self) -> int:
        """Connections that the prune rule removes and the number of connections does not: they are to be regrown."""
        return max(0, self.removed - self.surplus)

    @property
    def n_empty(self) -> int:
        """Coordinates without a connection once the prune rule's decision is applied."""
        return self.layer.n_in * self.layer.n_out - self.layer.n_connections + self.removed

    def count_regrown(self) -> None:
        """Adds to rule_state how many connections are removed, 'n_removed', and how many of them are chosen to grow
        again, 'n_regrown'."""
        regrown = 0
        if self.count and self.new_connections is not None and not isinstance(self.new_connections, Uniform):
            rows = self.layer.connectivity.by_input
            regrown = self.count - int(
                np.count_nonzero(absent(self.new_connections, (rows.ptr, rows.index), self.threads))
            )
        for name, number in (("n_removed", self.removed), ("n_regrown", regrown)):
            self.rule_state[name] = self.rule_state.get(name, 0) + number

    def restore_regrown(self) -> None:
        """Keeps connections that were removed and chosen to grow again, with weight and state, instead."""
        if (
            self.keep_mask is None
            or self.new_connections is None
            or isinstance(self.new_connections, Uniform)
            or not self.count
        ):
            return
        rows = self.layer.connectivity.by_input
        existing = (rows.ptr, rows.index)
        is_new = absent(self.new_connections, existing, self.threads)
        if is_new.all():
            return
        regrown = chosen(self.new_connections, 1 - is_new, self.threads)
        self.keep_mask = self.keep_mask | (1 - absent(existing, regrown, self.threads))
        self.new_connections = chosen(self.new_connections, is_new, self.threads)
        self.count = len(self.new_connections[1])

    def set_batch(self, x: Floats | None, dy: Floats | None) -> None:
        """Takes the current batch for rules that need gradients, with columns added as the kernels need them.

        Args:
            x: the layer's input, (n_in, samples), of the type of its weights; columns of padding are zero in dy.
            dy: the loss gradient at its pre-activation, (n_out, samples).

        Raises:
            InputError: where one of them has another type or shape.
        """
        if x is not None and dy is not None:
            columns = np.shape(x)[1] if np.ndim(x) == 2 else 0
            check_batch("x", x, (self.layer.n_in, columns), self.layer.values.dtype)
            check_batch("dy", dy, (self.layer.n_out, columns), self.layer.values.dtype)
            x, dy = padded(x), padded(dy)
        self.x, self.dy = x, dy

    def require_batch(self) -> tuple[Floats, Floats]:
        """The arrays of the current batch.

        Returns:
            x (n_in, stride) and dy (n_out, stride).

        Raises:
            InputError: where this evolution has no batch.
        """
        if self.x is None or self.dy is None:
            raise InputError("this rule needs gradients: declare needs_gradient = True on it, or give evolve a batch")
        return self.x, self.dy

    def gradient(self) -> Floats:
        """The loss gradient along the layer's connections.

        Returns:
            (n_connections,), in the order of connectivity.by_input.

        Raises:
            InputError: where this evolution has no batch.
        """
        known = self.optimizer_state.known_gradient()
        if known is not None:
            return known
        rows = self.layer.connectivity.by_input
        return self.gradient_at((rows.ptr, rows.index))

    def gradient_at(self, coordinates: NewConnections) -> Floats:
        """The loss gradient at any coordinates, connected or not, in time coordinates * batch.

        Args:
            coordinates: rows by input neuron: row pointers, int64 (n_in + 1,), and output neurons, int32.

        Returns:
            One value per coordinate, in their order.

        Raises:
            InputError: where this evolution has no batch.
        """
        x, dy = self.require_batch()
        ptr, index = coordinates
        out = empty(len(index), self.layer.values.dtype)
        _kernels.gradient_at(ptr, index, x, dy, out, self.threads)
        return out


def check_batch(name: str, array: object, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
    """InputError where an array is not a batch of one row per neuron."""
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype or not array.size:
        given = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise InputError(f"{name} must be {dtype} of shape ({shape[0]}, samples), as many in x and dy, not {given}")


def padded(array: Floats) -> Floats:
    """The array itself or, where its columns are not as many as the kernels take at a time, a copy with zeros."""
    rows, columns = array.shape
    stride = int(_kernels.padded_batch(columns))
    if stride == columns:
        return np.ascontiguousarray(array)
    padded: Floats = zeros(rows * stride, array.dtype).reshape(rows, stride)
    padded[:, :columns] = array
    return padded


def check_keep_mask(view: LayerView, rule: object) -> None:
    """InputError where a prune rule has not returned one mark per connection."""
    mask, n = view.keep_mask, view.layer.n_connections
    if not isinstance(mask, np.ndarray) or mask.dtype != np.uint8 or mask.shape != (n,):
        given = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise InputError(
            f"{_name(rule)} must return a uint8 keep mask of shape ({n},), one mark per connection, not {given}"
        )


def check_new_connections(view: LayerView, rule: object) -> None:
    """InputError where a growth rule has not returned view.count coordinates. Rules from outside the package are also
    checked coordinate by coordinate: in range, each once, and empty."""
    assert view.new_connections is not None
    if isinstance(view.layer, TiledLayer):
        if not isinstance(view.new_connections, Uniform) or view.new_connections.count != view.count:
            raise InputError(
                f"{_name(rule)} must return Uniform({view.count}) for a layer with storage='compact', not "
                f"{view.new_connections!r}"
            )
        return
    name, n_in, n_out = _name(rule), view.layer.n_in, view.layer.n_out
    if not isinstance(view.new_connections, tuple) or len(view.new_connections) != 2:
        raise InputError(
            f"{name} must return coordinates (row pointers, output neurons), not {type(view.new_connections).__name__}"
        )
    ptr, index = view.new_connections
    fits = ptr.dtype == np.int64 and index.dtype == np.int32
    fits = fits and ptr.shape == (n_in + 1,) and index.shape == (view.count,)
    if not fits or ptr[0] != 0 or ptr[-1] != view.count:
        raise InputError(
            f"{name} must return {view.count} coordinates: row pointers, int64 ({n_in + 1},), and output neurons, "
            f"int32 ({view.count},), not {ptr.dtype} {ptr.shape} and {index.dtype} {index.shape}"
        )
    if getattr(rule, "__module__", "").startswith("trulysparse."):
        return
    if _kernels.first_invalid(ptr, index, n_out) >= 0:
        raise InputError(f"{name} must return outputs from 0 to {n_out - 1}, ascending and each once within a row")
    rows = view.layer.connectivity.by_input
    n_taken = view.count - np.count_nonzero(absent((ptr, index), (rows.ptr, rows.index), view.threads, view.keep_mask))
    if n_taken:
        raise InputError(f"{name} returned {n_taken} coordinates that hold a connection that remains")


def _name(rule: object) -> str:
    return getattr(rule, "__name__", type(rule).__name__)
