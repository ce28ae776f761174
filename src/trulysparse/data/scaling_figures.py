"""Offsets and factors of a scaling, computed from all samples, chunk by chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import as_doubles
from trulysparse._core.progress import Progress, silent
from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.data.matrix import Matrix, check_chunk, chunks
from trulysparse.data.moments import Moments
from trulysparse.data.scaling import Scaling, unscaled
from trulysparse.errors import InputError

KINDS = ("none", "standard", "minmax", "moderated")
# "auto": "moderated" where no value is negative and at least this share is 0, else "standard".
MOSTLY_ZERO = 0.75


class ScalingFigures:
    """The statistics behind a scaling; samples can be added at any time. kind: 'standard', 'minmax', 'moderated' or
    'auto', which the first samples decide. augmentation: samples count as it makes them."""

    def __init__(self, kind: str, n_features: int, augmentation: ImageAugmentation | None = None) -> None:
        self.kind = kind
        self.augmentation = augmentation
        self.moments = Moments(n_features)
        self.low = np.full(n_features, np.inf)
        self.high = np.full(n_features, -np.inf)
        self._negative, self._filled, self._seen = False, 0, 0

    def add(self, matrix: Matrix, sample_weight: NDArray[Any] | None = None, progress: Progress = silent) -> Scaling:
        """The scaling by all samples added so far and these; InputError at the first value that is not finite."""
        for start, chunk in chunks(matrix):
            progress("scaling", start, matrix.n_samples)
            check_chunk(matrix, start, chunk)
            augmentation, stop = self.augmentation, start + chunk.shape[0]
            values = chunk if augmentation is None else augmentation.apply(chunk, seed=start, dtype="float64")
            if self.kind == "auto":
                stored: Any = values.data if sp.issparse(values) else values
                self._negative |= bool((stored < 0).any())
                self._filled += int(np.count_nonzero(stored))
                self._seen += values.shape[0] * values.shape[1]
            if self.kind != "minmax":
                self.moments.add(values, None if sample_weight is None else sample_weight[start:stop])
            else:
                low, high = _extremes(values)
                self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        progress("scaling", matrix.n_samples, matrix.n_samples)
        if self.kind == "auto":
            mostly_zero = not self._negative and self._filled <= (1 - MOSTLY_ZERO) * self._seen
            self.kind = "moderated" if mostly_zero else "standard"
        return self._scaling()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it but `kind` and `augmentation`, for a file; see `of`. `kind` has been decided by the first samples.

        Returns:
            Arrays by name.
        """
        if self.kind == "minmax":
            return {"low": self.low, "high": self.high}
        return self.moments.arrays()

    @classmethod
    def of(cls, kind: str, arrays: dict[str, NDArray[Any]], n_features: int) -> ScalingFigures:
        """The figures that gave these arrays.

        Args:
            kind: theirs.
            arrays: what `arrays` gave.
            n_features: columns of the samples.

        Returns:
            Figures that go on where those were.

        Raises:
            InputError: where the arrays are not of so many features.
        """
        made = cls(checks.choice("scale", kind, KINDS[1:]), n_features)
        if kind != "minmax":
            made.moments = Moments.of(arrays, n_features)
            return made
        low, high = (arrays.get(name, np.zeros(0)) for name in ("low", "high"))
        if low.shape != (n_features,) or high.shape != (n_features,) or {low.dtype, high.dtype} != {made.low.dtype}:
            raise InputError(f"low and high must be float64 of shape ({n_features},)")
        made.low, made.high = low, high
        return made

    def _scaling(self) -> Scaling:
        deviation = self.moments.deviation
        if self.kind == "moderated":
            varied = deviation[deviation > 0]
            least = np.median(varied) if len(varied) else 0.0
            factor = np.where(deviation > 0, _inverse(np.maximum(deviation, least)), 0.0)
            return Scaling("moderated", self.moments.mean, factor)
        if self.kind == "standard":
            return Scaling("standard", self.moments.mean, _inverse(deviation))
        return Scaling("minmax", self.low, _inverse(self.high / 2 - self.low / 2) / 2)  # halves stay in range


def fit_scaling(
    kind: str,
    matrix: Matrix,
    sample_weight: NDArray[Any] | None = None,
    progress: Progress = silent,
    scaled: NDArray[np.bool_] | None = None,
    augmentation: ImageAugmentation | None = None,
) -> Scaling | None:
    """Computes a scaling from all samples, chunk by chunk.

    Args:
        kind: "none", "standard" (to mean 0 and standard deviation 1), "minmax" (to [0, 1]), "moderated" (as
            "standard", but features of less than the median deviation are divided by that: words that few texts have
            do not get large values) or "auto" ("moderated" where no value is negative and three quarters are 0, else
            "standard").
        matrix: the samples; see as_matrix.
        sample_weight: (n_samples,), for "standard"; None: all 1.
        progress: called with ("scaling", samples read, n_samples).
        scaled: (n_features,), the features to scale, such as `scaled_` of a TablePreprocessor; None: all.
        augmentation: of the training, where there is one: samples count as it makes them. A pixel at the border that is
            nearly constant in the images themselves would else be multiplied by a huge factor.

    Returns:
        The scaling, or None for kind "none".

    Raises:
        InputError: for another kind, and at the first value that is not finite.

    Example:
        >>> from trulysparse.data import as_matrix
        >>> scaling = fit_scaling("minmax", as_matrix([[1.0, 7.0], [3.0, 7.0]]))
        >>> scaling.offset.tolist(), scaling.factor.tolist()
        ([1.0, 7.0], [0.5, 0.0])
    """
    if checks.choice("scale", kind, (*KINDS, "auto")) == "none":
        return None
    scaling = ScalingFigures(kind, matrix.n_features, augmentation).add(matrix, sample_weight, progress)
    return scaling if scaled is None else unscaled(scaling, scaled)


def _inverse(width: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / width, and 0 where that is not a number: of a constant feature."""
    with np.errstate(divide="ignore", over="ignore"):
        inverse = 1.0 / width
    return np.where(np.isfinite(inverse), inverse, 0.0)


def _extremes(chunk: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest and the largest value of each feature."""
    if not sp.issparse(chunk):
        return as_doubles(chunk.min(axis=0)), as_doubles(chunk.max(axis=0))
    if not chunk.has_canonical_format:
        chunk = chunk.copy()
        chunk.sum_duplicates()
    n, values = chunk.shape[1], as_doubles(chunk.data)
    everywhere = np.bincount(chunk.indices, minlength=n) == chunk.shape[0]
    low, high = np.where(everywhere, np.inf, 0.0), np.where(everywhere, -np.inf, 0.0)
    np.minimum.at(low, chunk.indices, values)
    np.maximum.at(high, chunk.indices, values)
    return low, high
