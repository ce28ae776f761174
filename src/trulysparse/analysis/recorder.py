"""How the topology changes in the course of training, in one callback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from trulysparse._core import checks
from trulysparse.analysis.exploration import Exploration
from trulysparse.analysis.neurons import dead_neurons, duplicate_neurons
from trulysparse.analysis.paths import effective_connections, effective_paths
from trulysparse.analysis.spectrum import spectral_norm
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.training.callbacks.running import RunningTrainer

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData
    from trulysparse.training.history import Record


def describe(net: SparseMLP) -> dict[str, Any]:
    """A network's topology in figures.

    Args:
        net: the network, with storage='indexed'.

    Returns:
        'log10_paths': log10 of the number of input-output paths. 'effective': the share of connections on one.
        'layers': for each layer 'density', 'effective', 'spectral_norm', 'in_degree' and 'out_degree' (least, median,
        largest), 'duplicates' (neurons with the inputs of one before them) and 'dead' (neurons; None for the output
        layer and a skip layer).

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> figures = analysis.describe(ts.SparseMLP((10, 20, 3), epsilon=2, seed=0))
        >>> [layer["density"] for layer in figures["layers"]]
        [0.3, 0.7666666666666667]
    """
    effective = effective_connections(net)
    figures: dict[str, Any] = {
        "layers": [],
        "log10_paths": effective_paths(net).total,
        "effective": effective.share,
    }
    dead = [*(int(np.count_nonzero(mask)) for mask in dead_neurons(net)), *[None] * (1 + net.skip)]
    for layer, share, n_dead in zip(net.layers, effective.shares, dead, strict=True):
        con = layer.connectivity
        same = duplicate_neurons(con)
        figures["layers"].append(
            {
                "density": con.density,
                "effective": share,
                "spectral_norm": spectral_norm(layer),
                "in_degree": _spread(np.diff(con.by_output.ptr)),
                "out_degree": _spread(np.diff(con.by_input.ptr)),
                "dead": n_dead,
                "duplicates": int(np.count_nonzero(same != np.arange(len(same)))),
            }
        )
    return figures


def _spread(degrees: np.ndarray) -> tuple[int, float, int]:
    return int(degrees.min()), float(np.median(degrees)), int(degrees.max())


class TopologyRecorder(Exploration):
    """Writes to each epoch's record: `exploration`, `log10_paths`, `effective` (the share of connections on an
    input-output path), and lists with one value per layer: `density`, `dead`, `spectral_norm` and, where a batch is
    given, `gradient_norm` (Euclidean, over the connections, on that batch).

    Args:
        every: epochs between records, at least 1; `exploration` is written each epoch.
        X: the samples of the batch, (n_samples, n_inputs), or None.
        y: its labels or targets, or None.

    Raises:
        InputError: where `every` is out of range, or only one of X and y is given.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 10)), rng.integers(0, 3, 64)
        >>> recorder = analysis.TopologyRecorder(X=X, y=y)
        >>> trainer = ts.Trainer(net, evolution=ts.SET(), batch_size=16, callbacks=[recorder])
        >>> record = trainer.fit(X, y, epochs=2).records[-1]
        >>> record["density"], len(record["gradient_norm"])
        ([0.3, 0.7666666666666667], 2)
    """

    def __init__(self, *, every: int = 1, X: Any = None, y: ArrayLike | None = None) -> None:
        self._every = checks.integer("every", every, low=1)
        if (X is None) != (y is None):
            raise InputError("X and y must be given together, or neither of them")
        self._batch = None if X is None or y is None else (X, y)

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Refuses networks that cannot be analysed, and a batch that does not fit.

        Args:
            trainer: what trains.
            data: of the fit.

        Raises:
            InputError: where the network has storage='compact', or X and y do not fit it.
        """
        super().check(trainer, data)
        if self._batch is not None:
            trainer.check_batch(*self._batch)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Writes the figures.

        Args:
            trainer: what trains.
            record: of the epoch.
        """
        super().on_epoch_end(trainer, record)
        if int(record["epoch"]) % self._every:
            return
        figures = describe(trainer.net)
        record["log10_paths"], record["effective"] = figures["log10_paths"], figures["effective"]
        for name in ("density", "dead", "spectral_norm"):
            record[name] = [layer[name] for layer in figures["layers"]]
        if self._batch is not None:
            _, gradients = trainer.gradients(*self._batch)
            record["gradient_norm"] = [float(np.linalg.norm(weight.data)) for weight, _ in gradients]
