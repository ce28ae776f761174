"""Importance pruning: hidden neurons of low importance are removed, in one call or in the course of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import OptimizerState
from trulysparse.pruning.remove_neurons import NeuronMask, remove_neurons
from trulysparse.pruning.strength import SCORES, importance, mean_activation
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.layer_watch import check_optimizer_state
from trulysparse.training.metrics import evaluate

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData
    from trulysparse.training.history import Record


@dataclass(frozen=True)
class PruningReport:
    """What a pruning did.

    Args:
        neurons: hidden neurons before and after.
        connections: of the network before and after.
        metrics: what `evaluate` gives before and after; None where no data was given.
        keep_masks: for each hidden layer one mark per neuron it had, True where it remains.

    Example:
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> report = ts.prune_neurons(net, percentile=50)
        >>> report.neurons, [int(mask.sum()) for mask in report.keep_masks]
        ((20, 10), [10])
        >>> print(report)
        hidden neurons 20 -> 10, connections 106 -> 62
    """

    neurons: tuple[int, int]
    connections: tuple[int, int]
    metrics: tuple[dict[str, float], dict[str, float]] | None = None
    keep_masks: tuple[NeuronMask, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        text = (
            f"hidden neurons {self.neurons[0]:,} -> {self.neurons[1]:,}, "
            f"connections {self.connections[0]:,} -> {self.connections[1]:,}"
        )
        if self.metrics is not None:
            before, after = self.metrics
            text += "".join(f", {name} {before[name]:.4f} -> {after[name]:.4f}" for name in before)
        return text


def prune_neurons(
    net: SparseMLP,
    percentile: float = 20.0,
    *,
    score: str = "incoming",
    X: Any = None,
    y: ArrayLike | None = None,
    optimizer_state: Sequence[OptimizerState] | None = None,
) -> PruningReport:
    """Removes, in each hidden layer, the neurons whose importance is at or under a percentile of the layer's, in place.

    Their incoming connections are removed; each is then a constant, which moves into the biases of the next layer; its
    outgoing connections are removed and arrays shrink. Neurons without inputs or outputs are removed too. Input and
    output layer keep their neurons; a layer whose neurons are all equally important keeps all. Linear in connections.

    Args:
        net: the network, with storage='indexed'.
        percentile: in [0, 100); 0 removes only neurons without inputs or outputs.
        score: the importance: 'incoming', the sum of |incoming weights| (as in the source); 'both', that times the sum
            of |outgoing weights|; 'activation', the mean |activation| on X times the sum of |outgoing weights|.
        X: samples (n_samples, n_inputs), for 'activation' and for the report's metrics.
        y: labels or targets of X, for the report's metrics; None: no metrics.
        optimizer_state: of each layer, changed along with it (trainer.optimizer_state). Without it a Trainer of this
            network goes on with zero state in the layers that have changed.

    Returns:
        Neurons, connections and metrics before and after.

    Raises:
        InputError: where an argument is out of range, X is missing or the network has storage='compact'.

    Source:
        Curci, Mocanu and Pechenizkiy, "Truly sparse neural networks at scale" (2021), algorithm 2, where neurons keep
        their outgoing connections and may grow new inputs later.

    Example:
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> ts.prune_neurons(net, percentile=50).neurons
        (20, 10)
        >>> net.layer_sizes
        (10, 10, 3)
    """
    checks.real("percentile", percentile, low=0, high=100, high_open=True)
    checks.choice("score", score, SCORES)
    if score == "activation" and X is None:
        raise InputError("score='activation' needs X, the samples to measure activations on")
    check_prunable(net)
    if optimizer_state is not None:
        check_optimizer_state(net, optimizer_state)
    neurons_before, connections_before = _size(net)
    metrics_before = None if y is None else evaluate(net, X, y)
    wanted = None
    if percentile > 0:
        activity = mean_activation(net, X) if score == "activation" else None
        wanted = []
        for values in importance(net, score, activity):
            mask = values > np.percentile(values, percentile)
            wanted.append(mask if mask.any() else np.ones_like(mask))
    keep_masks = remove_neurons(net, optimizer_state, wanted)
    neurons_after, connections_after = _size(net)
    metrics = None if metrics_before is None or y is None else (metrics_before, evaluate(net, X, y))
    return PruningReport(
        (neurons_before, neurons_after), (connections_before, connections_after), metrics, tuple(keep_masks)
    )


def check_prunable(net: SparseMLP) -> None:
    """InputError where neurons cannot be removed from a network."""
    if net.storage_config.tiled:
        raise InputError(
            "importance pruning needs a network with storage='indexed', not storage='compact': see net.indexed()"
        )


def _size(net: SparseMLP) -> tuple[int, int]:
    return sum(net.layer_sizes[1:-1]), net.n_connections


class ImportancePruning(Callback):
    """Calls `prune_neurons` in the course of training, before the epoch's topology evolution. Records `neurons`, the
    hidden neurons left. Defaults are those of the source's sequential runs.

    Args:
        percentile: see prune_neurons, in [0, 100).
        start: the first epoch after which to prune, counted from 1.
        every: epochs between prunings, at least 1.
        stop: the last epoch after which to prune; None: the end of training.
        score: see prune_neurons.
        X: samples for score='activation', kept by reference.

    Raises:
        InputError: where an argument is out of range, or X is missing.

    Source:
        Curci, Mocanu and Pechenizkiy, "Truly sparse neural networks at scale" (2021), algorithm 2.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((10, 40, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 10)), rng.integers(0, 3, 64)
        >>> pruning = ts.ImportancePruning(25, start=2, every=2)
        >>> history = ts.Trainer(net, batch_size=16, callbacks=[pruning]).fit(X, y, epochs=4)
        >>> [record["neurons"] for record in history.records]
        [40, 30, 30, 22]
    """

    on_server = True

    def __init__(
        self,
        percentile: float = 20.0,
        *,
        start: int = 200,
        every: int = 10,
        stop: int | None = None,
        score: str = "incoming",
        X: Any = None,
    ) -> None:
        self.percentile = checks.real("percentile", percentile, low=0, high=100, high_open=True)
        self.start = checks.integer("start", start, low=0)
        self.every = checks.integer("every", every, low=1)
        self.stop = None if stop is None else checks.integer("stop", stop, low=0)
        self.score = checks.choice("score", score, SCORES)
        if score == "activation" and X is None:
            raise InputError("score='activation' needs X, the samples to measure activations on")
        self._X = X

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Refuses networks that cannot be pruned.

        Args:
            trainer: what trains.
            data: of the fit.

        Raises:
            InputError: where the network has storage='compact', or X does not fit it.
        """
        check_prunable(trainer.net)
        if self._X is not None:
            trainer.net.matrix(self._X)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Prunes where it is due, or was in one of the epochs that share this record.

        Args:
            trainer: what trains.
            record: of the epoch; `neurons` is added.
        """
        epoch = int(record["epoch"])
        epochs = range(epoch - int(record.get("epochs", 1)) + 1, epoch + 1)
        last = epoch if self.stop is None else self.stop
        if any(self.start <= one <= last and (one - self.start) % self.every == 0 for one in epochs):
            report = prune_neurons(
                trainer.net, self.percentile, score=self.score, X=self._X, optimizer_state=trainer.optimizer_state
            )
            trainer.resize(report.keep_masks)
        record["neurons"] = sum(trainer.net.layer_sizes[1:-1])
