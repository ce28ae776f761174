"""Versions of the topology that gradients may still be computed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from trulysparse.connectivity import Connectivity
from trulysparse.parallel.gradient import Topology


class TopologyHistory:
    """The newest topology and those before it, back to the oldest that is still needed. first_version: the number of
    the first one. Not safe for threads: the server calls it under its lock."""

    def __init__(self, first_version: int) -> None:
        self._first_version = first_version
        self._topologies: list[Topology] = []

    def __len__(self) -> int:
        return len(self._topologies)

    def __contains__(self, version: int) -> bool:
        return self._topologies[0].version <= version <= self._topologies[-1].version

    def since(self, version: int) -> list[Topology]:
        """The topologies from `version` on."""
        return self._topologies[version - self._topologies[0].version :]

    def add(self, connectivity: Sequence[Connectivity], needed: Iterable[int]) -> int:
        """Adds the newest topology and returns its version. needed: the versions that gradients are computed on; those
        before the oldest of them are dropped."""
        version = self._topologies[-1].version + 1 if self._topologies else self._first_version
        self._topologies.append(Topology(version, list(connectivity)))
        oldest = min([version, *needed])
        while self._topologies[0].version < oldest:
            del self._topologies[0]
        return version

    def neurons_removed(self, keep_masks: Sequence[NDArray[np.bool_]]) -> None:
        """Hidden neurons have been removed since the newest topology was added. keep_masks: for each hidden layer,
        which of its neurons are still there; several calls before the next `add` are combined. Empty: it
        is not known."""
        if not keep_masks:
            return
        newest = self._topologies[-1]
        if newest.keep_masks is not None:
            combined = []
            for first, second in zip(newest.keep_masks, keep_masks, strict=True):
                keep_mask = first.copy()
                keep_mask[first] = second
                combined.append(keep_mask)
            keep_masks = combined
        newest.keep_masks = [np.asarray(keep_mask, np.bool_) for keep_mask in keep_masks]
