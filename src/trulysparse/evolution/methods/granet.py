"""GraNet."""

from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import LargestGradient
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import CubicDensity, Schedule


class GraNet(Evolution):
    """Starts denser and thins out while it rewires: every so many updates, first remove connections of least |weight|
    across the network, down to a number that falls along a cubic; then, layer by layer, remove the fraction of least
    |weight| and grow as many where |loss gradient| is largest, with weights of zero. The fraction falls along a cosine.

    final: share of the starting connections that is left at the end, in (0, 1]. fraction: replaced at the start, in
    [0, 1]. every: updates between evolutions (the source: 1000). stop: share of training after which the topology
    stays. Source: Liu et al., "Sparse training via boosting pruning plasticity with neuroregeneration", NeurIPS 2021.
    Cost: as RigL.
    """

    name = "granet"

    def __init__(self, final: float = 0.5, fraction: float = 0.5, every: int = 1000, stop: float = 0.75) -> None:
        schedule = Schedule(fraction, every_steps=every, decay="cosine", stop=stop)
        super().__init__(
            magnitude,
            LargestGradient(),
            schedule,
            fresh="zero",
            output_layer=True,
            density=CubicDensity(final, stop=stop),
        )
