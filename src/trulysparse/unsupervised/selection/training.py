"""How networks of supervised selection are trained: batch by batch, with the gradient at the input if it is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats, empty
from trulysparse._core.random import generator
from trulysparse.data import Matrix, Scaling
from trulysparse.evolution import Evolution, Evolver
from trulysparse.nn.activations import Activation
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.sinks import Update
from trulysparse.optim import Optimizer
from trulysparse.training.batch import Batch
from trulysparse.training.fit_data import FitData
from trulysparse.training.passes import BatchPasses, require_finite
from trulysparse.unsupervised.selection.data import SelectionData
from trulysparse.unsupervised.selection.settings import hidden_sizes

_FEW_SAMPLES = 200


def default_batch_size(n_samples: int, given: int | None) -> int:
    """Samples per batch: as given, else 100, or 20 of fewer than 200 samples."""
    return given or (20 if n_samples < _FEW_SAMPLES else 100)


def default_epochs(n_samples: int, given: int | None, most: int, updates: int) -> int:
    """Epochs: as given, else `most`, or as many as make `updates` batches of 100 samples, at least 10."""
    return given or min(most, max(10, 100 * updates // n_samples))


def check_optional(settings: Any, *names: str) -> None:
    """Checks batch_size, epochs and `names` of a method: whole numbers of at least 1, or None."""
    for name in ("batch_size", "epochs", *names):
        if getattr(settings, name) is not None:
            checks.integer(name, getattr(settings, name), low=1)


def supervised_network(
    data: SelectionData, hidden_layer_sizes: Any, activation: Activation | str, seed: int, threads: int, **sparsity: Any
) -> SparseMLP:
    """A network for the features and targets of data.

    Its hidden layers start with weights as small as a dense network's: what they learn is then soon larger than what
    they start with, and importance is not that of the start."""
    sizes = data.n_features, *hidden_sizes(hidden_layer_sizes), data.n_outputs
    return SparseMLP(
        sizes, activation=activation, output=data.output, init="xavier_uniform", seed=seed, threads=threads, **sparsity
    )


class SelectionTraining:
    """Trains a network on targets, one batch at a time.

    Batches are of equal size to one sample. The gradient at the input comes from the pass that updates the network.

    Args:
        net: the network; its scaling becomes that of the data.
        data: samples and targets.
        optimizer: of all layers.
        batch_size: samples per batch, at most.
        epochs: how many there will be at most.
        seed: of the order of samples and of evolution.
        threads: at least 1.
        rows: numbers of the samples to train on; None: all.

    Attributes:
        net, optimizer, epochs, seed, threads: as given.
        samples: the samples, with targets.
        state: optimizer state of each layer.
        updates: so far.
        n_batches: per epoch.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.unsupervised.selection import SelectionData
        >>> from trulysparse.unsupervised.selection.training import SelectionTraining
        >>> X = np.random.default_rng(0).standard_normal((64, 4))
        >>> data = SelectionData.of(X, (X[:, 1] > 0).astype(int))
        >>> net = ts.SparseMLP((4, 16, 2), epsilon=3, activation="relu", seed=0, threads=1)
        >>> training = SelectionTraining(net, data, ts.Adam(0.01), batch_size=16, epochs=20, seed=0, threads=1)
        >>> losses = [training.update(batch) for epoch in range(20) for batch in training.batches(epoch)]
        >>> losses[-1] < losses[0], training.updates
        (True, 80)
    """

    def __init__(
        self,
        net: SparseMLP,
        data: SelectionData,
        optimizer: Optimizer,
        *,
        batch_size: int,
        epochs: int,
        seed: int,
        threads: int,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        net.scaling = data.scaling
        targets: Any = data.targets
        self.net, self.optimizer, self.epochs, self.seed, self.threads = net, optimizer, epochs, seed, threads
        self.passes = BatchPasses(net, micro_batch_size=batch_size, threads=threads)
        self.samples = FitData.checked(net, self.passes.loss, data.matrix, targets)
        self.rows = self.samples.rows if rows is None else rows
        self.state = [layer.new_state(optimizer) for layer in net.layers]
        self.updates = 0
        self.n_batches = -(-len(self.rows) // batch_size)
        self._batch_size = batch_size
        self._gradients: dict[tuple[int, ...], Floats] = {}

    def evolver(self, method: Evolution, evolving: Sequence[int] | None = None) -> Evolver:
        """What evolves the network's layers: all, or those that `evolving` numbers."""
        return Evolver(
            method,
            self.net,
            self.state,
            total_updates=self.n_batches * self.epochs,
            updates_per_epoch=self.n_batches,
            seed=self.seed,
            threads=self.threads,
            evolving=range(len(self.net.layers)) if evolving is None else evolving,
        )

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0."""
        order = self.samples.shuffled(self.rows, generator(self.seed, "order", epoch))
        with self.samples.reader(order) as reader:
            for rows in np.array_split(order, self.n_batches):
                yield self.samples.batch(rows, reader)

    def update(self, batch: Batch, add_to: NDArray[np.float64] | None = None) -> float:
        """One update.

        Args:
            batch: the samples.
            add_to: (n_inputs,), to which the mean over the batch of |d loss / d x| is added, of each sample's own loss
                and of x as standardised, before the update.

        Returns:
            The mean loss before the update.

        Raises:
            DivergenceError: where the loss is not finite; nothing is updated then.
        """
        tile, loss = self.passes.forward(batch)
        require_finite(loss, self.updates)
        gradient = None if add_to is None else self._gradient(tile.signals[0].values)
        rule = self.optimizer.rule(self.updates, self.updates / self.n_batches, self.epochs)
        tile.backward(tile.signals[-1].values, Update(self.state, rule), self.threads, gradient)
        self.updates += 1
        if add_to is not None and gradient is not None:
            # Each sample's share of the mean loss is 1 / n: the sum over samples is the mean of their own gradients.
            add_to += np.abs(gradient, out=gradient).sum(axis=1)
        return loss

    def change_inputs(self, matrix: Matrix, scaling: Scaling) -> None:
        """Goes on with other features, after the network has been given other inputs."""
        self.net.scaling = scaling
        self.samples = replace(self.samples, matrix=matrix)
        self.passes.resize()

    def mean_loss(self, rows: NDArray[np.int64]) -> float:
        """The mean loss of the samples `rows`, without an update."""
        total = 0.0
        with self.samples.reader(rows) as reader:
            for start in range(0, len(rows), self._batch_size):
                part = rows[start : start + self._batch_size]
                total += self.passes.forward(self.samples.batch(part, reader))[1] * len(part)
        return total / len(rows)

    def _gradient(self, x: Floats) -> Floats:
        """Memory for the gradient at the input x."""
        found = self._gradients.get(x.shape)
        if found is None:
            self._gradients = {x.shape: empty(x.size, x.dtype).reshape(x.shape)}
            found = self._gradients[x.shape]
        return found


def held_out(data: SelectionData, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Samples to train on and samples to watch, both rising; of labels, each class is divided by the same share.

    Args:
        data: samples and targets.
        share: of the samples to watch, in (0, 1); a class of fewer than two samples is trained on.
        seed: of the choice.

    Returns:
        (training rows, watched rows); all samples are both where there is too little to divide.
    """
    rng, n = generator(seed, "held_out"), data.n_samples
    groups: Sequence[NDArray[np.int64]] = [np.arange(n)]
    targets = data.targets
    if targets is not None and data.output == "softmax":
        by_label = np.argsort(targets, kind="stable")
        groups = np.split(by_label, np.cumsum(np.bincount(targets, minlength=data.n_outputs))[:-1])
    watched = np.zeros(n, np.bool_)
    for group in groups:
        count = min(len(group) - 1, round(share * len(group)))
        if count > 0:
            watched[rng.permutation(group)[:count]] = True
    everything = np.arange(n)
    if not watched.any():
        return everything, everything
    return everything[~watched], everything[watched]
