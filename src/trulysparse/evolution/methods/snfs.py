"""Sparse networks from scratch."""

from trulysparse.evolution.budget import by_momentum
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import LargestGradient
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import Schedule


class SNFS(Evolution):
    """After each epoch: remove the fraction of each layer's connections of least |weight|, deal as many out to the
    layers in proportion to the mean |momentum| of their connections, grow them where the gradient is largest, with
    weights of zero. The fraction falls along a cosine.

    fraction: at the start, in [0, 1]. Source: Dettmers and Zettlemoyer, "Sparse networks from scratch" (2019),
    algorithm 1. The original keeps a dense momentum of all missing connections and grows by that; nothing is stored
    for missing connections here, so that they are judged by the newest term of their momentum, the gradient on the
    batch at hand, streamed in tiles. Cost: as RigL, once an epoch.
    """

    name = "snfs"

    def __init__(self, fraction: float = 0.5) -> None:
        schedule = Schedule(fraction, every_epochs=1, decay="cosine")
        super().__init__(magnitude, LargestGradient(), schedule, budget=by_momentum, fresh="zero", output_layer=True)
