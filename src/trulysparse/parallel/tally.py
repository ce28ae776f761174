"""What an epoch of phase 1 comes to."""

from __future__ import annotations

import time

from trulysparse.parallel.gradient import Gradient
from trulysparse.training.history import Record


class Tally:
    """Sums over the gradients of an epoch."""

    def __init__(self) -> None:
        self.dropped = 0
        self._began = time.perf_counter()
        self._loss = 0.0
        self._samples = self._gradients = self._staleness = self._most_stale = self._bytes = 0

    def add(self, gradient: Gradient, clock: int) -> None:
        """A gradient that is the update number `clock`."""
        staleness = clock - gradient.clock
        self._staleness += staleness
        self._most_stale = max(self._most_stale, staleness)
        self._loss += gradient.loss * gradient.n_samples
        self._samples += gradient.n_samples
        self._bytes += gradient.nbytes
        self._gradients += 1

    def record(self, epoch: int, learning_rate: float, connections: int) -> Record:
        """The figures. staleness: updates between a model's leaving and its gradient's coming, mean and largest.
        dropped: values of gradients whose connections were gone. gradient_mb: what gradients weighed on their way."""
        seconds = time.perf_counter() - self._began
        return {
            "epoch": epoch,
            "phase": 1,
            "loss": self._loss / self._samples,
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
