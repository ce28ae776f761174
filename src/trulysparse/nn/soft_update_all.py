"""Soft updates of several target networks: one call of the kernels where topologies are those of their sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.nn.layers.storage import StorageConfig


class Mixed(Protocol):
    """What networks offer here."""

    soft_updates: int
    threads: int
    tied: bool

    @property
    def layers(self) -> list[Any]:
        """First to last."""

    @property
    def storage_config(self) -> StorageConfig:
        """How they are stored."""

    def soft_update(self, source: Any, tau: float) -> None:
        """Of one network."""

    def check_source(self, source: Any) -> None:
        """InputError where it cannot be the source."""


def soft_update_all(targets: Sequence[Mixed], sources: Sequence[Mixed], tau: float) -> None:
    """Draws the weights of several networks towards those of others, as `Network.soft_update` does one after the other.

    Where all layers have the very connectivity objects of their sources, all weights are mixed in one call.

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
    if mixed_in_place(targets, sources, tau):
        return
    for number, (target, source) in enumerate(zip(targets, sources, strict=True)):
        if not hasattr(target, "check_source"):
            raise InputError(f"targets[{number}] must be a network, not {type(target).__name__}")
        target.check_source(source)
    for target, source in zip(targets, sources, strict=True):
        target.soft_update(source, tau)


def mixed_in_place(targets: Sequence[Mixed], sources: Sequence[Mixed], tau: float) -> bool:
    """Mixes networks whose layers have the very connectivity objects of their sources, in one call.

    Args:
        targets: networks, or what is none.
        sources: as many.
        tau: 0 to 1.

    Returns:
        Whether it was done; False: nothing has changed, as a layer differs from its source, or arrays are read-only,
        overlap, or hold bfloat16.
    """
    try:
        for net in (*targets, *sources):
            if net.tied or net.storage_config.folder is not None:
                return False
        networks = [(target.layers, source.layers) for target, source in zip(targets, sources, strict=True)]
        if not networks or not _kernels.mix_layers(networks, tau, targets[0].threads):
            return False
    except AttributeError:  # no network
        return False
    for target in targets:
        target.soft_updates += 1
    return True
