"""Neuron attribution: inputs that the outputs of a sparse network depend on, added up over its training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.progress import Progress
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution, Schedule, grow, prune
from trulysparse.optim import Adam
from trulysparse.pruning.strength import input_strength
from trulysparse.training.batch import Batch
from trulysparse.unsupervised.selection.data import SelectionData
from trulysparse.unsupervised.selection.jacobian import Jacobian
from trulysparse.unsupervised.selection.settings import hidden_sizes
from trulysparse.unsupervised.selection.training import (
    SelectionTraining,
    check_optional,
    default_batch_size,
    default_epochs,
    held_out,
    supervised_network,
)

_DENSITY = 0.01
_LEAST = 2  # connections per neuron


@dataclass(frozen=True)
class AttributionSelection:
    """Importance of a feature: the sum over outputs of the mean |d output / d x|, or the strength of its neuron, added
    up over a training that ends when the loss of held-out samples falls no more.

    The derivatives of all outputs are taken in one pass, for as many samples of each batch as keep it no wider than the
    batch itself: about the cost of half an update, however many classes there are.

    Args:
        hidden_layer_sizes: neurons of the hidden layers (ReLU), an integer or a sequence.
        density: connections of the network as a share of the dense one's, in (0, 1]; see SparseMLP. None: 0.01, but
            in small networks what makes two connections per neuron of each layer's wider side: with fewer, hardly a
            feature reaches an output. The source chooses it for each data set by validation.
        importance: 'attribution', or 'strength', the sum of |weights| out of the input neuron.
        probabilities: whether outputs are taken after softmax or sigmoid, as in the source's code, or before.
        samples: of each batch, whose derivatives are taken, at least 1; None: batch_size / outputs.
        zeta: share of the connections that SET replaces at the start, in [0, 1]; it falls along a cosine.
        every_updates: updates between evolutions, at least 1.
        held_out: share of the samples whose loss ends training, in (0, 1).
        patience: epochs without a smaller loss after which training ends, at least 1.
        learning_rate: of Adam, above 0.
        weight_decay: added to gradients, in [0, 1).
        batch_size: at least 1; None: 100, or 20 of fewer than 200 samples.
        epochs: at least 1; None: 200, or as many as make 20,000 batches of 100, at least 10.

    Raises:
        InputError: where a setting is out of range or, from `scores`, no output depends on any feature.

    Source:
        Atashgahi et al., "Unveiling the power of sparse neural networks for feature selection", ECAI 2024, section 3.

    Example:
        >>> import numpy as np
        >>> from trulysparse.unsupervised.selection import SelectionData
        >>> from trulysparse.unsupervised.selection.attribution import AttributionSelection
        >>> from trulysparse.unsupervised.selection.ranking import ranked
        >>> X = np.random.default_rng(0).standard_normal((400, 8))
        >>> data = SelectionData.of(X, (X[:, 3] + X[:, 5] > 0).astype(int))
        >>> method = AttributionSelection(hidden_layer_sizes=(64,), density=0.3, epochs=20, learning_rate=0.01)
        >>> scores = method.scores(data, n_keep=2, seed=0, threads=1, progress=lambda *_: None)
        >>> sorted(ranked(scores, data.constant)[:2].tolist())
        [3, 5]
    """

    name: ClassVar[str] = "attribution"
    needs_y: ClassVar[bool] = True

    hidden_layer_sizes: int | Sequence[int] = (1000, 100)
    density: float | None = None
    importance: str = "attribution"
    probabilities: bool = True
    samples: int | None = None
    zeta: float = 0.3
    every_updates: int = 10
    held_out: float = 0.2
    patience: int = 50
    learning_rate: float = 0.001
    weight_decay: float = 0.0
    batch_size: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        hidden_sizes(self.hidden_layer_sizes)
        if self.density is not None:
            checks.real("density", self.density, low=0, high=1, low_open=True)
        checks.choice("importance", self.importance, ("attribution", "strength"))
        checks.flag("probabilities", self.probabilities)
        checks.real("zeta", self.zeta, low=0, high=1)
        checks.integer("every_updates", self.every_updates, low=1)
        checks.real("held_out", self.held_out, low=0, high=1, low_open=True, high_open=True)
        checks.integer("patience", self.patience, low=1)
        checks.real("learning_rate", self.learning_rate, low=0, low_open=True)
        checks.real("weight_decay", self.weight_decay, low=0, high=1, high_open=True)
        check_optional(self, "samples")

    def density_for(self, n_features: int, n_outputs: int) -> float:
        """The density of a network of so many features and outputs.

        Example:
            >>> AttributionSelection().density_for(1024, 20), AttributionSelection(50).density_for(50, 5)
            (0.01, 0.07272727272727272)
        """
        if self.density is not None:
            return self.density
        sizes = np.array([n_features, *hidden_sizes(self.hidden_layer_sizes), n_outputs])
        few = _LEAST * np.maximum(sizes[:-1], sizes[1:]).sum() / (sizes[:-1] * sizes[1:]).sum()
        return float(min(1.0, max(_DENSITY, few)))

    def scores(
        self, data: SelectionData, *, n_keep: int, seed: int, threads: int, progress: Progress
    ) -> NDArray[np.float64]:
        """See SelectionMethod."""
        train, watched = held_out(data, self.held_out, seed)
        batch_size = default_batch_size(len(train), self.batch_size)
        epochs = default_epochs(len(train), self.epochs, 200, 20_000)
        density = self.density_for(data.n_features, data.n_outputs)
        training = SelectionTraining(
            supervised_network(data, self.hidden_layer_sizes, "relu", seed, threads, density=density),
            data,
            Adam(self.learning_rate, weight_decay=self.weight_decay, weight_decay_mode="l2"),
            batch_size=batch_size,
            epochs=epochs,
            seed=seed,
            threads=threads,
            rows=train,
        )
        schedule = Schedule(self.zeta, every_updates=self.every_updates, decay="cosine")
        evolver = training.evolver(Evolution(prune.magnitude, grow.uniform, schedule, fresh="zero"))
        jacobian = Jacobian(training.net, self.probabilities, threads)
        samples = self.samples or max(1, batch_size // data.n_outputs)
        total, least, last = np.zeros(data.n_features), np.inf, 0
        for epoch in range(epochs):
            for batch in training.batches(epoch):
                if self.importance == "attribution":
                    total += jacobian.mean_magnitude(_first(batch, samples))
                training.update(batch)
                evolver.step_done()
                if evolver.due():
                    evolver.evolve()
            if self.importance == "strength":
                total += input_strength(training.net)
            loss = training.mean_loss(watched)
            if loss < least or not epoch:
                least, last = loss, epoch
            progress("selecting", epoch + 1, epochs)
            if epoch - last >= self.patience:
                progress("selecting", epochs, epochs)
                break
        if not total.any() and not data.constant.all():
            raise InputError(
                "no output depends on any feature: give more connections (density), a larger hidden_layer_sizes or a "
                "smaller learning_rate"
            )
        return data.finished(total)


def _first(batch: Batch, samples: int) -> Batch:
    """The first samples of a batch, which come in random order."""
    return batch.part(0, min(samples, len(batch.rows)))
