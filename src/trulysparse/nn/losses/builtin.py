"""The built-in losses. Each works on the output layer's values before their activation and gives the weighted mean
loss and its gradient in one pass of a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse._kernels import Loss as Kind
from trulysparse.data.targets import Values, check_labels, check_values

REDUCTIONS = ("mean", "sum")
"""Of what is lost at the outputs of a sample."""


class SoftmaxCrossEntropy:
    """-log softmax(z)[label], the mean over samples, for classes.

    Labels are integers from 0 to n_outputs - 1. It belongs to output='softmax'.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> z, weight = np.zeros((3, 2)), np.array([0.5, 0.5])  # 3 outputs, 2 samples
        >>> round(ts.SoftmaxCrossEntropy().gradient(z, np.array([0, 2], np.int32), weight, threads=1), 4)  # log 3
        1.0986
        >>> z.round(3).tolist()  # (softmax - one-hot) / 2
        [[-0.333, 0.167], [0.167, 0.167], [0.167, -0.333]]
    """

    name: ClassVar[str] = "softmax_cross_entropy"
    outputs: ClassVar[tuple[str, ...]] = ("softmax",)

    def check_targets(self, y: ArrayLike, n_outputs: int, dtype: Any = np.float64) -> NDArray[np.int32]:
        """Labels as the kernels take them; see trulysparse.data.check_labels."""
        # The common case at a glance: a step has new labels each time.
        if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "iu" and len(y):
            labels: NDArray[np.int32] = y.astype(np.int32, copy=False)
            if y.min() >= 0 and y.max() < n_outputs:
                return labels
        return check_labels(y, n_outputs)

    def gradient(self, z: Floats, targets: NDArray[Any], weight: Floats, threads: int) -> float:
        """See InPlaceLoss.gradient; targets: labels, (n_samples,) int32."""
        return _kernels.loss_and_gradient(Kind.SOFTMAX_CROSS_ENTROPY, z, len(targets), targets, None, weight, threads)


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """-t log p - (1 - t) log(1 - p) with p = sigmoid(z), the mean over outputs and samples.

    For several labels per sample; targets t are in [0, 1]. It belongs to output='sigmoid'.

    Args:
        reduction: 'mean'; or 'sum' over outputs, still the mean over samples: gradients do not shrink as outputs
            become more, as published learning rates of autoencoders have it.

    Raises:
        InputError: where reduction is neither.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> z = np.zeros((2, 1))  # 2 outputs, 1 sample
        >>> round(ts.BinaryCrossEntropy().gradient(z, np.array([[1.0], [0.0]]), np.ones(1), threads=1), 4)  # log 2
        0.6931
        >>> z.tolist()  # (p - t) / 2
        [[-0.25], [0.25]]
    """

    reduction: str = "mean"
    outputs: ClassVar[tuple[str, ...]] = ("sigmoid",)

    def __post_init__(self) -> None:
        checks.choice("reduction", self.reduction, REDUCTIONS)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "binary_cross_entropy" if self.reduction == "mean" else "sum_binary_cross_entropy"

    def check_targets(self, y: Any, n_outputs: int, dtype: Any = np.float64) -> Values:
        """Values in [0, 1]; see trulysparse.data.check_values."""
        return check_values(y, n_outputs, dtype, low=0, high=1)

    def gradient(self, z: Floats, targets: Floats, weight: Floats, threads: int) -> float:
        """See InPlaceLoss.gradient; targets: (n_outputs, columns)."""
        return _kernels.loss_and_gradient(
            Kind.BINARY_CROSS_ENTROPY, z, z.shape[1], None, targets, weight, threads, summed=self.reduction == "sum"
        )


@dataclass(frozen=True)
class MeanSquaredError:
    """(z - t)^2, the mean over outputs and samples, for regression.

    It belongs to output='identity'.

    Args:
        reduction: 'mean'; or 'sum' over outputs, still the mean over samples: gradients do not shrink as outputs
            become more, as published learning rates of autoencoders have it.

    Raises:
        InputError: where reduction is neither.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> z = np.array([[3.0]])
        >>> ts.MeanSquaredError().gradient(z, np.array([[1.0]]), np.ones(1), threads=1)
        4.0
        >>> z.tolist()  # 2 * (z - t)
        [[4.0]]
        >>> ts.MeanSquaredError(reduction="sum").gradient(np.ones((2, 1)), np.zeros((2, 1)), np.ones(1), threads=1)
        2.0
    """

    reduction: str = "mean"
    outputs: ClassVar[tuple[str, ...]] = ("identity",)

    def __post_init__(self) -> None:
        checks.choice("reduction", self.reduction, REDUCTIONS)

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.reduction}_squared_error"

    def check_targets(self, y: Any, n_outputs: int, dtype: Any = np.float64) -> Values:
        """Finite values; see trulysparse.data.check_values."""
        return check_values(y, n_outputs, dtype)

    def gradient(self, z: Floats, targets: Floats, weight: Floats, threads: int) -> float:
        """See InPlaceLoss.gradient; targets: (n_outputs, columns)."""
        return _kernels.loss_and_gradient(
            Kind.MEAN_SQUARED_ERROR, z, z.shape[1], None, targets, weight, threads, summed=self.reduction == "sum"
        )


@dataclass(frozen=True)
class Huber:
    """0.5 e^2 for |e| <= delta and delta (|e| - delta / 2) beyond, with e = z - t; the mean over outputs and samples.

    For regression with outliers: their gradient grows no further. It belongs to output='identity'.

    Args:
        delta: where the square ends, above 0, in the unit of the targets.

    Raises:
        InputError: where delta is out of range.

    Source:
        Huber, "Robust estimation of a location parameter" (1964); torch.nn.HuberLoss.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> z = np.array([[3.0], [1.5]])  # 2 outputs, 1 sample
        >>> ts.Huber(delta=1.0).gradient(z, np.ones((2, 1)), np.ones(1), threads=1)  # (1.5 + 0.125) / 2
        0.8125
        >>> z.tolist()
        [[0.5], [0.25]]
    """

    delta: float = 1.0
    name: ClassVar[str] = "huber"
    outputs: ClassVar[tuple[str, ...]] = ("identity",)

    def __post_init__(self) -> None:
        checks.real("delta", self.delta, low=0, low_open=True)

    def check_targets(self, y: Any, n_outputs: int, dtype: Any = np.float64) -> Values:
        """Finite values; see trulysparse.data.check_values."""
        return check_values(y, n_outputs, dtype)

    def gradient(self, z: Floats, targets: Floats, weight: Floats, threads: int) -> float:
        """See InPlaceLoss.gradient; targets: (n_outputs, columns)."""
        return _kernels.loss_and_gradient(Kind.HUBER, z, z.shape[1], None, targets, weight, threads, self.delta)
