"""How a call of fit spreads over workers, as values that are checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar, TypeAlias

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution
from trulysparse.parallel.compression import Compression

Span: TypeAlias = tuple[int, int]
"""Epochs that are over before, and after, a phase."""

BACKENDS = ("threads", "ray")
PHASE1_SHARE = 0.7  # share of the epochs in phase 1, as in the source


@dataclass(frozen=True)
class ParallelConfig:
    """What WASAP and WASSP are given; see WASAP for the fields."""

    workers: int = 2
    phase1_epochs: int | None = None
    phase2_epochs: int | None = None
    rounds: int = 1
    backend: str = "threads"
    address: str | None = None
    shards: int | None = None
    compression: Compression | None = None
    momentum_correction: bool = True
    staleness_aware: bool = False
    checkpoint: str | PathLike[str] | None = None
    data: Callable[[], tuple[Any, Any]] | None = None
    worker_timeout: float = 30.0

    synchronous: ClassVar[bool] = False

    def __post_init__(self) -> None:
        checks.integer("workers", self.workers, low=1)
        for name in ("phase1_epochs", "phase2_epochs"):
            if getattr(self, name) is not None:
                checks.integer(name, getattr(self, name), low=0)
        checks.integer("rounds", self.rounds, low=1)
        checks.choice("backend", self.backend, BACKENDS)
        if self.shards is not None:
            checks.integer("shards", self.shards, low=self.workers)
        checks.real("worker_timeout", self.worker_timeout, low=0, low_open=True)
        if self.backend != "ray":
            for name in ("address", "data", "checkpoint"):
                if getattr(self, name) is not None:
                    raise InputError(f"{name} is for workers on a Ray cluster: give backend='ray' too")

    @property
    def n_shards(self) -> int:
        """Parts the samples are cut into."""
        return self.workers if self.shards is None else self.shards

    def phases(self, epochs: int) -> list[tuple[Span, Span]]:
        """(phase 1, phase 2) of each round of a training over so many epochs."""
        first, second = self.phase1_epochs, self.phase2_epochs
        if first is None and second is None:
            first = max(1, round(PHASE1_SHARE * epochs))
        if first is None:
            first = epochs - (second or 0)
        elif second is not None and first + second != epochs:
            raise InputError(
                f"phase1_epochs ({first}) and phase2_epochs ({second}) must add up to epochs ({epochs}); leave one out"
            )
        if not 0 <= first <= epochs:
            raise InputError(f"phase1_epochs and phase2_epochs must lie between 0 and epochs ({epochs})")
        if self.rounds > max(1, min(first or epochs, epochs - first or epochs)):
            raise InputError(f"rounds must be at most the epochs of the shorter phase, not {self.rounds}")
        found, done = [], 0
        for number in range(self.rounds):
            together, alone = (
                n * (number + 1) // self.rounds - n * number // self.rounds for n in (first, epochs - first)
            )
            found.append(((done, done + together), (done + together, done + together + alone)))
            done += together + alone
        return found

    def check(self, n_samples: int, evolution: Evolution | None, epochs: int) -> list[tuple[Span, Span]]:
        """The phases, or InputError where a training like this can't be spread so."""
        phases = self.phases(epochs)
        if n_samples < self.n_shards:
            raise InputError(
                f"workers must be at most the {n_samples} samples there are to train on, not {self.n_shards}"
            )
        if evolution is not None and evolution.needs_gradient and phases[0][0][1] > 0:
            raise InputError(
                f"evolution={type(evolution).__name__} looks at the training data, which phase 1's server does not "
                "see: in parallel training choose one that looks at weights only (Static, SET, DeepR, DSR), or "
                "phase1_epochs=0"
            )
        if evolution is not None and evolution.density is not None:
            raise InputError(
                f"evolution={type(evolution).__name__} lets the number of connections fall, which the average of "
                "workers' networks does not follow: train without parallel, or choose another"
            )
        return phases


@dataclass(frozen=True)
class SynchronousConfig(ParallelConfig):
    """What WASSP is given in addition; see there."""

    warmup_epochs: float = 5.0

    synchronous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.real("warmup_epochs", self.warmup_epochs, low=0)
