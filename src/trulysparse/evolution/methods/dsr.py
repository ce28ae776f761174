"""Dynamic sparse reparameterization."""

from trulysparse.evolution.budget import by_survivors
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import uniform_excluding_pruned
from trulysparse.evolution.prune import AdaptiveThreshold
from trulysparse.evolution.schedule import Schedule


class DSR(Evolution):
    """Every `every` updates: removes all connections with |weight| under one threshold for the whole network, divides
    as many among the layers in proportion to the connections that survived, and grows them at random, with weights of
    zero. The threshold adapts, so that about the fraction is removed.

    Cost: linear in connections.

    Args:
        fraction: of connections to replace, in [0, 1].
        every: updates between evolutions, at least 1.
        stop: fraction of training after which the topology no longer changes, in (0, 1].
        threshold: the first one.
        output_layer: whether the output layer evolves too, as in autoencoders and networks of one layer.
        percolate: whether connections that no path goes through are removed too; see Evolution.
        every_updates: another name of `every`, the same for all methods; None: `every`.
        until: the end, in place of `stop`: an integer is a number of updates, a float a fraction of training.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Mostafa and Wang, "Parameter efficient training of deep convolutional neural networks by dynamic sparse
        reparameterization", ICML 2019, algorithm 1.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.DSR(every=200), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "dsr"

    def __init__(
        self,
        fraction: float = 0.1,
        every: int = 500,
        stop: float = 0.9,
        *,
        output_layer: bool = False,
        threshold: float = 1e-3,
        percolate: bool = False,
        every_updates: int | None = None,
        until: int | float | None = None,
    ) -> None:
        super().__init__(
            AdaptiveThreshold(threshold),
            uniform_excluding_pruned,
            Schedule(fraction, every_updates=every, stop=stop).in_updates(every_updates, until),
            budget=by_survivors,
            fresh="zero",
            output_layer=output_layer,
            percolate=percolate,
        )
