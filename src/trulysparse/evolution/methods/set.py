"""Sparse evolutionary training."""

from trulysparse._core import checks
from trulysparse.evolution.density import DensitySchedule
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import uniform
from trulysparse.evolution.prune import sign_magnitude
from trulysparse.evolution.schedule import Schedule


class SET(Evolution):
    """After each epoch but the last, on every layer but the output layer: removes the fraction zeta of the positive
    weights closest to zero and the fraction zeta of the negative weights closest to zero; grows as many at uniformly
    random empty coordinates, with zero optimizer state.

    New weights are zero unless fresh='init'. In the source they are drawn as at the start, which is the more harmful
    the larger starting weights are (docs/evolution.md). A connection that is removed and chosen again keeps its weight
    where new ones are zero, so that a full layer does not change; in tiles it starts anew.

    Cost: linear in connections, where versions with masks store and sort dense matrices.

    Args:
        zeta: fraction to replace, in [0, 1].
        fresh: weights of new connections: 'zero', or 'init': drawn as at the start, as in the source.
        output_layer: whether the output layer evolves too, as in autoencoders and networks of one layer.
        percolate: whether connections that no path goes through are removed too; see Evolution.
        density: lets the number of connections fall; see Evolution.
        every_updates: updates between evolutions, at least 1; None: an epoch.
        until: the end of evolution: an integer is a number of updates, a float a fraction of training; None: none.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity inspired by
        network science", Nature Communications 9 (2018), algorithm 1.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.SET(zeta=0.3), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "set"

    def __init__(
        self,
        zeta: float = 0.3,
        *,
        fresh: str = "zero",
        output_layer: bool = False,
        percolate: bool = False,
        density: DensitySchedule | None = None,
        every_updates: int | None = None,
        until: int | float | None = None,
    ) -> None:
        self.zeta = checks.real("zeta", zeta, low=0, high=1)
        super().__init__(
            sign_magnitude,
            uniform,
            Schedule(zeta, every_epochs=1).in_updates(every_updates, until),
            fresh=fresh,
            output_layer=output_layer,
            density=density,
            percolate=percolate,
        )
