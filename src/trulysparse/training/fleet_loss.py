"""What a fleet needs of a loss: its kind for the kernels, and the targets of all agents, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, as_doubles, not_finite
from trulysparse._kernels import Loss as Kind
from trulysparse.errors import InputError
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.losses import BinaryCrossEntropy, Huber, Loss, MeanSquaredError, SoftmaxCrossEntropy


@dataclass(frozen=True)
class FleetLoss:
    """A built-in loss, of each agent.

    Args:
        kind: the kernels' name of it.
        delta: of Huber.
        summed: whether it is the sum over outputs.
    """

    kind: Kind
    delta: float = 1.0
    summed: bool = False

    def targets(self, y: ArrayLike, fleet: Fleet) -> NDArray[Any]:
        """Targets of all agents as the kernels take them.

        Args:
            y: as the user gave it.
            fleet: the fleet.

        Returns:
            (N, b) int32 labels or (N, b, n_outputs) values of the fleet's type, contiguous.

        Raises:
            InputError: where the loss cannot take them.
        """
        given = np.asarray(y)
        n_agents, n_outputs = fleet.n_agents, fleet.layer_sizes[-1]
        if self.kind == Kind.SOFTMAX_CROSS_ENTROPY:
            if given.ndim != 2 or len(given) != n_agents or not given.size:
                raise InputError(f"y must hold labels of shape ({n_agents}, b), not {given.shape}")
            if given.dtype.kind not in "iub":
                raise InputError(f"y must hold labels, integers from 0 to {n_outputs - 1}, not {given.dtype}")
            low, high = int(given.min()), int(given.max())
            if low < 0 or high >= n_outputs:
                raise InputError(f"y must hold labels from 0 to {n_outputs - 1}, but it has {low if low < 0 else high}")
            return np.ascontiguousarray(given, np.int32)
        if given.ndim != 3 or given.shape[::2] != (n_agents, n_outputs) or not given.size:
            raise InputError(f"y must hold values of shape ({n_agents}, b, {n_outputs}), not {given.shape}")
        if given.dtype.kind not in "fiub":
            raise InputError(f"y must hold numbers, not {given.dtype}")
        values: NDArray[Any] = given
        if given.dtype != fleet.dtype:
            with np.errstate(over="ignore"):
                values = as_doubles(given).astype(fleet.dtype)
        values = np.ascontiguousarray(values)
        if not _kernels.all_finite(values, fleet.threads):
            raise InputError(f"y must hold finite numbers, but it has {not_finite(values)}")
        if self.kind == Kind.BINARY_CROSS_ENTROPY and (values.min() < 0 or values.max() > 1):
            raise InputError(f"y must lie in [0, 1], but it has {values.min() if values.min() < 0 else values.max()}")
        return values

    def gradients(self, z: Floats, targets: NDArray[Any], threads: int) -> NDArray[np.float64]:
        """Each agent's mean loss; replaces z by their gradients.

        Args:
            z: (N, n_outputs, columns).
            targets: from `targets`.
            threads: at least 1.
        """
        n = targets.shape[1]
        share: Floats = np.zeros(z.shape[2], z.dtype)
        share[:n] = 1.0 / n
        losses = np.empty(len(z))
        labels = targets if targets.ndim == 2 else None
        laid_out = None
        if labels is None:
            laid_out = np.zeros(z.shape, z.dtype)
            laid_out[:, :, :n] = targets.transpose(0, 2, 1)
        _kernels.loss_and_gradient_each(
            self.kind, z, n, labels, laid_out, share, losses, threads, self.delta, self.summed
        )
        return losses


def checked_loss(loss: Loss) -> FleetLoss:
    """A loss for fleets, or InputError where it is not a built-in one.

    Args:
        loss: as make_loss returns it.
    """
    if isinstance(loss, SoftmaxCrossEntropy):
        return FleetLoss(Kind.SOFTMAX_CROSS_ENTROPY)
    if isinstance(loss, BinaryCrossEntropy):
        return FleetLoss(Kind.BINARY_CROSS_ENTROPY, summed=loss.reduction == "sum")
    if isinstance(loss, MeanSquaredError):
        return FleetLoss(Kind.MEAN_SQUARED_ERROR, summed=loss.reduction == "sum")
    if isinstance(loss, Huber):
        return FleetLoss(Kind.HUBER, loss.delta)
    raise InputError(f"loss must be a built-in one for a fleet, not {loss.name}; train such agents by Trainer")
