"""Scaling of input features with the statistics of the training set. A model stores it and applies it to each batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

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


def unscaled(scaling: Scaling, scaled: NDArray[np.bool_]) -> Scaling:
    """A scaling that leaves some features as they are, such as the outputs of categories: a rare one, standardised,
    would be multiplied by a huge factor.

    Args:
        scaling: of all features.
        scaled: (n_features,), whether each is to be scaled.

    Returns:
        The scaling, with offset 0 and factor 1 for the others.

    Example:
        >>> import numpy as np
        >>> scaling = Scaling("standard", np.array([10.0, 0.1]), np.array([0.5, 3.3]))
        >>> kept = unscaled(scaling, np.array([True, False]))
        >>> kept.offset.tolist(), kept.factor.tolist()
        ([10.0, 0.0], [0.5, 1.0])
    """
    return replace(scaling, offset=np.where(scaled, scaling.offset, 0.0), factor=np.where(scaled, scaling.factor, 1.0))
