"""What callbacks have in common that look at each connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trulysparse.errors import InputError
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData


class IndexedCallback(Callback):
    """A callback for networks whose connections are indexed by neuron.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.analysis.indexed_callback import IndexedCallback
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, storage="compact")
        >>> try:
        ...     ts.Trainer(net).fit(np.eye(4), [0, 1, 0, 1], epochs=1, callbacks=[IndexedCallback()])
        ... except ts.InputError as error:
        ...     print(error)
        IndexedCallback needs a network with storage='indexed', not 'compact': see net.indexed()
    """

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Refuses other networks.

        Args:
            trainer: what trains.
            data: of the fit.

        Raises:
            InputError: where the network has storage='compact'.
        """
        if trainer.net.storage_config.tiled:
            raise InputError(
                f"{type(self).__name__} needs a network with storage='indexed', not 'compact': see net.indexed()"
            )
