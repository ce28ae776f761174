"""Loss and score of a network on data it does not train on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import losses
from trulysparse.errors import InputError
from trulysparse.losses import Loss
from trulysparse.network import SparseMLP, sample_weights


def evaluate(
    net: SparseMLP,
    X: Any,
    y: ArrayLike,
    *,
    loss: Loss | str | None = None,
    sample_weight: ArrayLike | None = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """The weighted mean loss and, by the output activation, 'accuracy' (softmax: of samples; sigmoid: of
    labels) or 'r2' (identity: variance-weighted coefficient of determination).

    y: integer labels (n_samples,), or targets (n_samples, n_outputs).
    """
    loss = losses.make(loss, net.output)
    matrix = net.matrix(X)
    targets = loss.check_targets(y, net.layer_sizes[-1])
    check_lengths(matrix.n_samples, len(targets))
    weight = sample_weights(sample_weight, matrix.n_samples)
    total = total_weight = 0.0
    tally = _Tally(net.output)
    for samples, z in net.output_batches(matrix, batch_size, activated=False):
        part = targets[samples]
        share = np.ones(len(part)) if weight is None else weight[samples]
        tally.add(z, part, share)
        part_weight = float(share.sum())
        if part_weight > 0:
            column_weight = (share / part_weight).astype(net.dtype)
            total += part_weight * loss.gradient(np.ascontiguousarray(z), part, column_weight, net.threads)
            total_weight += part_weight
    return {"loss": total / max(total_weight, 1e-300), **tally.score()}


def check_lengths(n_samples: int, n_targets: int, x_name: str = "X", y_name: str = "y") -> None:
    """InputError where the two differ."""
    if n_samples != n_targets:
        raise InputError(f"{x_name} has {n_samples} samples, but {y_name} has {n_targets}")


class _Tally:
    """Sums for the score, batch by batch."""

    def __init__(self, output: str) -> None:
        self.output = output
        self.right = self.weight = 0.0
        self.residual = self.first = self.second = np.zeros(1)

    def add(self, z: NDArray[Any], y: NDArray[Any], weight: NDArray[np.float64]) -> None:
        if self.output == "softmax":
            self.right += float(weight @ (z.argmax(axis=0) == y))
            self.weight += float(weight.sum())
        elif self.output == "sigmoid":
            self.right += float(weight @ ((z.T > 0) == (y > 0.5)).mean(axis=1))
            self.weight += float(weight.sum())
        else:
            target = y.astype(np.float64)
            self.residual = self.residual + weight @ (target - z.T) ** 2
            self.first = self.first + weight @ target
            self.second = self.second + weight @ target**2
            self.weight += float(weight.sum())

    def score(self) -> dict[str, float]:
        if self.output != "identity":
            return {"accuracy": self.right / max(self.weight, 1e-300)}
        variance = float((self.second - self.first**2 / max(self.weight, 1e-300)).sum())
        return {"r2": 1.0 - float(self.residual.sum()) / max(variance, 1e-300)}
