"""Methods by name."""

from __future__ import annotations

from collections.abc import Callable

from trulysparse._core import checks
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.methods.ctre import CTRE
from trulysparse.evolution.methods.deepr import DeepR
from trulysparse.evolution.methods.dsr import DSR
from trulysparse.evolution.methods.granet import GraNet
from trulysparse.evolution.methods.gse import GSE
from trulysparse.evolution.methods.mest import MEST
from trulysparse.evolution.methods.rigl import RigL
from trulysparse.evolution.methods.set import SET
from trulysparse.evolution.methods.snfs import SNFS
from trulysparse.evolution.methods.static import Static

_METHODS: dict[str, Callable[[], Evolution]] = {
    each.name: each for each in (Static, SET, DeepR, RigL, SNFS, DSR, MEST, GSE, GraNet, CTRE)
}
NAMES = ("none", *_METHODS)


def make_evolution(
    name: str, *, zeta: float = 0.3, until: float | None = None, argument: str = "evolution"
) -> Evolution | None:
    """Makes a method by its name, with its source's settings.

    Args:
        name: one of NAMES.
        zeta: fraction that SET replaces, in [0, 1]; other methods ignore it.
        until: fraction of training after which SET ends, in (0, 1]; None: it does not. Other methods ignore it.
        argument: what an error calls `name`.

    Returns:
        The method; None for 'none'.

    Raises:
        InputError: where the name is unknown, or zeta or until is out of range.

    Example:
        >>> from trulysparse.evolution import make_evolution
        >>> make_evolution("set", zeta=0.2).zeta
        0.2
        >>> make_evolution("none") is None
        True
    """
    checks.choice(argument, name, NAMES)
    if name == "none":
        return None
    return SET(zeta, until=until) if name == "set" else _METHODS[name]()
