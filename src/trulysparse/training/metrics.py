"""Loss and score of a network on given samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.data.moments import Moments
from trulysparse.data.targets import Values
from trulysparse.nn import losses
from trulysparse.nn.losses import AnyLoss, Loss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.training.fit_data import FitData

_VALUE_BYTES = 64 << 20


def evaluate(
    net: SparseMLP,
    X: Any,
    y: ArrayLike,
    *,
    loss: AnyLoss | str | None = None,
    sample_weight: ArrayLike | None = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """Loss and score of a network on samples.

    Args:
        net: the network.
        X: (n_samples, n_inputs); NumPy, SciPy sparse, memory map or DataFrame.
        y: labels (n_samples,), or values (n_samples, n_outputs) of any type that X may have; see the loss. Where the
            network has a target_scaling, values in their own unit.
        loss: a loss, its name, or None for the one of the network's output activation.
        sample_weight: (n_samples,), at least 0; None: all 1.
        batch_size: samples computed at a time, at least 1; fewer where outputs are many.

    Returns:
        'loss', the weighted mean (with a target_scaling, of standardised targets), and a score. For labels, and values
        of output='softmax', 'accuracy': the share of
        samples. For values of 'sigmoid', 'accuracy': the share of values. For those of 'identity', 'r2': the
        coefficient of determination, outputs weighted by variance, as scikit-learn's
        r2_score(multioutput="variance_weighted"), and 'mae', the mean absolute error over samples and outputs, both in
        the unit of y.

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
    made = losses.make_loss(loss, net.output)
    return scores(net, made, FitData.checked(net, made, X, y, sample_weight), batch_size)


def scores(net: SparseMLP, loss: Loss, data: FitData, batch_size: int = 256) -> dict[str, float]:
    """As evaluate, on samples that are checked."""
    total = total_weight = 0.0
    unit = None
    if net.target_scaling is not None:
        factor = net.target_scaling.factor
        unit = np.divide(1.0, factor, out=np.zeros_like(factor), where=factor > 0)
    sums = _ScoreSums(score_name(net.output, data), net.output, unit)
    for samples, z, targets in _outputs_and_targets(net, data, batch_size):
        share = np.ones(z.shape[1]) if data.weight is None else data.weight[samples]
        sums.add(z, targets, share)
        part_weight = float(share.sum())
        if part_weight > 0:
            column_weight = (share / part_weight).astype(net.dtype)
            kept = targets if data.labelled else targets.astype(net.dtype, copy=False)
            total += part_weight * loss.gradient(np.ascontiguousarray(z), kept, column_weight, net.threads)
            total_weight += part_weight
    return {"loss": total / max(total_weight, 1e-300), **sums.score()}


def score_name(output: str, data: FitData) -> str:
    """The name of the score of a network with this output activation: 'accuracy' or 'r2'."""
    return "r2" if output == "identity" and not data.labelled else "accuracy"


def _outputs_and_targets(
    net: SparseMLP, data: FitData, batch_size: int
) -> Iterator[tuple[slice, NDArray[Any], NDArray[Any]]]:
    """(samples, output values (n_outputs, n), labels (n,) or values (n_outputs, n) in float64), batch by batch."""
    if isinstance(data.targets, Values):  # they and what is made of them are in float64
        batch_size = max(1, min(batch_size, _VALUE_BYTES // (8 * net.layer_sizes[-1])))
    outputs = net.output_batches(data.matrix, batch_size, activated=False)
    if not isinstance(data.targets, Values):
        for samples, z in outputs:
            yield samples, z, data.targets[samples]
        return
    memory = np.empty(0)
    with data.targets.reader(np.arange(data.matrix.n_samples)) as reader:
        for samples, z in outputs:
            if memory.size < z.size:
                memory = np.empty(z.size)
            values = memory[: z.size].reshape(z.shape)
            reader.load(np.arange(samples.start, samples.stop), values, net.threads, net.dtype)
            yield samples, z, values


class _ScoreSums:
    """Sums for the score, batch by batch.

    Args:
        name: of the score.
        output: the network's output activation.
        unit: (n_outputs,), what 1 in values is in the unit of y; None: 1.
    """

    def __init__(self, name: str, output: str, unit: NDArray[np.float64] | None = None) -> None:
        self.name = name
        self.output = output
        self.unit = unit
        self.hits = self.weight = 0.0
        self.residual: NDArray[np.float64] | float = 0.0
        self.distance: NDArray[np.float64] | float = 0.0
        self.first: NDArray[np.float64] | None = None
        self.spread: Moments | None = None

    def add(self, z: NDArray[Any], targets: NDArray[Any], weight: NDArray[np.float64]) -> None:
        """z: (n_outputs, n). targets: (n,) labels or (n_outputs, n) values. weight: (n,)."""
        if self.name == "r2":
            self._add_values(z, targets.T, weight)
            return
        hits: NDArray[Any]
        if targets.ndim == 1:
            hits = z.argmax(axis=0) == targets
        elif self.output == "softmax":
            hits = z.argmax(axis=0) == targets.argmax(axis=0)
        else:
            hits = ((z > 0) == (targets > 0.5)).mean(axis=0)
        self.hits += float(weight @ hits)
        self.weight += float(weight.sum())

    def _add_values(self, z: NDArray[Any], target: NDArray[np.float64], weight: NDArray[np.float64]) -> None:
        if not weight.any():
            return
        if self.first is None or self.spread is None:  # targets are counted from one of them: a constant one is then 0
            self.first, self.spread = target[np.flatnonzero(weight)[0]].copy(), Moments(target.shape[1])
        self.spread.add(target - self.first, weight)
        error = target - z.T
        self.residual = self.residual + weight @ error**2
        self.distance = self.distance + weight @ np.abs(error)
        self.weight += float(weight.sum())

    def score(self) -> dict[str, float]:
        """The score, by its name."""
        if self.name == "accuracy":
            return {"accuracy": self.hits / max(self.weight, 1e-300)}
        if self.spread is None:
            return {"r2": 0.0, "mae": 0.0}
        # As scikit-learn's r2_score: targets that are constant count only where all are, as 1 if met and 0 if not.
        residual = np.asarray(self.residual)
        variance = self.spread.weight * self.spread.deviation**2
        unit = np.ones(len(variance)) if self.unit is None else self.unit
        mae = float(np.mean(np.asarray(self.distance) / self.weight * unit))
        varied = variance > 0
        if not varied.any():
            return {"r2": float(np.mean(residual == 0)), "mae": mae}
        share = (unit / unit[varied].max())[varied] ** 2  # of units, as their squares may be out of range
        return {"r2": 1.0 - float((share * residual[varied]).sum() / (share * variance[varied]).sum()), "mae": mae}
