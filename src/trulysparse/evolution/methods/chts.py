"""Cannistraci-Hebb training with soft rules."""

from trulysparse._core import checks
from trulysparse.evolution.density import DensitySchedule
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import uniform
from trulysparse.evolution.local_community import LocalCommunity
from trulysparse.evolution.prune import Soft
from trulysparse.evolution.schedule import Schedule

GROWTHS = ("ch2_l3", "uniform")


class CHTs(Evolution):
    """After each epoch but the last, on every layer but the output layer: of the connections (1 - zeta) stay, drawn
    with probability ~ s^T; those that no path from input to output goes through any more are removed too; and as many
    as were lost grow, drawn with probability ~ their CH2-L3n score, with weights of zero. Gradients are not needed.

    The score of a missing connection (u, v) sums over the paths of length three u - z - j - v: with P the numbers of
    common neighbours and d those of neighbours, each counts (P_uj + 1) / max(1, d_j - P_uj), and the same from v's
    side. Where no empty coordinate has a score any is as likely as another. With density=SigmoidDensity(...), from a
    network that starts denser, this is CHTss.

    Cost: linear in connections times the connections of a neuron; no n x n matrix of scores.

    Args:
        zeta: fraction of a layer's connections to replace, in [0, 1].
        removal: the score s of removal: 'wm', weight magnitude |w|; 'ri', relative importance, |w| / row sum + |w| /
            column sum.
        start: T at the start of training, at least 0; the source's MLPs go from 1 to 3, its language models to 9.
        end: T at the end of evolution, at least 0.
        growth: 'ch2_l3', or 'uniform': anywhere, so that soft removal and percolation alone are left.
        output_layer: whether the output layer evolves too.
        percolate: whether connections that no path goes through are removed too, and growth stays among neurons that
            paths go through.
        density: lets the number of connections fall; see Evolution.
        every_updates: updates between evolutions, at least 1; None: an epoch.
        until: the end of evolution: an integer is a number of updates, a float a fraction of training; None: none.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Zhang et al., "Brain network science modelling of sparse neural networks enables Transformers and LLMs to
        perform as fully connected", NeurIPS 2025 (arXiv 2501.19107).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.CHTs(removal="ri"), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "chts"

    def __init__(
        self,
        zeta: float = 0.3,
        removal: str = "wm",
        start: float = 1.0,
        end: float = 9.0,
        growth: str = "ch2_l3",
        *,
        output_layer: bool = False,
        percolate: bool = True,
        density: DensitySchedule | None = None,
        every_updates: int | None = None,
        until: int | float | None = None,
    ) -> None:
        self.zeta = checks.real("zeta", zeta, low=0, high=1)
        checks.choice("growth", growth, GROWTHS)
        super().__init__(
            Soft(removal, start, end),
            LocalCommunity() if growth == "ch2_l3" else uniform,
            Schedule(zeta, every_epochs=1).in_updates(every_updates, until),
            fresh="zero",
            output_layer=output_layer,
            density=density,
            percolate=percolate,
        )
