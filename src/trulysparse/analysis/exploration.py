"""How much of all possible connections training has tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.sampling import keys_of
from trulysparse.errors import InputError
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData
    from trulysparse.training.history import Record

_MAP_PLACES = 1 << 26  # up to so many places a layer a byte each; beyond, the places themselves


def places(con: Connectivity) -> NDArray[np.int64]:
    """Each connection as input * n_out + output, ascending."""
    return keys_of((con.by_input.ptr, con.by_input.index), con.n_out)


class _Seen:
    """The places of one layer that ever held a connection."""

    def __init__(self, con: Connectivity) -> None:
        self._size = con.n_in * con.n_out
        self._map = np.zeros(self._size, np.bool_) if self._size <= _MAP_PLACES else None
        self._places = np.empty(0, np.int64)
        self._last: Connectivity | None = None

    def add(self, con: Connectivity) -> None:
        if con is self._last:
            return
        self._last = con
        if self._map is not None:
            self._map[places(con)] = True
        else:
            self._places = np.union1d(self._places, places(con))

    def __len__(self) -> int:
        return len(self._places) if self._map is None else int(np.count_nonzero(self._map))


class Exploration(Callback):
    """Records the exploration rate at each epoch's end as `exploration`: the share of all n_in * n_out places of the
    evolving layers that have ever held a connection (R_s of Liu et al., "Do we actually need dense
    over-parameterization?", ICML 2021). It needs neurons that keep their places: where neurons are removed during
    training it starts anew. Memory linear in the places tried."""

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Refuses networks whose connections are not indexed by neuron."""
        if trainer.net.storage_config.tiled:
            raise InputError(
                f"{type(self).__name__} needs a network with storage='indexed', not 'compact': see net.indexed()"
            )

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Starts with the network's connections."""
        self._sizes: tuple[int, ...] = ()
        self._look(trainer)

    def on_evolution(self, trainer: RunningTrainer, grown: int) -> None:
        """Adds what has grown."""
        self._look(trainer)

    def _look(self, trainer: RunningTrainer) -> None:
        layers = trainer.net.layers if len(trainer.net.layers) == 1 else trainer.net.layers[:-1]
        if trainer.net.layer_sizes != self._sizes:
            self._sizes = trainer.net.layer_sizes
            self._seen = [_Seen(layer.connectivity) for layer in layers]
        for seen, layer in zip(self._seen, layers, strict=True):
            seen.add(layer.connectivity)
        self._possible = sum(layer.n_in * layer.n_out for layer in layers)

    @property
    def rate(self) -> float:
        """The share so far."""
        return float(sum(map(len, self._seen)) / self._possible)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Writes the rate to the record."""
        record["exploration"] = self.rate
