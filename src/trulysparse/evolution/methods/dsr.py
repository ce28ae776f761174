"""Dynamic sparse reparameterization."""

from trulysparse.evolution.budget import by_survivors
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import uniform_excluding_pruned
from trulysparse.evolution.prune import AdaptiveThreshold
from trulysparse.evolution.schedule import Schedule


class DSR(Evolution):
    """Every so many updates: remove all connections with |weight| under one threshold for the whole network, deal as
    many out to the layers in proportion to the connections that survived, grow them at random, with weights of zero.
    The threshold adapts, so that about the fraction is removed.

    fraction: wanted, in [0, 1]. every: updates between evolutions. stop: share of training after which the topology
    stays. threshold: the first one. Source: Mostafa and Wang, "Parameter efficient training of deep convolutional
    neural networks by dynamic sparse reparameterization", ICML 2019, algorithm 1. Cost: linear in connections.
    """

    name = "dsr"

    def __init__(self, fraction: float = 0.1, every: int = 500, stop: float = 0.9, *, threshold: float = 1e-3) -> None:
        super().__init__(
            AdaptiveThreshold(threshold),
            uniform_excluding_pruned,
            Schedule(fraction, every_steps=every, stop=stop),
            budget=by_survivors,
            fresh="zero",
        )
