"""How many connections there are in the course of training, where the number falls."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

from trulysparse._core import checks
from trulysparse.evolution.schedule import checked_end, updates_at

SCOPES = ("network", "layer", "rule")


class DensitySchedule(Protocol):
    """The number of connections in the course of training.

    `scope` says how it falls: 'network', before an evolution, the smallest |weight| of all layers together; 'layer',
    before an evolution, in each layer the smallest relative importance (see evolution.soft); 'rule', in each layer as
    part of the evolution: the prune rule removes those more than grow.
    """

    @property
    def scope(self) -> str:
        """One of SCOPES."""

    @property
    def until(self) -> int | float | None:
        """The end: a number of updates (int) or a fraction of training; None: another rule."""

    @property
    def needs_total(self) -> bool:
        """Whether it depends on how many updates the whole training has."""

    def target(self, initial: int, training_progress: float, total: int | None = None, /) -> int:
        """The number of connections there should be."""


class _Falling(ABC):
    """What densities share that fall from one point of training to another."""

    final: float
    start: float
    stop: float
    until: int | float | None

    def __post_init__(self) -> None:
        checks.real("final", self.final, low=0, high=1, low_open=True)
        checks.real("start", self.start, low=0, high=1)
        checks.real("stop", self.stop, low=self.start, high=1, low_open=True)
        object.__setattr__(self, "until", checked_end(self.until))
        if isinstance(self.until, float):
            checks.real("until", self.until, low=self.start, high=1, low_open=True)

    @property
    def needs_total(self) -> bool:
        """Whether it depends on how many updates the whole training has."""
        return not isinstance(self.until, int) or self.start > 0

    @abstractmethod
    def fallen(self, part: float) -> float:
        """How much of the way is gone, 0 to 1, when `part` of the time is over."""

    def target(self, initial: int, training_progress: float, total: int | None = None) -> int:
        """The number of connections there should be at a point of training.

        Args:
            initial: connections at the start of training.
            training_progress: fraction of training that is over, 0 to 1.
            total: updates of the whole training; needed where `until` is a number of updates.

        Returns:
            The number of connections.

        Raises:
            InputError: where `total` is needed and None.
        """
        if isinstance(self.until, int):
            start = self.start * (total or 0)
            elapsed = (updates_at(training_progress, total) - start) / max(1.0, self.until - start)
        else:
            elapsed = (training_progress - self.start) / ((self.until or self.stop) - self.start)
        fallen = self.fallen(min(1.0, max(0.0, elapsed)))
        return round(initial * (1 - (1 - self.final) * fallen))


@dataclass(frozen=True)
class CubicDensity(_Falling):
    """The number of connections of all evolving layers falls along a cubic from `start` to the end, then is constant.

    Args:
        final: fraction of the initial connections that is left at the end, in (0, 1].
        start: fraction of training after which the number begins to fall, in [0, 1].
        stop: fraction of training after which it no longer falls, in (start, 1].
        until: the end, in place of `stop`: an integer is a number of updates (at least 1), a float a fraction of
            training in (start, 1]. None: `stop`.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Zhu and Gupta, "To prune, or not to prune" (2017), eq. 1.

    Example:
        >>> import trulysparse as ts
        >>> density = ts.CubicDensity(0.2, stop=0.5)
        >>> [density.target(1000, training_progress) for training_progress in (0.0, 0.25, 0.5, 1.0)]
        [1000, 300, 200, 200]
    """

    final: float
    start: float = 0.0
    stop: float = 0.75
    until: int | float | None = None
    scope: ClassVar[str] = "network"

    def fallen(self, part: float) -> float:
        """1 - (1 - part)^3."""
        return 1 - (1 - part) ** 3


@dataclass(frozen=True)
class SigmoidDensity(_Falling):
    """The number of connections of each evolving layer falls along a sigmoid: slowly, fast in the middle, slowly. Those
    of least relative importance, |w| / row sum + |w| / column sum, are removed before an evolution.

    With CHTs this is CHTss; any method takes it as its `density`.

    Args:
        final: fraction of a layer's initial connections that is left at the end, in (0, 1].
        k: steepness, above 0: the sigmoid runs from -k to k, scaled so that it begins and ends exactly.
        start: see CubicDensity.
        stop: see CubicDensity.
        until: see CubicDensity.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Zhang et al., "Brain network science modelling of sparse neural networks enables Transformers and LLMs to
        perform as fully connected", NeurIPS 2025 (arXiv 2501.19107), sigmoid gradual density decay, as in the authors'
        code, with k = 6.

    Example:
        >>> import trulysparse as ts
        >>> density = ts.SigmoidDensity(0.02, stop=0.5)  # from 50 % to 1 % of dense
        >>> [density.target(1000, training_progress) for training_progress in (0.0, 0.125, 0.25, 0.5, 1.0)]
        [1000, 956, 510, 20, 20]
    """

    final: float
    k: float = 6.0
    start: float = 0.0
    stop: float = 0.75
    until: int | float | None = None
    scope: ClassVar[str] = "layer"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.real("k", self.k, low=0, high=100, low_open=True)

    def fallen(self, part: float) -> float:
        """1 / (1 + exp(-k (2 part - 1))), scaled to 0 and 1 at the ends; tanh(k / 2 (2 part - 1)) is the same."""
        return 0.5 + 0.5 * math.tanh(self.k / 2 * (2 * part - 1)) / math.tanh(self.k / 2)
