"""How large each layer is, epoch by epoch."""

from __future__ import annotations

from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record


class LayerSizes(Callback):
    """Writes to each epoch's record `connections_per_layer` and `neurons_per_layer`, the output neurons of each layer.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=2, threads=1), callbacks=[ts.LayerSizes()])
        >>> record = trainer.fit(np.eye(4), [0, 1, 0, 1], epochs=1).records[0]
        >>> record["connections_per_layer"], record["neurons_per_layer"]
        ([24, 16], [8, 2])
    """

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Writes the sizes.

        Args:
            trainer: what trains.
            record: of the epoch.
        """
        record["connections_per_layer"] = [int(layer.n_connections) for layer in trainer.net.layers]
        record["neurons_per_layer"] = [int(n) for n in trainer.net.layer_sizes[1:]]
