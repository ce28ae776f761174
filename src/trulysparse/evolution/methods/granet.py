"""GraNet."""

from trulysparse.evolution.density import CubicDensity
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import LargestGradient
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import Schedule


class GraNet(Evolution):
    """Starts denser and is pruned while it rewires. Every `every` updates, first removes connections of least |weight|
    across the network, down to a number that falls along a cubic; then, layer by layer, removes the fraction of least
    |weight| and grows as many where |loss gradient| is largest, with weights of zero. The fraction falls along a
    cosine.

    Cost: as RigL.

    Args:
        final: fraction of the initial connections that is left at the end, in (0, 1].
        fraction: of connections to replace at the start, in [0, 1].
        every: updates between evolutions, at least 1 (1000 in the source).
        stop: fraction of training after which the topology no longer changes, in (0, 1].
        output_layer: whether the output layer evolves too; a network of one layer has no other.
        percolate: whether connections that no path goes through are removed too; see Evolution.
        every_updates: another name of `every`, the same for all methods; None: `every`.
        until: the end, in place of `stop`: an integer is a number of updates, a float a fraction of training.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Liu et al., "Sparse training via boosting pruning plasticity with neuroregeneration", NeurIPS 2021.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.GraNet(final=0.5), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "granet"

    def __init__(
        self,
        final: float = 0.5,
        fraction: float = 0.5,
        every: int = 1000,
        stop: float = 0.75,
        *,
        output_layer: bool = True,
        percolate: bool = False,
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
            density=CubicDensity(final, stop=stop, until=until),
            percolate=percolate,
        )
