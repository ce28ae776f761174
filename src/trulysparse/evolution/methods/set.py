"""Sparse evolutionary training."""

from trulysparse._core import checks
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import uniform
from trulysparse.evolution.prune import sign_magnitude
from trulysparse.evolution.schedule import Schedule


class SET(Evolution):
    """After each epoch but the last, on every layer but the output layer: remove the fraction zeta of the
    positive weights closest to zero and the fraction zeta of the negative weights closest to zero; grow as
    many at uniformly random empty places, with fresh initial weights and zero optimizer state.

    zeta: in [0, 1]. Source: Mocanu et al., "Scalable training of artificial neural networks with adaptive
    sparse connectivity inspired by network science", Nature Communications 9 (2018), algorithm 1. Cost: linear in
    connections. Versions with masks keep and sort dense matrices.
    """

    name = "set"

    def __init__(self, zeta: float = 0.3) -> None:
        self.zeta = checks.real("zeta", zeta, low=0, high=1)
        super().__init__(sign_magnitude, uniform, Schedule(zeta, every_epochs=1))
