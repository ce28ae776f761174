"""Seeds of environments as functions of numbers."""

from __future__ import annotations

import numpy as np


def seed_of(*parts: int) -> int:
    """A seed that environments take, a function of non-negative numbers: a run that goes on, or an evaluation, has
    the same one each time."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0]) >> 1
