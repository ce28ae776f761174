"""MEST."""

from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import uniform
from trulysparse.evolution.prune import MagnitudeAndGradient
from trulysparse.evolution.schedule import Schedule


def _halved(elapsed: float) -> float:
    """1, and 0.5 in the last quarter (the source: from epoch 90 of 120)."""
    return 1.0 if elapsed < 0.75 else 0.5


class MEST(Evolution):
    """Every `every` epochs: removes the fraction of each layer's connections of least |w| + weight * |gradient|, and
    grows as many at random, with weights of zero.

    Cost: linear in connections; evolution takes the place of an update, on its batch. The variant with extra soft
    weights (EM&S) is not included.

    Args:
        fraction: of connections to replace, in [0, 1]; half of it in the last quarter of evolution.
        every: epochs between evolutions, at least 1.
        stop: fraction of training after which the topology no longer changes, in (0, 1].
        weight: of the gradient.
        every_updates: updates between evolutions, at least 1, in place of `every`; None: `every` epochs.
        until: the end, in place of `stop`: an integer is a number of updates, a float a fraction of training.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Yuan et al., "MEST: accurate and fast memory-economic sparse training framework on the edge", NeurIPS 2021.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.MEST(every=2), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "mest"

    def __init__(
        self,
        fraction: float = 0.02,
        every: int = 5,
        stop: float = 0.75,
        *,
        weight: float = 0.01,
        every_updates: int | None = None,
        until: int | float | None = None,
    ) -> None:
        schedule = Schedule(fraction, every_epochs=every, decay=_halved, stop=stop).in_updates(every_updates, until)
        super().__init__(MagnitudeAndGradient(weight), uniform, schedule, fresh="zero", output_layer=True)
