"""MEST, with elastic mutation alone (EM) or with shrinking too (EM&S)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import uniform
from trulysparse.evolution.prune import MagnitudeAndGradient
from trulysparse.evolution.schedule import Schedule

ROUNDING = 1e-9  # of a part of the time


def _left(elapsed: float) -> float:
    """How much of the extra connections there is: all, half in the last quarter of evolution, none at its end (the
    source: from epochs 90 and 120 of 160)."""
    return 1.0 if elapsed < 0.75 - ROUNDING else 0.5 if elapsed < 1 - ROUNDING else 0.0


@dataclass(frozen=True)
class Mutation:
    """How the fraction to replace falls: it is halved in the last quarter of evolution (`decay` of a Schedule).

    Args:
        extra: with EM&S, the extra part of the initial connections; the number of connections falls with it, and the
            fraction is one of those that are left.

    Example:
        >>> from trulysparse.evolution.methods.mest import Mutation
        >>> Mutation()(0.5), Mutation()(0.8), Mutation(0.2)(0.8)
        (1.0, 0.5, 0.5555555555555556)
    """

    extra: float | None = None

    def __call__(self, elapsed: float) -> float:
        """The factor when `elapsed` of the time until the end of evolution is over."""
        if self.extra is None:
            return 1.0 if elapsed < 0.75 - ROUNDING else 0.5
        return _left(elapsed) / (1 - self.extra * (1 - _left(elapsed)))


@dataclass(frozen=True)
class ShrinkingDensity:
    """The soft memory bound of EM&S: of each layer's initial connections, `extra` are there on top of the final number,
    half as many in the last quarter of evolution, none at its end.

    Args:
        extra: fraction of the initial connections, in [0, 1].
        schedule: of the evolution.

    Example:
        >>> import trulysparse as ts
        >>> density = ts.MEST(0.2, soft=True, stop=0.8).density
        >>> [density.target(1000, training_progress) for training_progress in (0.0, 0.5, 0.6, 0.8, 1.0)]
        [1000, 1000, 900, 800, 800]
    """

    extra: float
    schedule: Schedule
    scope: ClassVar[str] = "rule"

    @property
    def until(self) -> int | float | None:
        """The end, as the evolution's."""
        return self.schedule.until

    @property
    def needs_total(self) -> bool:
        """As the evolution."""
        return self.schedule.needs_total

    def target(self, initial: int, training_progress: float, total: int | None = None) -> int:
        """The number of connections there should be at a point of training.

        Args:
            initial: connections of a layer at the start of training.
            training_progress: fraction of training that is over, 0 to 1.
            total: updates of the whole training; needed where the end is a number of updates.

        Returns:
            The number of connections.

        Raises:
            InputError: where `total` is needed and None.
        """
        return round(initial * (1 - self.extra * (1 - _left(self.schedule.elapsed(training_progress, total)))))


class MEST(Evolution):
    """Every `every` epochs: removes the fraction of each layer's connections of least |w| + weight * |gradient|, and
    grows as many at random, with weights of zero. From 0.75 of the time until the end of evolution half the fraction
    is replaced.

    The source gives the mutation in points of sparsity: from 0.90 it prunes to 0.92 and grows back to 0.90 (from 0.95
    to 0.96), then half as far, then not at all. That is a fifth of the connections, then a tenth.

    With soft=True (elastic mutation and shrink, EM&S) the network starts with extra connections, 1 / (1 - fraction) of
    those it ends with: each evolution prunes to the final number and grows the extra ones anew, half as many in the
    last quarter, none at the end, when (1 - fraction) of the initial connections are left. The source's sparsity of
    0.90 with 0.88 between evolutions is a fraction of 1/6; its scripts keep 0.85, a fraction of 1/3.

    Cost: linear in connections; evolution takes the place of an update, on its batch.

    Args:
        fraction: of connections to replace, in [0, 1]; with `soft` below 1.
        every: epochs between evolutions, at least 1.
        stop: fraction of training after which the topology no longer changes, in (0, 1].
        weight: of the gradient.
        soft: whether the network shrinks from a soft memory bound (EM&S); `stop` must then be below 1.
        output_layer: whether the output layer evolves too; a network of one layer has no other.
        every_updates: updates between evolutions, at least 1, in place of `every`; None: `every` epochs.
        until: the end, in place of `stop`: an integer is a number of updates, a float a fraction of training.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Yuan et al., "MEST: accurate and fast memory-economic sparse training framework on the edge", NeurIPS 2021.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=ts.MEST(every=2), batch_size=16).fit(X, y, epochs=3)
        >>> net.n_connections
        290
    """

    name = "mest"

    def __init__(
        self,
        fraction: float = 0.2,
        every: int = 5,
        stop: float = 0.75,
        *,
        output_layer: bool = True,
        weight: float = 0.01,
        soft: bool = False,
        every_updates: int | None = None,
        until: int | float | None = None,
    ) -> None:
        self.soft = bool(soft)
        checks.real("fraction", fraction, low=0, high=1, high_open=self.soft)
        decay = Mutation(fraction if soft else None)
        schedule = Schedule(fraction, every_epochs=every, decay=decay, stop=stop).in_updates(every_updates, until)
        if soft and not isinstance(schedule.until, int) and (schedule.until or schedule.stop) == 1:
            raise InputError("stop must be below 1 with soft=True: the extra connections are removed then")
        density = ShrinkingDensity(fraction, schedule) if soft else None
        super().__init__(
            MagnitudeAndGradient(weight), uniform, schedule, fresh="zero", output_layer=output_layer, density=density
        )

    def due(self, done: int, steps_per_epoch: int | None, total: int | None) -> bool:
        """Whether to evolve now: as the schedule says and, with `soft`, at the end of evolution, to shrink.

        Args:
            done: updates so far.
            steps_per_epoch: updates per epoch; None only where the schedule counts updates.
            total: updates of the whole training; None where that is not known and not needed.

        Returns:
            True where an evolution is due.

        Raises:
            InputError: where a number is None that is needed.
        """
        if super().due(done, steps_per_epoch, total):
            return True
        return self.soft and done == math.ceil(self.schedule.end(total)) and (total is None or done < total)
