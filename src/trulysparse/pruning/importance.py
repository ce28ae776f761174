"""Importance pruning: hidden neurons that matter little go, in one call or in the course of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import OptimizerState
from trulysparse.pruning.remove_neurons import remove_neurons, scores
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.layer_watch import check_optimizer_state
from trulysparse.training.metrics import evaluate

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData
    from trulysparse.training.history import Record

SCORES = ("incoming", "both", "activation")


@dataclass(frozen=True)
class PruningReport:
    """What a pruning did: neurons and connections before and after, and, where data was given, the scores of
    `evaluate`; stays: for each hidden layer a mark a neuron, True where it stayed."""

    neurons: tuple[int, int]
    connections: tuple[int, int]
    scores: tuple[dict[str, float], dict[str, float]] | None = None
    stays: tuple[NDArray[np.bool_], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        text = (
            f"hidden neurons {self.neurons[0]:,} -> {self.neurons[1]:,}, "
            f"connections {self.connections[0]:,} -> {self.connections[1]:,}"
        )
        if self.scores is not None:
            before, after = self.scores
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

    Their incoming connections go; each is then a constant, which moves into the biases of the next layer; its outgoing
    connections go and arrays shrink. Neurons without inputs or outputs go with them. Input and output layer keep their
    neurons; a layer whose neurons are all equally important keeps all.

    percentile: in [0, 100); 0 removes only neurons without inputs or outputs. score: 'incoming', the sum of |incoming
    weights| (the paper's importance); 'both', that times the sum of |outgoing weights|; 'activation', the mean
    |activation| on X times the sum of |outgoing weights|. X, y: data for the scores before and after in the report
    (and X for 'activation'). optimizer_state: optimizer state to bring along (trainer.optimizer_state); without it a Trainer of this
    network goes on with zero state in the layers that have changed. Source: Curci, Mocanu and
    Pechenizkiy, "Truly sparse neural networks at scale" (2021), algorithm 2, where neurons keep their outgoing
    connections and may grow new inputs later.
    """
    checks.real("percentile", percentile, low=0, high=100, high_open=True)
    checks.choice("score", score, SCORES)
    if score == "activation" and X is None:
        raise InputError("score='activation' needs X, the samples to measure activations on")
    check_prunable(net)
    if optimizer_state is not None:
        check_optimizer_state(net, optimizer_state)
    before = _size(net)
    found = None if y is None else evaluate(net, X, y)
    strong = None
    if percentile > 0:
        activity = mean_activation(net, X) if score == "activation" else None
        strong = []
        for values in scores(net, score, activity):
            marks = values > np.percentile(values, percentile)
            strong.append(marks if marks.any() else np.ones_like(marks))
    stays = remove_neurons(net, optimizer_state, strong)
    after = _size(net)
    pairs = None if found is None or y is None else (found, evaluate(net, X, y))
    return PruningReport((before[0], after[0]), (before[1], after[1]), pairs, tuple(stays))


def check_prunable(net: SparseMLP) -> None:
    """InputError where neurons cannot be removed from a network."""
    if net.storage_config.tiled:
        raise InputError(
            "importance pruning needs a network with storage='indexed', not storage='compact': see net.indexed()"
        )


def _size(net: SparseMLP) -> tuple[int, int]:
    return sum(net.layer_sizes[1:-1]), net.n_connections


def mean_activation(net: SparseMLP, X: Any, batch_size: int = 256) -> list[Floats]:
    """The mean |activation| of each hidden neuron on the samples X: one array a hidden layer."""
    totals = [np.zeros(n) for n in net.layer_sizes[1:-1]]
    matrix = net.matrix(X)
    for samples, hidden in net.hidden_batches(matrix, batch_size):
        width = samples.stop - samples.start
        for number, values in enumerate(hidden):
            totals[number] += np.abs(values[:, :width]).sum(axis=1)
    return [total / matrix.n_samples for total in totals]


class ImportancePruning(Callback):
    """prune_neurons in the course of training, before that epoch's topology evolution.

    percentile, score: see prune_neurons ('activation' uses `X`, kept by reference). start: the first epoch after
    which to prune. every: epochs between prunings. stop: the last epoch, or None. Defaults are those of the paper's
    sequential runs. Records `neurons`, the hidden neurons left.
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
        """Refuses networks that cannot be pruned."""
        check_prunable(trainer.net)
        if self._X is not None:
            trainer.net.matrix(self._X)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Prunes where it is time, or was in one of the epochs that share this record."""
        epoch = int(record["epoch"])
        passed = range(epoch - int(record.get("epochs", 1)) + 1, epoch + 1)
        last = epoch if self.stop is None else self.stop
        if any(self.start <= one <= last and (one - self.start) % self.every == 0 for one in passed):
            report = prune_neurons(
                trainer.net, self.percentile, score=self.score, X=self._X, optimizer_state=trainer.optimizer_state
            )
            trainer.resize(report.stays)
        record["neurons"] = sum(trainer.net.layer_sizes[1:-1])
