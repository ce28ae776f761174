"""MEST."""

from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import uniform
from trulysparse.evolution.prune import MagnitudeAndGradient
from trulysparse.evolution.schedule import Schedule


def _halved(progress: float) -> float:
    """1, and 0.5 in the last quarter (the source: from epoch 90 of 120)."""
    return 1.0 if progress < 0.75 else 0.5


class MEST(Evolution):
    """Every few epochs: remove the fraction of each layer's connections of least |w| + weight * |gradient|, grow as
    many at random, with weights of zero.

    fraction: in [0, 1], halved for the last quarter of evolution. every: epochs between evolutions. stop: share of
    training after which the topology stays. weight: of the gradient. Source: Yuan et al., "MEST: accurate and fast
    memory-economic sparse training framework on the edge", NeurIPS 2021. Cost: linear in connections; evolution takes
    the place of an update, on its batch. The variant with extra soft weights (EM&S) is not included.
    """

    name = "mest"

    def __init__(self, fraction: float = 0.02, every: int = 5, stop: float = 0.75, *, weight: float = 0.01) -> None:
        schedule = Schedule(fraction, every_epochs=every, decay=_halved, stop=stop)
        super().__init__(MagnitudeAndGradient(weight), uniform, schedule, fresh="zero", output_layer=True)
