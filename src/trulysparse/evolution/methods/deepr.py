"""Deep rewiring."""

from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import uniform
from trulysparse.evolution.prune import SignFlip
from trulysparse.evolution.schedule import Schedule


class DeepR(Evolution):
    """After each update: weights drift towards zero and take a step of noise; connections whose weight would change its
    sign are removed, and as many grow at random.

    Cost: linear in connections, at each step. In the original new connections start at 1e-12 with a fixed random sign;
    here they start as the network's weights do: values that small would change sign with the first update, or have no
    effect in single precision.

    Args:
        l1: drift per evolution, at least 0.
        noise: standard deviation of the noise, at least 0.
        every: updates between evolutions, at least 1.
        output_layer: whether the output layer evolves too, as in autoencoders and networks of one layer.
        percolate: whether connections that no path goes through are removed too; see Evolution.
        every_updates: another name of `every`, the same for all methods; None: `every`.
        until: the end of evolution: an integer is a number of updates, a float a fraction of training; None: none.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Bellec et al., "Deep rewiring: training very sparse deep networks", ICLR 2018, algorithm 1.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.DeepR(l1=1e-4), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "deepr"

    def __init__(
        self,
        l1: float = 1e-5,
        noise: float = 1e-5,
        every: int = 1,
        *,
        output_layer: bool = False,
        percolate: bool = False,
        every_updates: int | None = None,
        until: int | float | None = None,
    ) -> None:
        schedule = Schedule(1.0, every_updates=every).in_updates(every_updates, until)
        super().__init__(SignFlip(l1, noise), uniform, schedule, output_layer=output_layer, percolate=percolate)
