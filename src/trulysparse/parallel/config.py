"""How a call of fit spreads over workers: WASAP-SGD and WASSP-SGD."""

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
TOGETHER = 0.7  # share of the epochs in phase 1, as in the source


@dataclass(frozen=True)
class WASAP:
    """Weight-averaging sparse asynchronous parallel SGD. Phase 1: each worker computes the gradient of a batch of its
    shard on the newest model it saw; the server applies each gradient as it comes and evolves the topology at epoch
    ends; of a gradient from an older topology it applies what still exists (RetainValidUpdates). Phase 2: each worker
    trains alone, momentum and topology evolution of its own; then the models are averaged over the union of their
    connections and each layer is pruned back to its number of connections, by magnitude within each sign.

    workers: at least 1. phase1_epochs, phase2_epochs: None: 70 % and 30 % of the epochs of fit, or what the other
    leaves. rounds: how often both phases take turns; each gets its share of the epochs. backend: 'threads' of this
    process, whose kernels then run on one thread each, or 'ray' (extra 'ray'). shards: parts the samples are cut
    into, at least `workers`; None: as many. compression: of gradients, Half() or TopK(share), or None.
    momentum_correction: scale momentum with the learning rate where that changes (Goyal et al. 2017, section 3).
    staleness_aware: divide each gradient by the number of updates since its model was fetched (Zhang et al.,
    "Staleness-aware async-SGD", IJCAI 2016); with momentum 0.9, more than four workers need it or a smaller learning
    rate.

    For Ray: address: HOST:PORT of a running cluster, or 'auto'; None: the one this process is connected to, else a
    local one is started. data: a function that returns (X, y), called by each worker for itself (it must be
    importable there); None: memory maps are opened by workers themselves, other arrays travel once. patience: seconds
    after which a worker that does not answer is done without, until it is back. Workers may join up to `shards`.
    checkpoint: folder for the server's state at each epoch's end; None: a temporary one.

    With threads, weights are shared without copies: a worker may read a weight that is some updates old, never one
    that is half written; weights, biases and optimizer state are updated under a lock a layer. Which gradient comes
    first is up to the machine: results vary from run to run. Source: Curci, Mocanu and Pechenizkiy, "Truly sparse
    neural networks at scale" (2021), algorithm 1.
    """

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
    patience: float = 30.0

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
        checks.real("patience", self.patience, low=0, low_open=True)
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
            first = max(1, round(TOGETHER * epochs))
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
class WASSP(WASAP):
    """Weight-averaging sparse synchronous parallel SGD: WASAP, but in phase 1 the server waits for one gradient of each
    shard, averages them (weighted by samples) and makes one update with the learning rate times the number of shards,
    which is reached in a linear warm-up. Same result for the same number of shards, whatever the workers' speed.

    warmup_epochs: until the full learning rate. See WASAP for the others.
    """

    warmup_epochs: float = 5.0

    synchronous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.real("warmup_epochs", self.warmup_epochs, low=0)
