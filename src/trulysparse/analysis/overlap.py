"""How many removed connections evolution grows again at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trulysparse.analysis.indexed_callback import IndexedCallback
from trulysparse.evolution.step import COUNT_REGROWN
from trulysparse.training.callbacks.running import RunningTrainer

if TYPE_CHECKING:
    from trulysparse.training.history import Record


class Overlap(IndexedCallback):
    """Records how many of the connections that evolution removes it grows again in the same evolution, as `overlap`: a
    share of those removed in the epoch, None where there were none.

    Growth that only depends on the topology soon grows what was just removed, and the topology stays where it is: an
    epitopological local minimum, which the authors of CHT take for reached at an overlap of 0.9. Growth by gradients
    has a lesser form of it; random growth at low density has none.

    Source:
        Zhang et al., "Epitopological learning and Cannistraci-Hebb network shape intelligence brain-inspired theory for
        ultra-sparse advantage in deep learning", ICLR 2024, section 3.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 10)), rng.integers(0, 3, 64)
        >>> trainer = ts.Trainer(net, evolution=ts.SET(), batch_size=16, callbacks=[analysis.Overlap()])
        >>> history = trainer.fit(X, y, epochs=3)
        >>> history["overlap"][0], 0 < history["overlap"][1] < 1  # SET evolves between epochs
        (None, True)
    """

    on_server = True

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Has evolution count.

        Args:
            trainer: what trains.
            epochs: of the fit.
            steps: of the fit.
        """
        trainer.evolution_state[COUNT_REGROWN] = 1

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Writes the share to the record.

        Args:
            trainer: what trains.
            record: of the epoch.
        """
        state = trainer.evolution_state
        state[COUNT_REGROWN] = 1
        of_layers = [remembered for remembered in state.values() if isinstance(remembered, dict)]
        removed, regrown = (sum(each.pop(name, 0) for each in of_layers) for name in ("n_removed", "n_regrown"))
        record["overlap"] = regrown / removed if removed else None
