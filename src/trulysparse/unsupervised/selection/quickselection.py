"""QuickSelection: strength of the inputs of a sparse denoising autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.progress import Progress
from trulysparse.connectivity.coordinates import KeepMask
from trulysparse.evolution import Evolution, LayerView, Schedule, grow, prune
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.losses import MeanSquaredError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import SGD
from trulysparse.pruning.strength import incoming_strength, outgoing_strength
from trulysparse.training import Callback, Trainer
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record
from trulysparse.unsupervised._epochs import EpochProgress
from trulysparse.unsupervised.selection.data import SelectionData
from trulysparse.unsupervised.selection.settings import epochs_for, hidden_sizes

_EPSILON = 13.0
_DENSEST = 0.04  # share of the possible connections
_LEAST = 5  # connections per feature: without any it would have no score


@dataclass(frozen=True)
class QuickSelection:
    """A sparse autoencoder learns to undo noise that was drawn once for all samples; both ends of it evolve by SET. The
    score of a feature is the strength of its input, the sum of its |weights|, as left by the last evolution before new
    connections grow.

    Differences from the authors' code: the output is linear for every data set (there tanh for one, with a derivative
    taken at the wrong value), the last batch of an epoch may be smaller, and dropout scales what it keeps.

    Args:
        hidden_layer_sizes: of the encoder; the decoder mirrors it.
        epsilon: sparsity of every layer, above 0. None: 13; where the layer beside the features is wider than they are
            many, no more than 4 % of their possible connections, which is what 13 is at the source's 500 features, or
            five per feature where that is more.
            Denser, a wide autoencoder of few features passes each one through alone, above all those that others do not
            tell.
        epochs: passes over the samples, at least 1; None: as many as make about 2,000 updates, 1 to 100. The source has
            10 and 100.
        batch_size: samples per update, at least 1.
        learning_rate: of half the squared error summed over features, above 0.
        momentum: in [0, 1).
        weight_decay: that is taken from weights and biases in each update, whatever the rate; in [0, 1).
        dropout: share of hidden activations dropped, in [0, 1).
        noise: standard deviation of the noise, at least 0, in units of the standardised features.
        redraw: whether each epoch has noise of its own.
        zeta: share of connections replaced after each epoch but the last, in [0, 1].
        accumulate: score by strength as input times strength as output, summed over the epochs.

    Raises:
        InputError: where a setting is out of range.

    Source:
        Atashgahi et al., "Quick and robust feature selection: the strength of energy-efficient sparse training for
        autoencoders", Machine Learning 111 (2022), section 4 and their code; its settings are the defaults.

    Example:
        >>> import numpy as np
        >>> from trulysparse._core.progress import silent
        >>> from trulysparse.unsupervised.selection import QuickSelection, SelectionData
        >>> rng = np.random.default_rng(0)
        >>> X = rng.standard_normal((500, 20))
        >>> X[:, :4] = X[:, :1] + 0.1 * X[:, :4]  # these four say the same, the others nothing
        >>> method = QuickSelection(10, epsilon=3, noise=1.0, accumulate=True, epochs=60)
        >>> scores = method.scores(SelectionData.of(X), n_keep=4, seed=5, threads=1, progress=silent)
        >>> sorted(np.argsort(-scores)[:4].tolist())
        [0, 1, 2, 3]
    """

    name: ClassVar[str] = "quickselection"
    needs_y: ClassVar[bool] = False

    hidden_layer_sizes: int | Sequence[int] = 1000
    epsilon: float | None = None
    epochs: int | None = None
    batch_size: int = 100
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-5
    dropout: float = 0.2
    noise: float = 0.2
    redraw: bool = False
    zeta: float = 0.2
    accumulate: bool = False

    def __post_init__(self) -> None:
        hidden_sizes(self.hidden_layer_sizes)
        if self.epsilon is not None:
            checks.real("epsilon", self.epsilon, low=0, low_open=True)
        if self.epochs is not None:
            checks.integer("epochs", self.epochs, low=1)
        checks.integer("batch_size", self.batch_size, low=1)
        checks.real("learning_rate", self.learning_rate, low=0, low_open=True)
        checks.real("momentum", self.momentum, low=0, high=1, high_open=True)
        checks.real("weight_decay", self.weight_decay, low=0, high=1, high_open=True)
        checks.real("dropout", self.dropout, low=0, high=1, high_open=True)
        checks.real("noise", self.noise, low=0)
        checks.real("zeta", self.zeta, low=0, high=1)
        checks.flag("redraw", self.redraw)
        checks.flag("accumulate", self.accumulate)

    def epsilon_for(self, n_features: int) -> float:
        """The sparsity for so many features.

        Example:
            >>> QuickSelection().epsilon_for(1024), round(QuickSelection().epsilon_for(64), 1)
            (13.0, 2.4)
            >>> QuickSelection(hidden_layer_sizes=50).epsilon_for(64)
            13.0
        """
        if self.epsilon is not None:
            return self.epsilon
        beside = hidden_sizes(self.hidden_layer_sizes)[0]
        if beside <= n_features:
            return _EPSILON
        return min(_EPSILON, n_features * max(_DENSEST * beside, _LEAST) / (n_features + beside))

    def scores(
        self, data: SelectionData, *, n_keep: int, seed: int, threads: int, progress: Progress
    ) -> NDArray[np.float64]:
        """See SelectionMethod."""
        encoder = hidden_sizes(self.hidden_layer_sizes)
        net = SparseMLP(
            (data.n_features, *encoder, *encoder[-2::-1], data.n_features),
            epsilon=self.epsilon_for(data.n_features),
            activation="sigmoid",
            output="identity",
            init="normal",
            balance=False,
            seed=seed,
            threads=threads,
        )
        net.scaling = net.target_scaling = data.scaling
        epochs = self.epochs or epochs_for(data.n_samples, self.batch_size)
        strength = _StrengthKept(net)
        trainer = Trainer(
            net,
            optimizer=SGD(
                self.learning_rate / 2,  # of the squared error
                momentum=self.momentum,
                weight_decay=self.weight_decay,
                weight_decay_mode="direct",
            ),
            loss=MeanSquaredError("sum"),
            evolution=Evolution(
                strength, grow.uniform, Schedule(self.zeta, every_epochs=1), fresh="init", output_layer=True
            ),
            batch_size=self.batch_size,
            dropout=self.dropout,
            input_noise=self.noise,
            redraw_input_noise=self.redraw or not self.noise,
            seed=seed,
            callbacks=[_DecayBiases(self.weight_decay), strength.summed, EpochProgress(progress, "selecting")],
        )
        X: Any = data.matrix
        trainer.fit(X, X, epochs=epochs)
        return data.finished(strength.summed.total if self.accumulate else strength.scores())


class _StrengthKept:
    """The prune rule of SET, which notes the strength of the network's inputs by the weights that it keeps."""

    def __init__(self, net: SparseMLP) -> None:
        self._net = net
        self._kept: NDArray[np.float64] | None = None
        self.summed = _SummedStrength(net.layer_sizes[0])

    def __call__(self, view: LayerView) -> KeepMask:
        """The keep mask of one layer."""
        keep_mask = prune.sign_magnitude(view)
        if view.number == 0:
            rows, strength = view.layer.connectivity.by_input, np.empty(view.layer.n_in)
            kept = np.where(keep_mask, view.layer.values, np.zeros((), view.layer.values.dtype))
            _kernels.strength(rows.ptr, rows.index, None, kept, strength, view.threads)
            self._kept = strength
        return keep_mask

    def scores(self) -> NDArray[np.float64]:
        """As the last evolution left it; of a training without evolution as it is now."""
        return outgoing_strength(_first(self._net), self._net.threads) if self._kept is None else self._kept


class _SummedStrength(Callback):
    """Sums strength as input times strength as output over epochs."""

    def __init__(self, n_features: int) -> None:
        self.total = np.zeros(n_features)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        net = trainer.net
        last = net.layers[-1]
        assert isinstance(last, IndexedLayer)
        self.total += outgoing_strength(_first(net), net.threads) * incoming_strength(last, net.threads)


class _DecayBiases(Callback):
    """Takes a share of the biases away in each update, as the authors' code does; the library's own decay is of weights
    alone."""

    def __init__(self, share: float) -> None:
        self._factor = np.float32(1 - share)

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        for layer in trainer.net.layers:
            layer.bias *= self._factor


def _first(net: SparseMLP) -> IndexedLayer:
    layer = net.layers[0]
    assert isinstance(layer, IndexedLayer)
    return layer
