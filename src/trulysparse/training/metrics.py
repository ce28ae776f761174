"""Loss and score of a network on given samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.data.moments import Moments
from trulysparse.data.sample_weights import sample_weights
from trulysparse.errors import InputError
from trulysparse.nn import losses
from trulysparse.nn.losses import Loss
from trulysparse.nn.mlp import SparseMLP


def evaluate(
    net: SparseMLP,
    X: Any,
    y: ArrayLike,
    *,
    loss: Loss | str | None = None,
    sample_weight: ArrayLike | None = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """Loss and score of a network on samples.

    Args:
        net: the network.
        X: (n_samples, n_inputs); NumPy, SciPy sparse, memory map or DataFrame.
        y: integer labels (n_samples,), or targets (n_samples, n_outputs); see the loss.
        loss: a loss, its name, or None for the one of the network's output activation.
        sample_weight: (n_samples,), at least 0; None: all 1.
        batch_size: samples computed at a time, at least 1.

    Returns:
        'loss', the weighted mean, and a score by the output activation: 'accuracy' (softmax: share of samples;
        sigmoid: share of labels) or 'r2' (identity: the coefficient of determination, outputs weighted by variance, as
        scikit-learn's r2_score(multioutput="variance_weighted")).

    Raises:
        InputError: where X, y or sample_weight do not fit the network or each other.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> X = np.random.default_rng(0).standard_normal((64, 4))
        >>> y = (X[:, 0] > 0).astype(int)
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1)
        >>> history = ts.Trainer(net, optimizer=ts.Adam(0.01), batch_size=16).fit(X, y, epochs=30)
        >>> sorted(scores := ts.evaluate(net, X, y))
        ['accuracy', 'loss']
        >>> scores["accuracy"] > 0.9
        True
    """
    loss = losses.make_loss(loss, net.output)
    matrix = net.matrix(X)
    targets = loss.check_targets(y, net.layer_sizes[-1], net.dtype)
    check_lengths(matrix.n_samples, len(targets))
    weight = sample_weights(sample_weight, matrix.n_samples)
    total = total_weight = 0.0
    sums = _ScoreSums(net.output)
    for samples, z in net.output_batches(matrix, batch_size, activated=False):
        part = targets[samples]
        share = np.ones(len(part)) if weight is None else weight[samples]
        sums.add(z, part, share)
        part_weight = float(share.sum())
        if part_weight > 0:
            column_weight = (share / part_weight).astype(net.dtype)
            total += part_weight * loss.gradient(np.ascontiguousarray(z), part, column_weight, net.threads)
            total_weight += part_weight
    return {"loss": total / max(total_weight, 1e-300), **sums.score()}


def check_lengths(n_samples: int, n_targets: int, x_name: str = "X", y_name: str = "y") -> None:
    """InputError where the numbers of samples and targets differ."""
    if n_samples != n_targets:
        raise InputError(f"{x_name} has {n_samples} samples, but {y_name} has {n_targets}")


class _ScoreSums:
    """Sums for the score, batch by batch."""

    def __init__(self, output: str) -> None:
        self.output = output
        self.hits = self.weight = 0.0
        self.residual: NDArray[np.float64] | float = 0.0
        self.first: NDArray[np.float64] | None = None
        self.spread: Moments | None = None

    def add(self, z: NDArray[Any], y: NDArray[Any], weight: NDArray[np.float64]) -> None:
        if self.output == "identity":
            self._add_targets(z, y.astype(np.float64), weight)
            return
        hits = (z.argmax(axis=0) == y) if self.output == "softmax" else ((z.T > 0) == (y > 0.5)).mean(axis=1)
        self.hits += float(weight @ hits)
        self.weight += float(weight.sum())

    def _add_targets(self, z: NDArray[Any], target: NDArray[np.float64], weight: NDArray[np.float64]) -> None:
        if not weight.any():
            return
        if self.first is None or self.spread is None:  # targets are counted from one of them: a constant one is then 0
            self.first, self.spread = target[np.flatnonzero(weight)[0]], Moments(target.shape[1])
        self.spread.add(target - self.first, weight)
        self.residual = self.residual + weight @ (target - z.T) ** 2

    def score(self) -> dict[str, float]:
        if self.output != "identity":
            return {"accuracy": self.hits / max(self.weight, 1e-300)}
        if self.spread is None:
            return {"r2": 0.0}
        # As scikit-learn's r2_score: targets that are constant count only where all are, as 1 if met and 0 if not.
        residual = np.asarray(self.residual)
        variance = self.spread.weight * self.spread.deviation**2
        varied = variance > 0
        if not varied.any():
            return {"r2": float(np.mean(residual == 0))}
        return {"r2": 1.0 - float(residual[varied].sum() / variance[varied].sum())}
