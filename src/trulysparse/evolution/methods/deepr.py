"""Deep rewiring."""

from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import uniform
from trulysparse.evolution.prune import SignFlip
from trulysparse.evolution.schedule import Schedule


class DeepR(Evolution):
    """After each update: weights drift towards zero and take a step of noise; connections whose weight would change its
    sign go, as many come at random.

    l1: drift a step. noise: its standard deviation. every: updates between evolutions. Source: Bellec et al., "Deep
    rewiring: training very sparse deep networks", ICLR 2018, algorithm 1. Cost: linear in connections, at each step.
    In the original new connections start at 1e-12 with a fixed random sign; here they start as the network's weights
    do, as values that small would flip with the first update or stay without effect in single precision.
    """

    name = "deepr"

    def __init__(self, l1: float = 1e-5, noise: float = 1e-5, every: int = 1) -> None:
        super().__init__(SignFlip(l1, noise), uniform, Schedule(1.0, every_steps=every))
