"""Guided stochastic exploration."""

from trulysparse.evolution.density import DensitySchedule
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import GuidedGradient
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import Schedule


class GSE(Evolution):
    """As RigL, but growth looks only at a random set of missing connections, as large as the layer's connections:
    linear in connections, for layers of any size.

    Args:
        fraction: of connections to replace at the start, in [0, 1].
        every: updates between evolutions, at least 1 (1000 in the source).
        stop: fraction of training after which the topology no longer changes, in (0, 1].
        candidates: size of the random set, as a multiple of the layer's connections.
        distribution: of the random set, 'uniform' or 'bound'; see evolution.grow.GuidedGradient.
        output_layer: whether the output layer evolves too; a network of one layer has no other.
        percolate: whether connections that no path goes through are removed too; see Evolution.
        density: lets the number of connections fall; see Evolution.
        every_updates: another name of `every`, the same for all methods; None: `every`.
        until: the end, in place of `stop`: an integer is a number of updates, a float a fraction of training.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Heddes et al., "Always-sparse training by growing connections with guided stochastic exploration" (2024),
        algorithm 1.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.GSE(every=200), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "gse"

    def __init__(
        self,
        fraction: float = 0.2,
        every: int = 1000,
        stop: float = 0.6,
        *,
        output_layer: bool = True,
        candidates: float = 1.0,
        distribution: str = "uniform",
        percolate: bool = False,
        density: DensitySchedule | None = None,
        every_updates: int | None = None,
        until: int | float | None = None,
    ) -> None:
        schedule = Schedule(fraction, every_updates=every, decay="cosine", stop=stop).in_updates(every_updates, until)
        super().__init__(
            magnitude,
            GuidedGradient(candidates, distribution),
            schedule,
            fresh="zero",
            output_layer=output_layer,
            density=density,
            percolate=percolate,
        )
