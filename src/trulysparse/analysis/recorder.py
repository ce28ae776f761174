"""What the topology does in the course of training, in one callback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from trulysparse._core import checks
from trulysparse.analysis.exploration import Exploration
from trulysparse.analysis.neurons import dead_neurons, duplicate_neurons
from trulysparse.analysis.paths import effective_paths
from trulysparse.analysis.spectrum import spectral_norm
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.training.callbacks.running import RunningTrainer

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData
    from trulysparse.training.history import Record


def describe(net: SparseMLP) -> dict[str, Any]:
    """A network's topology in figures: for each layer its density, spectral norm, and the least, median and largest
    degree on both sides; for each hidden layer its dead and duplicate neurons; log10 of the number of input-output
    paths."""
    found: dict[str, Any] = {"layers": [], "log10_paths": effective_paths(net).total}
    dead = [*(int(np.count_nonzero(marks)) for marks in dead_neurons(net)), None]
    for layer, n_dead in zip(net.layers, dead, strict=True):
        con = layer.connectivity
        same = duplicate_neurons(con)
        found["layers"].append(
            {
                "density": con.density,
                "spectral_norm": spectral_norm(layer),
                "in_degree": _spread(np.diff(con.by_output.ptr)),
                "out_degree": _spread(np.diff(con.by_input.ptr)),
                "dead": n_dead,
                "duplicates": int(np.count_nonzero(same != np.arange(len(same)))),
            }
        )
    return found


def _spread(degrees: np.ndarray) -> tuple[int, float, int]:
    return int(degrees.min()), float(np.median(degrees)), int(degrees.max())


class TopologyRecorder(Exploration):
    """Writes to each epoch's record: `exploration`, `log10_paths`, and lists with a value a layer: `density`, `dead`,
    `spectral_norm` and, where a batch is given, `gradient_norm` (Euclidean, over the connections, on that batch).

    every: epochs between records. X, y: the batch.
    """

    def __init__(self, *, every: int = 1, X: Any = None, y: ArrayLike | None = None) -> None:
        self._every = checks.integer("every", every, low=1)
        if (X is None) != (y is None):
            raise InputError("X and y must be given together, or neither of them")
        self._batch = None if X is None or y is None else (X, y)

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Refuses networks that cannot be analysed, and a batch that is none of theirs."""
        super().check(trainer, data)
        if self._batch is not None:
            trainer.check_batch(*self._batch)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Writes the figures."""
        super().on_epoch_end(trainer, record)
        if int(record["epoch"]) % self._every:
            return
        found = describe(trainer.net)
        record["log10_paths"] = found["log10_paths"]
        for name in ("density", "dead", "spectral_norm"):
            record[name] = [layer[name] for layer in found["layers"]]
        if self._batch is not None:
            _, gradients = trainer.gradients(*self._batch)
            record["gradient_norm"] = [float(np.linalg.norm(weight.data)) for weight, _ in gradients]
