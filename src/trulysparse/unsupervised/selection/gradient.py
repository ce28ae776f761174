"""Gradient-based selection (GradEnFS): inputs that the loss depends on while a sparse network learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.progress import Progress
from trulysparse.evolution.methods.set import SET
from trulysparse.optim import Adam
from trulysparse.unsupervised.selection.data import SelectionData
from trulysparse.unsupervised.selection.settings import hidden_sizes
from trulysparse.unsupervised.selection.training import (
    SelectionTraining,
    check_optional,
    default_batch_size,
    default_epochs,
    supervised_network,
)


@dataclass(frozen=True)
class GradientSelection:
    """Importance of a feature: its mean |d loss / d x| over a batch, added up over batches, of which older ones count
    less and less.

    The gradient comes from the pass that updates the network: no pass of its own. There is no batch normalization
    (nor in the source's code). Gradients are those of each sample's own loss, so that batches count alike whatever
    their size.

    Args:
        hidden_layer_sizes: neurons of the hidden layers (ReLU), an integer or a sequence.
        epsilon: sparsity of all layers, above 0; see SparseMLP.
        zeta: share of the connections that SET replaces after each epoch, in [0, 1].
        decay: what the importance so far is multiplied by at each batch, in (0, 1]; 1: all batches count alike.
        learning_rate: of Adam, above 0.
        weight_decay: added to gradients, in [0, 1).
        batch_size: at least 1; None: 100, or 20 of fewer than 200 samples.
        epochs: at least 1; None: 100, or as many as make 60,000 batches of 100, at least 10.

    Raises:
        InputError: where a setting is out of range.

    Source:
        Liu, Atashgahi, Sokar, Pechenizkiy, Mocanu, "Supervised feature selection via ensemble gradient information from
        sparse neural networks", AISTATS 2024.

    Example:
        >>> import numpy as np
        >>> from trulysparse.unsupervised.selection import SelectionData
        >>> from trulysparse.unsupervised.selection.gradient import GradientSelection
        >>> from trulysparse.unsupervised.selection.ranking import ranked
        >>> X = np.random.default_rng(0).standard_normal((400, 8))
        >>> data = SelectionData.of(X, (X[:, 3] + X[:, 5] > 0).astype(int))
        >>> method = GradientSelection(hidden_layer_sizes=(64,), epsilon=4, epochs=20, learning_rate=0.01)
        >>> scores = method.scores(data, n_keep=2, seed=0, threads=1, progress=lambda *_: None)
        >>> sorted(ranked(scores, data.constant)[:2].tolist())
        [3, 5]
    """

    name: ClassVar[str] = "gradient"
    needs_y: ClassVar[bool] = True

    hidden_layer_sizes: int | Sequence[int] = (1000, 1000, 1000)
    epsilon: float = 1.0
    zeta: float = 0.3
    decay: float = 0.9
    learning_rate: float = 0.001
    weight_decay: float = 0.0
    batch_size: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        hidden_sizes(self.hidden_layer_sizes)
        checks.real("epsilon", self.epsilon, low=0, low_open=True)
        checks.real("zeta", self.zeta, low=0, high=1)
        checks.real("decay", self.decay, low=0, high=1, low_open=True)
        checks.real("learning_rate", self.learning_rate, low=0, low_open=True)
        checks.real("weight_decay", self.weight_decay, low=0, high=1, high_open=True)
        check_optional(self)

    def scores(
        self, data: SelectionData, *, n_keep: int, seed: int, threads: int, progress: Progress
    ) -> NDArray[np.float64]:
        """See SelectionMethod."""
        epochs = default_epochs(data.n_samples, self.epochs, 100, 60_000)
        training = SelectionTraining(
            supervised_network(data, self.hidden_layer_sizes, "relu", seed, threads, epsilon=self.epsilon),
            data,
            Adam(self.learning_rate, weight_decay=self.weight_decay, weight_decay_mode="l2"),
            batch_size=default_batch_size(data.n_samples, self.batch_size),
            epochs=epochs,
            seed=seed,
            threads=threads,
        )
        evolver = training.evolver(SET(self.zeta))
        importance = np.zeros(data.n_features)
        for epoch in range(epochs):
            for batch in training.batches(epoch):
                importance *= self.decay
                training.update(batch, importance)
                evolver.step_done()
            if evolver.due():
                evolver.evolve()
            progress("selecting", epoch + 1, epochs)
        return data.finished(importance)
