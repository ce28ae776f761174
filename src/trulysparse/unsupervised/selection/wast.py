"""WAST: a sparse autoencoder whose connections go, batch by batch, to the neurons that matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.progress import Progress
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution, Schedule
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import SGD
from trulysparse.training import Trainer
from trulysparse.unsupervised._epochs import EpochProgress
from trulysparse.unsupervised.selection.data import SelectionData
from trulysparse.unsupervised.selection.importance import FeatureErrors, Importance
from trulysparse.unsupervised.selection.settings import hidden_sizes


@dataclass(frozen=True)
class WAST:
    """A sparse autoencoder that evolves after each batch but the last. Each feature has an importance, as an input and
    as an output, that grows by error_weight times its mean |error| on the batch plus the rest times the sum of its
    |weights|. Connections of least |weight * importance| are removed, zeta of each sign; as many grow where the product
    of the importances of two neurons is large, hidden neurons all alike. The score is the importance as an input.

    Time and memory are linear in connections; the authors' code ranks a dense product. There a connection that grows
    also has the momentum that a dense network gathers for weights it does not use; here it has none.

    Args:
        hidden_layer_sizes: of the one hidden layer.
        density: share of the possible connections, in (0, 1].
        epochs: passes over the samples, at least 1.
        batch_size: samples per update, at least 1.
        learning_rate: of the squared error, its mean over features, above 0.
        momentum: Nesterov's, in (0, 1).
        noise: standard deviation of the noise, drawn afresh for each batch, at least 0, in units of the standardised
            features.
        zeta: share of connections replaced, in [0, 1].
        error_weight: lambda in the source, in [0, 1]: 0.9, of images 0.4, of gene expression 0.01 or less.
        growth: 'sampled', pairs of neurons drawn in proportion to the product of their importances; or 'largest', those
            of the largest products, as in the source.

    Raises:
        InputError: where a setting is out of range.

    Source:
        Sokar et al., "Where to pay attention in sparse training for feature selection?", NeurIPS 2022, algorithm 1 and
        their code; its settings are the defaults.

    Example:
        >>> import numpy as np
        >>> from trulysparse._core.progress import silent
        >>> from trulysparse.unsupervised.selection import WAST, SelectionData
        >>> X = np.random.default_rng(0).standard_normal((300, 12))
        >>> data = SelectionData.of(X)
        >>> WAST(20, epochs=2).scores(data, n_keep=4, seed=0, threads=1, progress=silent).shape
        (12,)
    """

    name: ClassVar[str] = "wast"
    needs_y: ClassVar[bool] = False

    hidden_layer_sizes: int | Sequence[int] = 200
    density: float = 0.2
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    noise: float = 0.2
    zeta: float = 0.3
    error_weight: float = 0.9
    growth: str = "sampled"

    def __post_init__(self) -> None:
        if len(hidden_sizes(self.hidden_layer_sizes)) > 1:
            raise InputError(f"hidden_layer_sizes must be one size for wast, not {self.hidden_layer_sizes!r}")
        checks.real("density", self.density, low=0, high=1, low_open=True)
        checks.integer("epochs", self.epochs, low=1)
        checks.integer("batch_size", self.batch_size, low=1)
        checks.real("learning_rate", self.learning_rate, low=0, low_open=True)
        checks.real("momentum", self.momentum, low=0, high=1, low_open=True, high_open=True)
        checks.real("noise", self.noise, low=0)
        checks.real("zeta", self.zeta, low=0, high=1)
        checks.real("error_weight", self.error_weight, low=0, high=1)
        checks.choice("growth", self.growth, ("sampled", "largest"))

    def scores(
        self, data: SelectionData, *, n_keep: int, seed: int, threads: int, progress: Progress
    ) -> NDArray[np.float64]:
        """See SelectionMethod."""
        (hidden,), n = hidden_sizes(self.hidden_layer_sizes), data.n_features
        net = SparseMLP(
            (n, hidden, n),
            density=(self.density, self.density),
            activation="sigmoid",
            output="identity",
            balance=False,
            seed=seed,
            threads=threads,
        )
        for layer in net.layers:  # from +-sqrt(6 / n_in) to +-1 / sqrt(n_in), as torch's linear layers start
            layer.values *= np.float32(6**-0.5)
        net.scaling = net.target_scaling = data.scaling
        loss = FeatureErrors(n)
        importance = Importance(loss, self.error_weight)
        trainer = Trainer(
            net,
            optimizer=SGD(self.learning_rate, momentum=self.momentum, nesterov=True),
            loss=loss,
            evolution=Evolution(
                importance.prune,
                importance.grow_sampled if self.growth == "sampled" else importance.grow_largest,
                Schedule(self.zeta, every_updates=1),
                fresh="zero",
                output_layer=True,
            ),
            batch_size=self.batch_size,
            input_noise=self.noise,
            seed=seed,
            callbacks=[importance, EpochProgress(progress, "selecting")],
        )
        X: Any = data.matrix
        trainer.fit(X, X, epochs=self.epochs)
        return data.finished(importance.of_inputs)
