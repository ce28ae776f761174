"""Scaling of input features with the statistics of the training set. A model stores it and applies it to each batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scaling:
    """x -> (x - offset) * factor, feature by feature.

    Args:
        kind: "standard" or "minmax", the rule that the values come from; see fit_scaling.
        offset: float64, (n_features,); subtracted from each value.
        factor: float64, (n_features,); 0 for a constant feature, which becomes 0.

    Example:
        >>> import numpy as np
        >>> scaling = Scaling("minmax", np.array([10.0]), np.array([0.5]))
        >>> (np.array([[10.0], [12.0]]) - scaling.offset) * scaling.factor
        array([[0.],
               [1.]])
    """

    kind: str
    offset: NDArray[np.float64]
    factor: NDArray[np.float64]

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(offset, factor)."""
        return self.offset, self.factor
