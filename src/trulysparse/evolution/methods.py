"""Methods by name."""

from __future__ import annotations

from collections.abc import Callable

from trulysparse import _checks
from trulysparse.evolution.deepr import DeepR
from trulysparse.evolution.dsr import DSR
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.granet import GraNet
from trulysparse.evolution.gse import GSE
from trulysparse.evolution.mest import MEST
from trulysparse.evolution.rigl import RigL
from trulysparse.evolution.set import SET
from trulysparse.evolution.snfs import SNFS
from trulysparse.evolution.static import Static

_METHODS: dict[str, Callable[[], Evolution]] = {
    each.name: each for each in (Static, SET, DeepR, RigL, SNFS, DSR, MEST, GSE, GraNet)
}
NAMES = ("none", *_METHODS)


def make(name: str, *, zeta: float = 0.3, argument: str = "evolution") -> Evolution | None:
    """The method of that name with its source's settings ('set' with `zeta`); None for 'none'. argument: how to call
    the name in an error."""
    _checks.choice(argument, name, NAMES)
    if name == "none":
        return None
    return SET(zeta) if name == "set" else _METHODS[name]()
