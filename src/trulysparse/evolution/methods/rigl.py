"""RigL."""

from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import LargestGradient
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import Schedule


class RigL(Evolution):
    """Every 100 updates until three quarters of training: remove the fraction of each layer's connections of least
    |weight|, grow as many where |loss gradient| is largest among the missing ones, with weights of zero. The fraction
    falls along a cosine. Evolution takes the place of the update, on its batch.

    fraction: at the start, in [0, 1]. every: updates between evolutions. stop: share of training after which the
    topology stays. Source: Evci et al., "Rigging the lottery", ICML 2020, algorithm 1. Cost: n_in * n_out * batch
    multiply-adds a layer and evolution, memory linear in the connections grown: the gradient of missing connections
    is streamed in tiles where the original keeps it dense. Exactly the same choice. A connection that is dropped and
    chosen again at once keeps its weight, as in the published code (the paper has it restart from zero).
    """

    name = "rigl"

    def __init__(self, fraction: float = 0.3, every: int = 100, stop: float = 0.75) -> None:
        schedule = Schedule(fraction, every_steps=every, decay="cosine", stop=stop)
        super().__init__(magnitude, LargestGradient(), schedule, fresh="zero", output_layer=True)
