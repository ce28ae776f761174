"""Soft updates of several target networks: one call of the kernels while topologies are those of their sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, Protocol
from weakref import WeakKeyDictionary, ref

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Stored
from trulysparse.errors import InputError
from trulysparse.nn.soft_update import same_topology


class Mixed(Protocol):
    """What networks offer here."""

    layers: list[Any]
    soft_updates: int
    threads: int

    def soft_update(self, source: Any, tau: float) -> None:
        """Of one network."""

    def check_source(self, source: Any) -> None:
        """InputError where it cannot be the source."""


def soft_update_all(targets: Sequence[Mixed], sources: Sequence[Mixed], tau: float) -> None:
    """Draws the weights of several networks towards those of others, as `Network.soft_update` does one after the other.

    While topologies, and the arrays of weights and biases, are the same objects as the last time, all weights are mixed
    in one prepared call.

    Args:
        targets: networks whose weights change.
        sources: as many, which the targets follow.
        tau: 0 to 1, the share of the sources.

    Raises:
        InputError: see Network.soft_update. Nothing has changed then.

    Source:
        Lillicrap et al., "Continuous control with deep reinforcement learning", ICLR 2016, algorithm 1; Fujimoto et
        al., "Addressing function approximation error in actor-critic methods", ICML 2018, algorithm 1: of two critics.

    Example:
        >>> import trulysparse as ts
        >>> critics = [ts.SparseMLP((4, 8, 1), epsilon=1, output="identity", seed=seed) for seed in (0, 1)]
        >>> targets = [critic.copy() for critic in critics]
        >>> critics[1].layers[0].values[:] = 1
        >>> ts.soft_update_all(targets, critics, 1)
        >>> bool((targets[1].layers[0].values == 1).all())
        True
    """
    tau = checks.real("tau", tau, low=0, high=1)
    targets = checks.listed("targets", targets, "networks")
    sources = checks.listed("sources", sources, "networks")
    if len(targets) != len(sources):
        raise InputError(f"sources must have one network for each of {len(targets)} targets, not {len(sources)}")
    if mix_prepared(targets, sources, tau):
        return
    for number, (target, source) in enumerate(zip(targets, sources, strict=True)):
        if not hasattr(target, "check_source"):
            raise InputError(f"targets[{number}] must be a network, not {type(target).__name__}")
        target.check_source(source)
    for target, source in zip(targets, sources, strict=True):
        target.soft_update(source, tau)
    if len(targets) > 1:
        prepare(targets, sources)


@dataclass
class _Prepared:
    """Networks that can be mixed place by place, and all they consist of. Holds on to none of them."""

    networks: list[ref[Any]]
    parts: list[ref[Any]]

    def is_of(self, targets: Sequence[Mixed], sources: Sequence[Mixed], parts: list[Any]) -> bool:
        """Whether these are still the very objects."""
        networks = [*targets, *sources]
        return (
            len(self.networks) == len(networks)
            and len(self.parts) == len(parts)
            and all(map(is_, [known() for known in self.networks], networks))
            and all(map(is_, [known() for known in self.parts], parts))
        )


_PREPARED: WeakKeyDictionary[Any, _Prepared] = WeakKeyDictionary()
"""By the first target."""


def mix_prepared(targets: Sequence[Mixed], sources: Sequence[Mixed], tau: float) -> bool:
    """Mixes networks that `prepare` found fit.

    Args:
        targets: at least one.
        sources: as many.
        tau: 0 to 1.

    Returns:
        Whether it was done; False: nothing has changed.
    """
    known = _PREPARED.get(targets[0]) if targets else None
    if known is None:
        return False
    parts = _parts_of(targets, sources)
    if not known.is_of(targets, sources, parts):
        del _PREPARED[targets[0]]
        return False
    ts, ss = parts[2::6] + parts[3::6], parts[4::6] + parts[5::6]
    try:
        if tau == 1:
            for t, s in zip(ts, ss, strict=True):
                np.copyto(t, s)
        elif tau > 0:
            _kernels.mix(ts, ss, tau, [0] * len(ts), targets[0].threads)
    except (TypeError, ValueError):  # read-only by now: they are replaced by others
        del _PREPARED[targets[0]]
        return False
    for target in targets:
        target.soft_updates += 1
    return True


def prepare(targets: Sequence[Mixed], sources: Sequence[Mixed]) -> None:
    """Notes that networks can be mixed in one call, where that is so.

    Args:
        targets: networks after a soft update, at least one.
        sources: as many.
    """
    for target, source in zip(targets, sources, strict=True):
        for layer, other in zip(target.layers, source.layers, strict=True):
            if layer.values.dtype == np.uint16 or not same_topology(layer, other):
                return
    parts = _parts_of(targets, sources)
    ts, ss = parts[2::6] + parts[3::6], parts[4::6] + parts[5::6]
    if _overlap(ts, ss) or not all(t.flags.writeable for t in ts) or len({t.dtype for t in ts}) > 1:
        return
    _PREPARED[targets[0]] = _Prepared([ref(net) for net in [*targets, *sources]], [ref(part) for part in parts])


def _parts_of(targets: Sequence[Mixed], sources: Sequence[Mixed]) -> list[Any]:
    """Connectivity of both, then weights and biases of the target, then those of the source, layer by layer."""
    parts: list[Any] = []
    for target, source in zip(targets, sources, strict=True):
        for layer, other in zip(target.layers, source.layers, strict=False):
            parts += (layer.connectivity, other.connectivity, layer.values, layer.bias, other.values, other.bias)
        if len(target.layers) != len(source.layers):
            return []
    return parts


def _overlap(ts: list[Stored], ss: list[Stored]) -> bool:
    """Whether an array that is written lies in the memory of another one."""
    for number, t in enumerate(ts):
        if any(np.may_share_memory(t, other) for other in ts[number + 1 :] + ss if t.size and other.size):
            return True
    return False
