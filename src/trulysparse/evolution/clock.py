"""The clock of an evolution in a loop of one's own: updates so far, and when the method is due."""

from __future__ import annotations

from trulysparse._core import checks
from trulysparse._core.random import stream_key
from trulysparse.errors import InputError
from trulysparse.evolution.evolution import Evolution


class Clock:
    """Counts updates for an evolution method.

    Args:
        method: the evolution, such as SET(every_updates=1000).
        total_updates: of the whole training, at least 1; None: not known.
        updates_per_epoch: at least 1; needed where the method counts epochs.

    Attributes:
        method, total_updates, updates_per_epoch: as given.
        count: updates so far.

    Raises:
        InputError: where an argument is out of range, or the method needs total_updates or updates_per_epoch and has
            none.
    """

    def __init__(self, method: Evolution, total_updates: int | None, updates_per_epoch: int | None) -> None:
        if total_updates is not None:
            checks.integer("total_updates", total_updates, low=1)
        elif method.needs_total:
            raise InputError(
                f"total_updates must be given: {method!r} depends on it; or give the method an end in updates "
                "(until=50_000)"
            )
        if updates_per_epoch is not None:
            checks.integer("updates_per_epoch", updates_per_epoch, low=1)
        elif method.schedule.every_epochs is not None:
            raise InputError(
                f"updates_per_epoch must be given: {method!r} counts epochs; or give the method an interval in updates "
                "(every_updates=1000)"
            )
        self.method = method
        self.total_updates = total_updates
        self.updates_per_epoch = updates_per_epoch
        self.count = 0

    def due(self) -> bool:
        """Whether to evolve now: after `count` updates, before the next one."""
        return self.method.due(self.count, self.updates_per_epoch, self.total_updates)

    def step_done(self) -> None:
        """Advances the clock by one update. An evolution in place of an update counts as one."""
        self.count += 1

    def end(self) -> int | None:
        """Updates of the whole training or, where that is not known, the last one on which anything depends."""
        if self.total_updates:
            return self.total_updates
        ends = [self.method.schedule.until] + ([self.method.density.until] if self.method.density else [])
        return max((end for end in ends if isinstance(end, int)), default=None)

    def progress(self) -> float:
        """The share of the training that is over, 0 to 1; 0 where nothing depends on it."""
        end = self.end()
        return 0.0 if end is None else min(1.0, self.count / end)


def check_method(method: object) -> None:
    """InputError where it is no method of evolution."""
    if not isinstance(method, Evolution):
        raise InputError(f"method must be a method of evolution, such as SET(), not {method!r:.80}")


def evolution_key(seed: int, count: int) -> int:
    """The key of the random streams of the evolution after `count` updates."""
    return stream_key(seed, "evolution", count)
