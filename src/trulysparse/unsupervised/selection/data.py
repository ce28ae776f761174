"""What a method of selection sees: samples, their standardisation, and targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.data import Matrix, Scaling, as_matrix
from trulysparse.data.scaling import unscaled
from trulysparse.data.scaling_figures import ScalingFigures
from trulysparse.errors import DivergenceError, InputError


@dataclass(frozen=True)
class SelectionData:
    """Checked samples and targets.

    Attributes:
        matrix: the samples, all finite, in their own unit; read batch by batch.
        scaling: for `net.scaling`, by default to mean 0 and standard deviation 1; constant features become 0.
        constant: (n_features,) bool, the features that have one value only.
        targets: labels, int32 (n_samples,), 0 to n_outputs - 1; values, float64 (n_samples, n_outputs), standardised;
            0 and 1, float64 (n_samples, n_outputs), where output is 'sigmoid'; or None where there are none.
        output: the output activation of a network for these targets: 'softmax', 'identity' or 'sigmoid'; '' where
            there are none.
        n_outputs: neurons of its output layer; 0 where there are no targets.

    Example:
        >>> import numpy as np
        >>> from trulysparse.unsupervised.selection import SelectionData
        >>> data = SelectionData.of([[1.0, 5.0], [3.0, 5.0]], np.array([1, 0]))
        >>> data.constant.tolist(), data.output, data.n_outputs
        ([False, True], 'softmax', 2)
    """

    matrix: Matrix
    scaling: Scaling
    constant: NDArray[np.bool_]
    targets: NDArray[Any] | None = None
    output: str = ""
    n_outputs: int = 0

    @classmethod
    def of(
        cls, X: Any, y: NDArray[Any] | None = None, *, scale: str = "standard", scaled: NDArray[np.bool_] | None = None
    ) -> SelectionData:
        """Samples and targets, checked.

        Args:
            X: (n_samples, n_features), in any form that as_matrix takes.
            y: labels, (n_samples,) whole numbers from 0 on; values, (n_samples,) or (n_samples, n_outputs) of a
                floating-point type; several labels per sample, (n_samples, n_labels) bool; or None.
            scale: 'standard', 'minmax', 'moderated' or 'auto'; see fit_scaling.
            scaled: (n_features,), the features to scale, such as `scaled_` of a TablePreprocessor; None: all.

        Returns:
            The data.

        Raises:
            InputError: where a value of X is not finite, or y is of another form or length.
        """
        matrix = as_matrix(X)
        figures = ScalingFigures(scale, matrix.n_features)
        scaling = figures.add(matrix)
        constant = scaling.factor == 0
        if scaled is not None:
            scaling = unscaled(scaling, scaled)
        if y is None:
            return cls(matrix, scaling, constant)
        if len(y) != matrix.n_samples:
            raise InputError(f"X has {matrix.n_samples} samples, but y has {len(y)}")
        return cls(matrix, scaling, constant, *_targets(y))

    @property
    def n_features(self) -> int:
        """Features of each sample."""
        return self.matrix.n_features

    @property
    def n_samples(self) -> int:
        """How many samples there are."""
        return self.matrix.n_samples

    def finished(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Scores as a method returns them: constant features get the lowest one.

        Args:
            scores: (n_features,), higher is better.

        Returns:
            (n_features,) float64.

        Raises:
            DivergenceError: where a score is not finite: training has diverged.
        """
        values = np.array(scores, np.float64)
        values[self.constant] = 0.0
        if not np.isfinite(values).all():
            raise DivergenceError("a score is not a finite number: training has diverged; lower the learning rate")
        values[self.constant] = min(0.0, float(values.min()))
        return values


def _targets(y: NDArray[Any]) -> tuple[NDArray[Any], str, int]:
    """(targets, output activation, number of outputs)."""
    if y.ndim == 1 and y.dtype.kind in "iu":
        if len(y) and y.min() < 0:
            raise InputError(f"y must hold labels from 0 on, not {int(y.min())}")
        return np.ascontiguousarray(y, np.int32), "softmax", int(y.max(initial=0)) + 1
    if y.ndim == 2 and y.dtype == np.bool_:
        return y.astype(np.float64), "sigmoid", y.shape[1]
    if y.ndim not in (1, 2) or y.dtype.kind != "f":
        raise InputError(f"y must hold labels or values of one or two dimensions, not {y.dtype} {y.shape}")
    values = y.reshape(len(y), -1).astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError("y must hold finite numbers")
    values = np.ldexp(values, -np.frexp(np.abs(values).max(axis=0, initial=0))[1])  # so that squares stay in range
    values -= values.mean(axis=0)
    deviation = values.std(axis=0)
    values /= np.where(deviation > 0, deviation, 1.0)
    return values, "identity", values.shape[1]
