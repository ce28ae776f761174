"""Sparse evolutionary training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from trulysparse import _checks
from trulysparse._random import stream_key
from trulysparse.evolution.grow import uniform
from trulysparse.evolution.prune import sign_magnitude
from trulysparse.evolution.rewire import rewire
from trulysparse.layers import Slots

if TYPE_CHECKING:
    from trulysparse.network import SparseMLP


@dataclass(frozen=True)
class SET:
    """After each epoch but the last, on every layer but the output layer: remove the fraction zeta of the
    positive weights closest to zero and the fraction zeta of the negative weights closest to zero; grow as
    many at uniformly random empty places, with fresh initial weights and zero optimizer state.

    zeta: in [0, 1]. Source: Mocanu et al., "Scalable training of artificial neural networks with adaptive
    sparse connectivity inspired by network science", Nature Communications 9 (2018), algorithm 1. Unlike
    versions with masks it costs time and memory linear in connections.
    """

    zeta: float = 0.3
    name: ClassVar[str] = "set"

    def __post_init__(self) -> None:
        _checks.real("zeta", self.zeta, low=0, high=1)

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether to evolve when `epoch` of `epochs` epochs are over."""
        return epoch < epochs

    def evolve(self, net: SparseMLP, slots: Sequence[Slots], key: int, threads: int) -> int:
        """Evolves the network's hidden layers once; `key` names the random streams. Returns how many
        connections were replaced."""
        replaced = 0
        for number, (layer, state) in enumerate(zip(net.layers[:-1], slots, strict=False)):
            keep = sign_magnitude(layer, self.zeta, threads)
            count = layer.n_connections - int(np.count_nonzero(keep))
            if count == 0:
                continue
            grown = uniform(layer, keep, count, stream_key(key, "grow", number), threads)
            scale = net.init.scale(layer.connectivity)
            fresh = net.init.draw(count, scale, net.dtype, stream_key(key, "fresh", number), threads)
            rewire(layer, state, keep, grown, fresh, threads)
            replaced += count
        return replaced
