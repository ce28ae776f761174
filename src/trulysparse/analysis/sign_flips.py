"""How many weights change their sign from epoch to epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.analysis.indexed_callback import IndexedCallback
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.coordinates import Coordinates, absent
from trulysparse.errors import InputError
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.skip import layer_pairs
from trulysparse.training.callbacks.running import RunningTrainer

if TYPE_CHECKING:
    from trulysparse.training.history import Record


class _Signs:
    """A layer's connections and the signs of their weights at one moment."""

    def __init__(self, rows: Coordinates, negative: NDArray[np.bool_]) -> None:
        self.rows = rows
        self.negative = negative

    @classmethod
    def of(cls, layer: IndexedLayer) -> _Signs:
        rows = layer.connectivity.by_input
        return cls((rows.ptr, rows.index), layer.values < 0)

    def flips_until(self, later: _Signs, threads: int) -> tuple[int, int]:
        """(connections whose sign differs, connections compared): those that exist at both moments."""
        before, after = self.negative, later.negative
        if self.rows[1] is not later.rows[1]:
            before = before[absent(self.rows, later.rows, threads) == 0]
            after = after[absent(later.rows, self.rows, threads) == 0]
        return int(np.count_nonzero(before != after)), len(before)


class SignFlips(IndexedCallback):
    """Records the share of weights whose sign has changed since the epoch before, as `sign_flips`: of the connections
    that existed then and still do.

    Signs hardly change in static sparse training, which is one reason why it trails dense training; evolution gives a
    connection a new one. Memory: one byte per connection, and the index of the topology before. Where neurons are
    removed during training it starts again.

    Source:
        Gadhikar and Burkholz, "Masks, signs, and learning rate rewinding", ICLR 2024; Gadhikar et al., "Sign-In to the
        lottery", NeurIPS 2025.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 10)), rng.integers(0, 3, 64)
        >>> trainer = ts.Trainer(net, optimizer=ts.SGD(0.5), batch_size=16, callbacks=[analysis.SignFlips()])
        >>> history = trainer.fit(X, y, epochs=2)
        >>> 0 < history["sign_flips"][0] < 1
        True
    """

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Takes the signs as they are.

        Args:
            trainer: what trains.
            epochs: of the fit.
            steps: of the fit.
        """
        self._take(trainer)

    def _take(self, trainer: RunningTrainer) -> None:
        self._sizes = trainer.net.layer_sizes
        self._signs = [_Signs.of(layer) for layer in trainer.net.layers]

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Writes the share of all layers to the record.

        Args:
            trainer: what trains.
            record: of the epoch.
        """
        before, same = self._signs, self._sizes == trainer.net.layer_sizes
        self._take(trainer)
        counts = [a.flips_until(b, trainer.threads) for a, b in zip(before, self._signs, strict=True)] if same else []
        flipped, compared = (sum(part) for part in zip(*counts, strict=True)) if counts else (0, 0)
        record["sign_flips"] = flipped / compared if compared else 0.0

    def state(self) -> dict[str, Any]:
        """Connections and signs at the last epoch's end."""
        state: dict[str, Any] = {"sizes": list(self._sizes)}
        for number, signs in enumerate(self._signs):
            state |= {
                f"{number}.ptr": signs.rows[0],
                f"{number}.index": signs.rows[1],
                f"{number}.negative": np.packbits(signs.negative),
            }
        return state

    def load_state(self, trainer: RunningTrainer, state: dict[str, Any]) -> None:
        """Takes back what `state` gave.

        Args:
            trainer: what trains.
            state: that.

        Raises:
            InputError: where it does not hold together.
        """
        sizes = tuple(checks.integer("sizes", size, low=1) for size in state["sizes"])
        signs = []
        for number, (n_in, n_out) in enumerate(layer_pairs(sizes, trainer.net.skip)):
            con = Connectivity.from_inputs(n_in, n_out, state[f"{number}.ptr"], state[f"{number}.index"], 1)
            bits = state[f"{number}.negative"]
            if bits.dtype != np.uint8 or bits.shape != ((con.n_connections + 7) // 8,):
                raise InputError(f"signs are {bits.dtype}{bits.shape}: they are of other layers")
            negative = np.unpackbits(bits, count=con.n_connections).view(np.bool_)
            signs.append(_Signs((con.by_input.ptr, con.by_input.index), negative))
        self._sizes, self._signs = sizes, signs
