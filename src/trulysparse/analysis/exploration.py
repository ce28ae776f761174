"""How many of all possible connections training has tried."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.analysis.indexed_callback import IndexedCallback
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.sampling import keys_of
from trulysparse.errors import InputError
from trulysparse.training.callbacks.running import RunningTrainer

if TYPE_CHECKING:
    from trulysparse.training.history import Record

# Layers with up to so many coordinates get a map, one byte per coordinate; larger ones a sorted list.
MAX_MAP_SIZE = 1 << 26


def _coordinates(con: Connectivity) -> NDArray[np.int64]:
    """Each connection as input * n_out + output, ascending."""
    return keys_of((con.by_input.ptr, con.by_input.index), con.n_out)


class _ExploredCoordinates:
    """The coordinates of one layer that ever held a connection."""

    def __init__(self, n_in: int, n_out: int) -> None:
        size = n_in * n_out
        self._map = np.zeros(size, np.bool_) if size <= MAX_MAP_SIZE else None
        self._list = np.empty(0, np.int64)
        self._last: Connectivity | None = None

    def add(self, con: Connectivity) -> None:
        if con is self._last:
            return
        self._last = con
        if self._map is not None:
            self._map[_coordinates(con)] = True
        else:
            self._list = np.union1d(self._list, _coordinates(con))

    def to_array(self) -> NDArray[Any]:
        """The coordinates: of a map its bits, else the list."""
        return self._list if self._map is None else np.packbits(self._map)

    def take(self, array: NDArray[Any]) -> None:
        """Adds the coordinates that `to_array` gave; InputError where they are of another layer."""
        if self._map is None and array.dtype == np.int64 and array.ndim == 1:
            self._list = np.union1d(self._list, array)
        elif self._map is not None and array.dtype == np.uint8 and array.shape == ((len(self._map) + 7) // 8,):
            self._map |= np.unpackbits(array, count=len(self._map)).view(np.bool_)
        else:
            raise InputError(f"explored coordinates are {array.dtype}{array.shape}: they are of other layers")

    def __len__(self) -> int:
        return len(self._list) if self._map is None else int(np.count_nonzero(self._map))


class Exploration(IndexedCallback):
    """Records the exploration rate at each epoch's end as `exploration`: the fraction of all n_in * n_out coordinates
    of the evolving layers that have ever held a connection.

    Where neurons are removed during training it starts again from zero, since the others are renumbered. Memory linear
    in the coordinates explored.

    Source:
        R_s of Liu et al., "Do we actually need dense over-parameterization?", ICML 2021.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 10)), rng.integers(0, 3, 64)
        >>> exploration = analysis.Exploration()
        >>> trainer = ts.Trainer(net, evolution=ts.SET(), batch_size=16, callbacks=[exploration])
        >>> history = trainer.fit(X, y, epochs=3)
        >>> net.layers[0].connectivity.density, exploration.rate > 0.4
        (0.3, True)
    """

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Starts with the network's connections.

        Args:
            trainer: what trains.
            epochs: of the fit.
            steps: of the fit.
        """
        self._sizes: tuple[int, ...] = ()
        self._add_current(trainer)

    def on_evolution(self, trainer: RunningTrainer, grown: int) -> None:
        """Adds the connections that have grown.

        Args:
            trainer: what trains.
            grown: their number.
        """
        self._add_current(trainer)

    def _add_current(self, trainer: RunningTrainer) -> None:
        if trainer.net.layer_sizes != self._sizes:
            self._begin(trainer.net.layer_sizes)
        for explored, layer in zip(self._explored, trainer.net.layers, strict=False):
            explored.add(layer.connectivity)

    def _begin(self, sizes: Sequence[int]) -> None:
        """Starts from zero, with layers of these sizes, of which the last does not evolve."""
        self._sizes = tuple(sizes)
        evolving = list(pairwise(sizes))[: max(1, len(sizes) - 2)]
        self._explored = [_ExploredCoordinates(*each) for each in evolving]
        self._possible = sum(n_in * n_out for n_in, n_out in evolving)

    def state(self) -> dict[str, Any]:
        """The coordinates explored so far, of each layer."""
        explored = {str(number): each.to_array() for number, each in enumerate(self._explored)}
        return {"sizes": list(self._sizes), **explored}

    def load_state(self, trainer: RunningTrainer, state: dict[str, Any]) -> None:
        """Takes back what `state` gave.

        Args:
            trainer: what trains.
            state: that.

        Raises:
            InputError: where it does not hold together.
        """
        self._begin([checks.integer("sizes", size, low=1) for size in state["sizes"]])
        for number, explored in enumerate(self._explored):
            explored.take(state[str(number)])

    @property
    def rate(self) -> float:
        """The exploration rate so far, in [0, 1]."""
        return float(sum(map(len, self._explored)) / self._possible)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Writes the rate to the record.

        Args:
            trainer: what trains.
            record: of the epoch.
        """
        record["exploration"] = self.rate
