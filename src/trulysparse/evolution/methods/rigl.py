"""RigL."""

from trulysparse.evolution.density import DensitySchedule
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import LargestGradient
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import Schedule


class RigL(Evolution):
    """Every `every` updates: removes the fraction of each layer's connections of least |weight| and grows as many where
    |loss gradient| is largest among the missing ones, with weights of zero. The fraction falls along a cosine.
    Evolution takes the place of the update, on its batch.

    Cost: n_in * n_out * batch multiply-adds per layer and evolution, memory linear in the connections grown: the
    gradient of missing connections is computed in tiles where the original stores it densely; the choice is exactly the
    same. A connection that is removed and chosen again at once keeps its weight, as in the published code (in the paper
    it restarts from zero).

    Args:
        fraction: of connections to replace at the start, in [0, 1].
        every: updates between evolutions, at least 1.
        stop: fraction of training after which the topology no longer changes, in (0, 1].
        output_layer: whether the output layer evolves too; a network of one layer has no other.
        percolate: whether connections that no path goes through are removed too; see Evolution.
        density: lets the number of connections fall; see Evolution.
        every_updates: another name of `every`, the same for all methods; None: `every`.
        until: the end, in place of `stop`: an integer is a number of updates, a float a fraction of training.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Evci et al., "Rigging the lottery", ICML 2020, algorithm 1.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.RigL(every=50), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "rigl"

    def __init__(
        self,
        fraction: float = 0.3,
        every: int = 100,
        stop: float = 0.75,
        *,
        output_layer: bool = True,
        percolate: bool = False,
        density: DensitySchedule | None = None,
        every_updates: int | None = None,
        until: int | float | None = None,
    ) -> None:
        schedule = Schedule(fraction, every_updates=every, decay="cosine", stop=stop).in_updates(every_updates, until)
        super().__init__(
            magnitude,
            LargestGradient(),
            schedule,
            fresh="zero",
            output_layer=output_layer,
            density=density,
            percolate=percolate,
        )
