"""How the topologies of agents evolve while they learn."""

from __future__ import annotations

from trulysparse._core import checks
from trulysparse.evolution import SET


def evolution_of(replaced: float, every: int, until: float, length: int) -> SET | None:
    """SET, for a share of a training.

    Args:
        replaced: share of the connections that an evolution replaces, below 1; 0: there is none.
        every: updates between evolutions, at least 1.
        until: share of the training after which there are none, 0 to 1.
        length: updates of the whole training, at least 1.

    Returns:
        The method; None where topologies stay.

    Raises:
        InputError: where an argument is out of range.
    """
    if replaced <= 0:
        return None
    last = round(checks.real("evolve_until", until, low=0, high=1) * length)
    return SET(replaced, every_updates=every, until=max(1, last))
