"""Weights of samples, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.errors import InputError


def sample_weights(sample_weight: ArrayLike | None, n_samples: int) -> NDArray[np.float64] | None:
    """sample_weight as float64, (n_samples,), each finite and at least 0, or InputError."""
    if sample_weight is None:
        return None
    try:
        given = np.asarray(sample_weight)
        weight = given.astype(np.float64) if given.dtype.kind not in "cMm" else None
    except (TypeError, ValueError):
        weight = None
    if weight is None:
        raise InputError("sample_weight must be an array of numbers")
    if weight.shape != (n_samples,):
        raise InputError(f"sample_weight must have shape ({n_samples},), one value per sample, not {weight.shape}")
    wrong = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
    if len(wrong):
        raise InputError(f"sample_weight[{wrong[0]}] is {weight[wrong[0]]}; weights must be finite and at least 0")
    return weight
