"""Losses. Each works on the output layer's values before their activation, knows the output activation it
belongs to, and gives the weighted mean loss and its gradient in one pass."""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, kernel_readable
from trulysparse._kernels import Loss as Kind
from trulysparse.errors import InputError


def _as_array(y: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(y)
    except ValueError:
        raise InputError("y must be an array of numbers: its rows differ in length") from None


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
    output: ClassVar[str] = "softmax"
    kind: ClassVar[Kind] = Kind.SOFTMAX_CROSS_ENTROPY

    def check_targets(self, y: ArrayLike, n_outputs: int, dtype: Any = np.float64) -> NDArray[Any]:
        """Labels as the kernels take them.

        Args:
            y: (n_samples,), whole numbers of any type.
            n_outputs: output neurons of the network.
            dtype: of the network; it makes no difference here.

        Returns:
            (n_samples,) int32.

        Raises:
            InputError: with the first position that is not usable.
        """
        labels = _as_array(y)
        if labels.ndim != 1:
            raise InputError(f"y must be one label per sample (1-dimensional), not of shape {labels.shape}")
        whole = labels.dtype.kind in "iub" or (labels.dtype.kind == "f" and np.array_equal(labels, np.floor(labels)))
        if not whole:
            raise InputError(f"y must hold integer class labels, not {labels.dtype} with fractions or text")
        if labels.size and (labels.min() < 0 or labels.max() >= n_outputs):
            at = int(np.flatnonzero((labels < 0) | (labels >= n_outputs))[0])
            raise InputError(
                f"y[{at}] is {labels[at]}; labels must lie between 0 and {n_outputs - 1}, one per output neuron"
            )
        return labels.astype(np.int32, copy=False)

    def gradient(self, z: Floats, y: NDArray[Any], weight: Floats, threads: int) -> float:
        """The loss of one batch; replaces z by the gradient at z.

        Args:
            z: (n_outputs, stride) values before the output activation; the first columns are the samples.
            y: (n_samples,) labels, see `check_targets`.
            weight: (stride,) of the network's type: each sample's share in the mean.
            threads: at least 1.

        Returns:
            The weighted mean.
        """
        return float(_kernels.loss_and_gradient(self.kind, z, len(y), y, None, weight, threads))


class _OnTargets:
    kind: ClassVar[Kind]

    def check_targets(self, y: ArrayLike, n_outputs: int, dtype: Any = np.float64) -> NDArray[Any]:
        """Targets as the kernels take them.

        Args:
            y: (n_samples, n_outputs) numbers of any type; (n_samples,) where there is one output.
            n_outputs: output neurons of the network.
            dtype: of the network, whose range they must keep to.

        Returns:
            (n_samples, n_outputs) of a type that kernels read.

        Raises:
            InputError: with the first position that is not usable.
        """
        targets = _as_array(y)
        if targets.ndim == 1 and n_outputs == 1:
            targets = targets.reshape(-1, 1)
        if targets.ndim != 2 or targets.shape[1] != n_outputs:
            raise InputError(
                f"y must have shape (n_samples, {n_outputs}), one column per output neuron, not {targets.shape}"
            )
        if targets.dtype.kind not in "iubf":
            raise InputError(f"y must hold numbers, not {targets.dtype}")
        if targets.dtype.kind == "f":
            with np.errstate(over="ignore"):
                usable = np.isfinite(targets.astype(dtype, copy=False))
            if not usable.all():
                row, column = (int(i) for i in np.argwhere(~usable)[0])
                raise InputError(
                    f"y[{row}, {column}] is {targets[row, column]!s}; targets must be finite numbers within the range "
                    f"of {np.dtype(dtype)}"
                )
        if targets.dtype == bool:
            targets = targets.view(np.uint8)
        return targets if kernel_readable(targets) else targets.astype(np.float64)

    def gradient(self, z: Floats, y: NDArray[Any], weight: Floats, threads: int) -> float:
        """See SoftmaxCrossEntropy.gradient; y: (n_samples, n_outputs)."""
        target = np.empty_like(z)
        _kernels.load_dense(y, np.arange(len(y)), None, None, target, threads)
        return float(_kernels.loss_and_gradient(self.kind, z, len(y), None, target, weight, threads))


class BinaryCrossEntropy(_OnTargets):
    """-t log p - (1 - t) log(1 - p) with p = sigmoid(z), the mean over outputs and samples.

    For several labels per sample; targets t are in [0, 1]. It belongs to output='sigmoid'.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> z = np.zeros((2, 1))
        >>> round(ts.BinaryCrossEntropy().gradient(z, np.array([[1.0, 0.0]]), np.ones(1), threads=1), 4)  # log 2
        0.6931
        >>> z.tolist()  # (p - t) / 2
        [[-0.25], [0.25]]
    """

    name: ClassVar[str] = "binary_cross_entropy"
    output: ClassVar[str] = "sigmoid"
    kind: ClassVar[Kind] = Kind.BINARY_CROSS_ENTROPY

    def check_targets(self, y: ArrayLike, n_outputs: int, dtype: Any = np.float64) -> NDArray[Any]:
        """See MeanSquaredError.check_targets; also refuses what is not in [0, 1]."""
        targets = super().check_targets(y, n_outputs, dtype)
        if targets.size and (targets.min() < 0 or targets.max() > 1):
            raise InputError(
                f"y must lie in [0, 1] for binary cross-entropy, not in [{targets.min()}, {targets.max()}]"
            )
        return targets


class MeanSquaredError(_OnTargets):
    """(z - t)^2, the mean over outputs and samples, for regression.

    It belongs to output='identity'.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> z = np.array([[3.0]])
        >>> ts.MeanSquaredError().gradient(z, np.array([[1.0]]), np.ones(1), threads=1)
        4.0
        >>> z.tolist()  # 2 * (z - t)
        [[4.0]]
    """

    name: ClassVar[str] = "mean_squared_error"
    output: ClassVar[str] = "identity"
    kind: ClassVar[Kind] = Kind.MEAN_SQUARED_ERROR


Loss: TypeAlias = SoftmaxCrossEntropy | BinaryCrossEntropy | MeanSquaredError

BY_OUTPUT: dict[str, type[Loss]] = {
    kind.output: kind for kind in (SoftmaxCrossEntropy, BinaryCrossEntropy, MeanSquaredError)
}


def make_loss(loss: Loss | str | None, output: str) -> Loss:
    """A loss from its object or name; None: the one that belongs to the output activation."""
    if loss is None:
        return BY_OUTPUT[output]()
    if isinstance(loss, str):
        by_name = {kind.name: kind for kind in BY_OUTPUT.values()}
        if loss not in by_name:
            raise InputError(f"loss must be one of {', '.join(by_name)}, not {loss!r}")
        loss = by_name[loss]()
    if not isinstance(loss, Loss):
        raise InputError(f"loss must be one of trulysparse's losses, its name or None, not {loss!r:.80}")
    if loss.output != output:
        raise InputError(f"loss {loss.name} belongs to output='{loss.output}', but the network has output='{output}'")
    return loss
