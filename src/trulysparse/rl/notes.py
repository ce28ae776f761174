"""NotesLosses: what agents remember of their losses."""

from __future__ import annotations

import math

from trulysparse.errors import DivergenceError

NOTES_EVERY = 100
"""Updates from one look at the losses to the next: at each they would cost more than they tell."""


class NotesLosses:
    """An agent that looks at its losses now and then.

    Attributes:
        metrics: the latest losses, by the names that Stable-Baselines3 logs.
        n_updates: so far.
    """

    metrics: dict[str, float]
    n_updates: int

    @property
    def notes_due(self) -> bool:
        """Whether the present update's losses are to be noted."""
        return self.n_updates % NOTES_EVERY == 0

    def note(self, **metrics: float) -> None:
        """Remembers losses.

        Args:
            metrics: by name, without 'train/'.

        Raises:
            DivergenceError: where one is not finite.
        """
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise DivergenceError(
                    f"{name} is {value} after {self.n_updates} updates: training has diverged; lower learning_rate, or "
                    "scale the rewards"
                )
            self.metrics[f"train/{name}"] = float(value)
