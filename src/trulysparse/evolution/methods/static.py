"""No evolution."""

from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import no_growth
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import Schedule


class Static(Evolution):
    """The topology does not change: the same as evolution=None, by name. Called FixProb in the source.

    Source:
        Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity inspired by
        network science", Nature Communications 9 (2018), the baseline of its comparisons.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.Static(), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "static"

    def __init__(self) -> None:
        super().__init__(magnitude, no_growth, Schedule(0.0, every_updates=1))

    def due(self, done: int, steps_per_epoch: int | None, total: int | None) -> bool:
        """Never.

        Args:
            done: updates so far.
            steps_per_epoch: updates per epoch.
            total: updates of the whole training.

        Returns:
            False.
        """
        return False
