"""CTRE."""

from trulysparse._core import checks
from trulysparse.evolution.density import DensitySchedule
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import Schedule
from trulysparse.evolution.similarity import CosineSimilarity


class CTRE(Evolution):
    """Cosine similarity based and random topology exploration. After each epoch but the last: removes the fraction zeta
    of each layer's connections of least |weight|, and grows as many between neurons whose activations have the largest
    |cosine|, mixed with random ones, with weights of zero. Evolution takes the place of an update, on its batch.

    Cost: n_in * n_out * batch multiply-adds per layer and evolution, memory linear in the connections grown; the
    original stores all cosines. Other differences: the cosines are those of one batch, not of all training samples;
    see CosineSimilarity for the mix.

    Args:
        zeta: fraction to replace, in [0, 1].
        mix: 'sim' or 'seq'; see CosineSimilarity.
        output_layer: whether the output layer evolves too, by cosines of its pre-activations.
        percolate: whether connections that no path goes through are removed too; see Evolution.
        density: lets the number of connections fall; see Evolution.
        every_updates: updates between evolutions, at least 1; None: an epoch.
        until: the end of evolution: an integer is a number of updates, a float a fraction of training; None: none.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Atashgahi et al., "A brain-inspired algorithm for training highly sparse neural networks", Machine Learning 111
        (2022), algorithm 1.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.CTRE(zeta=0.2), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "ctre"

    def __init__(
        self,
        zeta: float = 0.2,
        mix: str = "sim",
        *,
        output_layer: bool = False,
        percolate: bool = False,
        density: DensitySchedule | None = None,
        every_updates: int | None = None,
        until: int | float | None = None,
    ) -> None:
        self.zeta = checks.real("zeta", zeta, low=0, high=1)
        schedule = Schedule(zeta, every_epochs=1).in_updates(every_updates, until)
        super().__init__(
            magnitude,
            CosineSimilarity(mix),
            schedule,
            fresh="zero",
            output_layer=output_layer,
            density=density,
            percolate=percolate,
        )
