"""Guided stochastic exploration."""

from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import GuidedGradient
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import Schedule


class GSE(Evolution):
    """As RigL, but growth looks at a random set of missing connections only, as large as the layer's connections:
    linear in connections, for layers of any size.

    fraction: at the start, in [0, 1]. every: updates between evolutions (the source: 1000). stop: share of training
    after which the topology stays. candidates, distribution: see GuidedGradient. Source: Heddes et al., "Always-sparse
    training by growing connections with guided stochastic exploration" (2024), algorithm 1.
    """

    name = "gse"

    def __init__(
        self,
        fraction: float = 0.2,
        every: int = 1000,
        stop: float = 0.6,
        *,
        candidates: float = 1.0,
        distribution: str = "uniform",
    ) -> None:
        schedule = Schedule(fraction, every_steps=every, decay="cosine", stop=stop)
        super().__init__(magnitude, GuidedGradient(candidates, distribution), schedule, fresh="zero", output_layer=True)
