"""NeuroFS: a sparse network whose input neurons are removed in the course of training, and taken in again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.progress import Progress
from trulysparse._core.random import generator, stream_key
from trulysparse.evolution import Evolution, Schedule, grow, prune
from trulysparse.nn import activations
from trulysparse.optim import SGD
from trulysparse.pruning.strength import outgoing_strength
from trulysparse.training.passes import require_finite
from trulysparse.unsupervised.selection.data import SelectionData
from trulysparse.unsupervised.selection.features import SelectedFeatures, scaling_of
from trulysparse.unsupervised.selection.inputs import Total, load_features, replace_inputs, steepest_features
from trulysparse.unsupervised.selection.settings import hidden_sizes
from trulysparse.unsupervised.selection.training import (
    SelectionTraining,
    check_optional,
    default_batch_size,
    default_epochs,
    supervised_network,
)

_FIRST_EPOCHS = 2  # after which no input is removed yet, as in the source's code


@dataclass(frozen=True)
class NeuroFS:
    """Importance of a feature: the strength of its input neuron at the end of a training in which weak input neurons
    are removed for good or for a while.

    From the third epoch until the share `removal` of all epochs, equal numbers of input neurons are removed, until
    n_keep and the share `spare` of all are left. Each epoch a number that falls to 0 is exchanged besides: the weakest
    go, and of those that are gone the ones come back whose connections would have the largest |loss gradient|. A neuron
    that has just come is not removed. The first layer keeps its number of connections, or has all that are possible.

    Where targets are values, the network learns which of their quartiles each exceeds. Arrays hold the remaining inputs
    only, and only their values are read. The source's code takes the gradient of the
    sum of the softmax outputs, which is 0 but for rounding; here it is that of the loss, as the paper says.

    Args:
        hidden_layer_sizes: neurons of the hidden layers, an integer or a sequence.
        epsilon: sparsity of all layers, above 0; see SparseMLP.
        activation: of the hidden layers, an object or a name.
        removal: share of the epochs after which no more are removed, in (0, 1].
        spare: share of the input neurons that remain beside n_keep, in [0, 1].
        exchange: share of the removed ones that are exchanged at first, in [0, 1]; it falls along a line.
        zeta_input: share of the first layer's connections that are replaced after each epoch, in [0, 1].
        zeta: of the layers between hidden layers.
        gradient_samples: samples, drawn anew each epoch, on which gradients for growth are taken, at least 1.
        learning_rate: of SGD, above 0.
        momentum: in [0, 1).
        weight_decay: added to gradients, in [0, 1).
        batch_size: at least 1; None: 100, or 20 of fewer than 200 samples.
        epochs: at least 1; None: 100, or as many as make 12,000 batches of 100, at least 10.

    Raises:
        InputError: where a setting is out of range.

    Source:
        Atashgahi et al., "Supervised feature selection with neuron evolution in sparse neural networks", TMLR 2023,
        algorithm 1.

    Example:
        >>> import numpy as np
        >>> from trulysparse.unsupervised.selection import SelectionData
        >>> from trulysparse.unsupervised.selection.neurofs import NeuroFS
        >>> from trulysparse.unsupervised.selection.ranking import ranked
        >>> X = np.random.default_rng(0).standard_normal((400, 20))
        >>> data = SelectionData.of(X, (X[:, 3] + X[:, 5] > 0).astype(int))
        >>> method = NeuroFS(hidden_layer_sizes=(64,), epsilon=4, epochs=30, batch_size=20)
        >>> scores = method.scores(data, n_keep=2, seed=0, threads=1, progress=lambda *_: None)
        >>> sorted(ranked(scores, data.constant)[:2].tolist()), int((scores >= 0).sum())  # 2 and 0.2 * 20 are left
        ([3, 5], 6)
    """

    name: ClassVar[str] = "neurofs"
    needs_y: ClassVar[bool] = True

    hidden_layer_sizes: int | Sequence[int] = (1000, 1000, 1000)
    epsilon: float = 30.0
    activation: activations.Activation | str = "tanh"
    removal: float = 0.65
    spare: float = 0.2
    exchange: float = 0.2
    zeta_input: float = 0.2
    zeta: float = 0.3
    gradient_samples: int = 256
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-5
    batch_size: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        hidden_sizes(self.hidden_layer_sizes)
        checks.real("epsilon", self.epsilon, low=0, low_open=True)
        checks.real("removal", self.removal, low=0, high=1, low_open=True)
        for name in ("spare", "exchange", "zeta_input", "zeta"):
            checks.real(name, getattr(self, name), low=0, high=1)
        checks.integer("gradient_samples", self.gradient_samples, low=1)
        checks.real("learning_rate", self.learning_rate, low=0, low_open=True)
        checks.real("momentum", self.momentum, low=0, high=1, high_open=True)
        checks.real("weight_decay", self.weight_decay, low=0, high=1, high_open=True)
        check_optional(self)

    def scores(
        self, data: SelectionData, *, n_keep: int, seed: int, threads: int, progress: Progress
    ) -> NDArray[np.float64]:
        """See SelectionMethod. Removed features get scores below 0, the higher the later they were removed."""
        if data.constant.all():
            return data.finished(np.zeros(data.n_features))
        run = _Run(self, _without_values(data), n_keep, seed, threads)
        for epoch in range(run.epochs):
            for batch in run.training.batches(epoch):
                run.training.update(batch)
            if epoch + 1 < run.epochs:
                run.evolve(epoch)
            progress("selecting", epoch + 1, run.epochs)
        return data.finished(run.scores())


def _without_values(data: SelectionData) -> SelectionData:
    """Data whose targets, where they are values, are replaced by whether each exceeds its quartiles.

    A squared error is soon small by small changes of many weights: strength then remains that of the start."""
    if data.output != "identity" or data.targets is None:
        return data
    exceeds = data.targets[:, :, None] > np.quantile(data.targets, (0.25, 0.5, 0.75), axis=0).T
    targets = exceeds.reshape(len(exceeds), -1).astype(np.float64)
    return replace(data, targets=targets, output="sigmoid", n_outputs=targets.shape[1])


@dataclass
class _Run:
    """A training: its active inputs, and what becomes of them."""

    method: NeuroFS
    data: SelectionData
    n_keep: int
    seed: int
    threads: int
    epochs: int = 0
    active: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        data, method = self.data, self.method
        self.active = np.flatnonzero(~data.constant)
        n = len(self.active)
        self.to_remove = max(0, n - min(n, self.n_keep) - int(method.spare * n))
        self.removed = 0
        self._removed_at = np.zeros(data.n_features)  # numbers of the epochs
        self._mature = np.ones(data.n_features, np.bool_)
        own = replace(data, matrix=self._matrix(), scaling=scaling_of(data.scaling, self.active))
        self.epochs = default_epochs(data.n_samples, method.epochs, 100, 12_000)
        self.training = SelectionTraining(
            supervised_network(
                own, method.hidden_layer_sizes, method.activation, self.seed, self.threads, epsilon=method.epsilon
            ),
            own,
            SGD(method.learning_rate, method.momentum, weight_decay=method.weight_decay),
            batch_size=default_batch_size(data.n_samples, method.batch_size),
            epochs=self.epochs,
            seed=self.seed,
            threads=self.threads,
        )
        between = range(1, len(self.training.net.layers) - 1)
        self._hidden = self.training.evolver(  # hidden layers but the first
            Evolution(
                prune.sign_magnitude, grow.LargestGradient(), Schedule(method.zeta, every_epochs=1), fresh="zero"
            ),
            between,
        )
        self._input = Evolution(
            prune.sign_magnitude,
            grow.LargestGradient(),
            Schedule(method.zeta_input, every_epochs=1),
            budget=Total(self.training.net.layers[0].n_connections),
            fresh="zero",
        )

    def evolve(self, epoch: int) -> None:
        """Replaces input neurons and connections after epoch `epoch`, counted from 0."""
        training, data = self.training, self.data
        count = min(self.method.gradient_samples, data.n_samples)
        rows = np.sort(generator(self.seed, "growth", epoch).choice(data.n_samples, count, replace=False))
        self._hidden.count = training.updates
        with training.samples.reader(rows) as reader:
            tile, loss = training.passes.forward(training.samples.batch(rows, reader))
        require_finite(loss, training.updates)
        training.passes.backward(tile, self._hidden.start())
        dy = tile.signals[1].values
        if epoch >= _FIRST_EPOCHS:
            self._exchange(epoch, rows, dy)
        net, state = training.net, training.state[0]
        x = load_features(data.matrix, self.active, rows, data.scaling, dy, self.threads)
        key = stream_key(self.seed, "inputs", epoch)
        self._input.start(net.layers[0], state, key=key, threads=self.threads).evolve_layer(0, x, dy)

    def _exchange(self, epoch: int, rows: NDArray[np.int64], dy: NDArray[np.floating]) -> None:
        """Removes the weakest input neurons, and takes some in again."""
        left = max(1, int(self.method.removal * self.epochs) - epoch)
        n_remove = -(-(self.to_remove - self.removed) // left)
        n_exchange = int(self.removed * self.method.exchange * (1 - epoch / self.epochs))
        goes = self._weakest(n_remove + n_exchange)
        n_exchange = max(0, len(goes) - n_remove)
        self.removed += len(goes) - n_exchange
        gone = np.setdiff1d(np.flatnonzero(~self.data.constant), self.active, assume_unique=True)
        comes = gone[:0]
        if n_exchange:
            data = self.data
            comes = steepest_features(data.matrix, gone, rows, data.scaling, dy, n_exchange, self.threads)
        self._mature[:] = True
        self._mature[comes] = False
        self._removed_at[goes] = epoch
        before = self.active
        self.active = np.sort(np.append(np.setdiff1d(before, goes, assume_unique=True), comes))
        if len(goes):
            training = self.training
            replace_inputs(training.net, training.state[0], before, self.active)
            training.change_inputs(self._matrix(), scaling_of(self.data.scaling, self.active))

    def _weakest(self, count: int) -> NDArray[np.int64]:
        """Of the `count` weakest inputs those that are mature."""
        order = np.argsort(outgoing_strength(self.training.net.layers[0], self.threads), kind="stable")
        weakest = self.active[order[:count]]
        return weakest[self._mature[weakest]]

    def _matrix(self) -> SelectedFeatures:
        return SelectedFeatures(self.data.matrix, self.active)

    def scores(self) -> NDArray[np.float64]:
        """Strength of active inputs; of removed ones minus the share of the epochs since then."""
        scores = self._removed_at / self.epochs - 1
        scores[self.active] = outgoing_strength(self.training.net.layers[0], self.threads)
        return scores
