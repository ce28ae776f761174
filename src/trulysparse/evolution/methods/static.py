"""No evolution."""

from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import no_growth
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.schedule import Schedule


class Static(Evolution):
    """The topology stays as it starts: the same as evolution=None, by name. The baseline called FixProb by Mocanu et
    al. (2018)."""

    name = "static"

    def __init__(self) -> None:
        super().__init__(magnitude, no_growth, Schedule(0.0, every_epochs=1))

    def due(self, done: int, steps_per_epoch: int, total: int) -> bool:
        """Never."""
        return False
