"""Statistics of one epoch of phase 1."""

from __future__ import annotations

import time
from collections.abc import Mapping

from trulysparse.parallel.gradient import Gradient
from trulysparse.training.history import Record


class EpochStatistics:
    """Sums over the gradients of an epoch. state: the sums so far, as `state()` returned them; None: zero."""

    def __init__(self, state: Mapping[str, float] | None = None) -> None:
        so_far = state or {}
        self.dropped = int(so_far.get("dropped", 0))
        self._began = time.perf_counter() - so_far.get("seconds", 0.0)
        self._loss = so_far.get("loss", 0.0)
        self._weight = so_far.get("weight", 0.0)
        self._samples = int(so_far.get("samples", 0))
        self._gradients = int(so_far.get("gradients", 0))
        self._staleness = int(so_far.get("staleness", 0))
        self._most_stale = int(so_far.get("most_stale", 0))
        self._bytes = int(so_far.get("bytes", 0))

    def state(self) -> dict[str, float]:
        """The sums so far, for a server that continues this epoch."""
        return {
            "dropped": self.dropped,
            "seconds": time.perf_counter() - self._began,
            "loss": self._loss,
            "weight": self._weight,
            "samples": self._samples,
            "gradients": self._gradients,
            "staleness": self._staleness,
            "most_stale": self._most_stale,
            "bytes": self._bytes,
        }

    def add(self, gradient: Gradient, n_updates: int) -> None:
        """Adds a gradient that was applied as update number `n_updates`, from 0."""
        staleness = n_updates - gradient.n_updates
        self._staleness += staleness
        self._most_stale = max(self._most_stale, staleness)
        self._loss += gradient.loss * gradient.total_weight
        self._weight += gradient.total_weight
        self._samples += gradient.n_samples
        self._bytes += gradient.nbytes
        self._gradients += 1

    def record(self, epoch: int, learning_rate: float, connections: int) -> Record:
        """The epoch's record. staleness, staleness_max: updates between the fetch of a model and the arrival of its
        gradient, mean and largest. dropped: values of gradients whose connections had been removed. gradient_mb:
        megabytes of gradients sent."""
        seconds = time.perf_counter() - self._began
        return {
            "epoch": epoch,
            "phase": 1,
            "loss": self._loss / max(self._weight, 1e-300),
            "learning_rate": learning_rate,
            "connections": connections,
            "seconds": seconds,
            "samples": self._samples,
            "samples_per_second": self._samples / seconds,
            "staleness": self._staleness / self._gradients,
            "staleness_max": self._most_stale,
            "dropped": self.dropped,
            "gradient_mb": self._bytes / 1e6,
        }
