"""Methods by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.methods.chts import CHTs
from trulysparse.evolution.methods.ctre import CTRE
from trulysparse.evolution.methods.deepr import DeepR
from trulysparse.evolution.methods.dsr import DSR
from trulysparse.evolution.methods.granet import GraNet
from trulysparse.evolution.methods.gse import GSE
from trulysparse.evolution.methods.mest import MEST
from trulysparse.evolution.methods.redo import ReDo
from trulysparse.evolution.methods.rigl import RigL
from trulysparse.evolution.methods.set import SET
from trulysparse.evolution.methods.snfs import SNFS
from trulysparse.evolution.methods.static import Static

_METHODS: dict[str, Callable[..., Evolution]] = {
    each.name: each for each in (Static, SET, DeepR, RigL, SNFS, DSR, MEST, GSE, GraNet, CHTs, CTRE, ReDo)
}
NAMES = ("none", *_METHODS)
WITH_ZETA = ("set", "chts", "ctre")  # those whose fraction is called zeta, once per epoch
WITHOUT_PERCOLATION = ("none", "static", "mest", "redo")
STANDING = ("none", "static", "redo")  # those whose topology stays


def make_evolution(
    name: str,
    *,
    zeta: float | None = None,
    until: float | None = None,
    percolate: bool = False,
    fresh: str | None = None,
    output_layer: bool | None = None,
    argument: str = "evolution",
) -> Evolution | None:
    """Makes a method by its name, with its source's settings.

    Args:
        name: one of NAMES.
        zeta: fraction that the methods in WITH_ZETA replace, in [0, 1]; others ignore it. None: their default.
        until: fraction of training after which those end, in (0, 1]; None: they do not. Others ignore it.
        percolate: whether connections that no path goes through are removed too (CHTs does so in any case).
        fresh: of 'set', weights of new connections, 'zero' or 'init'; others ignore it. None: the default.
        output_layer: whether the output layer evolves too, as both ends of an autoencoder do; of 'none', 'static' and
            'redo' no layer does. None: their default.
        argument: what an error calls `name`.

    Returns:
        The method; None for 'none'.

    Raises:
        InputError: where the name is unknown, zeta or until is out of range, or the method cannot percolate.

    Example:
        >>> from trulysparse.evolution import make_evolution
        >>> make_evolution("set", zeta=0.2).zeta
        0.2
        >>> make_evolution("none") is None
        True
    """
    checks.choice(argument, name, NAMES)
    if percolate and name in WITHOUT_PERCOLATION:
        raise InputError(f"percolate cannot be combined with {argument} {name!r}")
    if name == "none":
        return None
    settings: dict[str, Any] = {"percolate": True} if percolate else {}
    if name in WITH_ZETA:
        settings |= {"until": until} if zeta is None else {"zeta": zeta, "until": until}
    if name == "set" and fresh is not None:
        settings["fresh"] = fresh
    if name not in STANDING and output_layer is not None:
        settings["output_layer"] = output_layer
    return _METHODS[name](**settings)
