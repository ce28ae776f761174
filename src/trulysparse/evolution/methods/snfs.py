"""Sparse networks from scratch."""

from trulysparse.evolution.budget import by_momentum
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import LargestGradient
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import Schedule


class SNFS(Evolution):
    """After each epoch: removes the fraction of each layer's connections of least |weight|, divides as many among the
    layers in proportion to the mean |momentum| of their connections, and grows them where |loss gradient| is largest,
    with weights of zero. The fraction falls along a cosine.

    Cost: as RigL, once per epoch. The original stores a dense momentum of all missing connections and grows by it; here
    nothing is stored for missing connections, and they are judged by the newest term of their momentum, the gradient on
    the current batch, computed in tiles.

    Args:
        fraction: of connections to replace at the start, in [0, 1].
        output_layer: whether the output layer evolves too; a network of one layer has no other.
        percolate: whether connections that no path goes through are removed too; see Evolution.
        every_updates: updates between evolutions, at least 1; None: an epoch.
        until: the end of evolution: an integer is a number of updates, a float a fraction of training; None: none.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Dettmers and Zettlemoyer, "Sparse networks from scratch" (2019), algorithm 1.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.SNFS(fraction=0.5), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "snfs"

    def __init__(
        self,
        fraction: float = 0.5,
        *,
        output_layer: bool = True,
        percolate: bool = False,
        every_updates: int | None = None,
        until: int | float | None = None,
    ) -> None:
        schedule = Schedule(fraction, every_epochs=1, decay="cosine").in_updates(every_updates, until)
        super().__init__(
            magnitude,
            LargestGradient(),
            schedule,
            budget=by_momentum,
            fresh="zero",
            output_layer=output_layer,
            percolate=percolate,
        )
