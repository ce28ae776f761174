"""Scaling of input features with the training set's figures; kept in the model and applied to what comes in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scaling:
    """x -> (x - shift) * factor, a pair of float64 values a feature. A constant feature becomes 0."""

    kind: str
    shift: NDArray[np.float64]
    factor: NDArray[np.float64]

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(shift, factor)."""
        return self.shift, self.factor
