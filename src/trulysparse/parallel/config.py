"""The checked settings of parallel training, and how they divide the epochs of a call of fit into phases."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import InitVar, dataclass
from os import PathLike
from typing import Any, ClassVar, TypeAlias

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution
from trulysparse.parallel.compression import Compression

Span: TypeAlias = tuple[int, int]
"""A phase: (epochs that are over before it, epochs that are over after it)."""

BACKENDS = ("threads", "ray")
STALENESS = ("momentum", "divide", "ignore")
WARMUP_WORKERS = 15  # WASAP warms up over one epoch per so many workers beside the first
WARMUP_SHARE = 0.2  # of the epochs, at most
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
    staleness: str | None = None
    delay_compensation: float = 0.0
    warmup_epochs: float | None = None
    checkpoint: str | PathLike[str] | None = None
    data: Callable[[], tuple[Any, Any]] | None = None
    worker_timeout: float = 30.0
    patience: InitVar[float | None] = None
    staleness_aware: InitVar[bool] = False

    synchronous: ClassVar[bool] = False

    def __post_init__(self, patience: float | None, staleness_aware: bool) -> None:
        if patience is not None:
            warnings.warn("patience= is now worker_timeout=", DeprecationWarning, stacklevel=3 + self.synchronous)
            object.__setattr__(self, "worker_timeout", patience)
        if staleness_aware:
            warnings.warn(
                "staleness_aware=True is now staleness='divide'", DeprecationWarning, stacklevel=3 + self.synchronous
            )
            object.__setattr__(self, "staleness", "divide")
        if self.staleness is not None:
            checks.choice("staleness", self.staleness, STALENESS)
        checks.real("delay_compensation", self.delay_compensation, low=0)
        if self.warmup_epochs is not None:
            checks.real("warmup_epochs", self.warmup_epochs, low=0)
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
                    raise InputError(f"{name} is for workers on a Ray cluster: give backend='ray' with it")

    @property
    def staleness_rule(self) -> str:
        """What is done about stale gradients; synchronous ones are not."""
        return "ignore" if self.synchronous else self.staleness or "momentum"

    def warmup(self, epochs: int) -> float:
        """The epochs over which asynchronous training reaches its learning rate, in a training of `epochs`."""
        if self.synchronous:
            return 0.0
        if self.warmup_epochs is not None:
            return self.warmup_epochs
        if self.staleness_rule != "momentum":
            return 0.0
        return min((self.workers - 1) / WARMUP_WORKERS, WARMUP_SHARE * epochs)

    @property
    def n_shards(self) -> int:
        """The number of parts that the samples are divided into."""
        return self.workers if self.shards is None else self.shards

    def phases(self, epochs: int) -> list[tuple[Span, Span]]:
        """Divides a training into phases.

        Args:
            epochs: those of the whole training, at least 1.

        Returns:
            (phase 1, phase 2) of each round; each is (epochs over before it, epochs over after it), both the same where
            the round has no such phase.

        Raises:
            InputError: where phase1_epochs, phase2_epochs and rounds do not fit `epochs`.

        Example:
            >>> from trulysparse.parallel import WASAP
            >>> WASAP(phase1_epochs=6, rounds=2).phases(10)
            [((0, 3), (3, 5)), ((5, 8), (8, 10))]
        """
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
        phases, done = [], 0
        for number in range(self.rounds):
            n_phase1, n_phase2 = (
                n * (number + 1) // self.rounds - n * number // self.rounds for n in (first, epochs - first)
            )
            phases.append(((done, done + n_phase1), (done + n_phase1, done + n_phase1 + n_phase2)))
            done += n_phase1 + n_phase2
        return phases

    def check(self, n_samples: int, evolution: Evolution | None, epochs: int) -> list[tuple[Span, Span]]:
        """Checks that a training can be run with these settings.

        Args:
            n_samples: samples to train on.
            evolution: the evolution rule of the training, or None.
            epochs: those of the whole training.

        Returns:
            The phases; see `phases`.

        Raises:
            InputError: with fewer samples than shards, an evolution rule that phase 1 or the average cannot follow, or
                epochs that the phases do not fit.

        Example:
            >>> from trulysparse.parallel import WASAP
            >>> WASAP(workers=2).check(n_samples=100, evolution=None, epochs=10)
            [((0, 7), (7, 10))]
        """
        phases = self.phases(epochs)
        if n_samples < self.n_shards:
            name = "workers" if self.shards is None else "shards"
            raise InputError(f"{name} must be at most the {n_samples} samples to train on, not {self.n_shards}")
        if evolution is not None and evolution.needs_gradient and phases[0][0][1] > 0:
            raise InputError(
                f"evolution={type(evolution).__name__} looks at the training data, which the server of phase 1 does "
                "not have: choose one that looks at weights only (Static, SET, DeepR, DSR), or phase1_epochs=0"
            )
        if evolution is not None and evolution.density is not None:
            raise InputError(
                f"evolution={type(evolution).__name__} lets the number of connections fall, which the average of "
                "the workers' networks restores: train without parallel, or choose another rule"
            )
        return phases


@dataclass(frozen=True)
class SynchronousConfig(ParallelConfig):
    """What WASSP is given in addition to ParallelConfig; see WASSP for the field."""

    warmup_epochs: float = 5.0

    synchronous: ClassVar[bool] = True

    def __post_init__(self, patience: float | None, staleness_aware: bool) -> None:
        super().__post_init__(patience, staleness_aware)
        for name in ("staleness", "delay_compensation"):
            if getattr(self, name):
                raise InputError(f"{name}={getattr(self, name)!r} is for WASAP: the gradients of WASSP are never stale")
