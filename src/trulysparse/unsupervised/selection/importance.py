"""Importance of features in a sparse autoencoder, and the rules of evolution that follow it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse.connectivity.coordinates import KeepMask, NewConnections
from trulysparse.connectivity.sampling import coordinates_of
from trulysparse.evolution import LayerView
from trulysparse.evolution.grow import weighted
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.losses import MeanSquaredError
from trulysparse.pruning.strength import incoming_strength, outgoing_strength
from trulysparse.training import Callback
from trulysparse.training.callbacks.running import RunningTrainer


class FeatureErrors(MeanSquaredError):
    """The mean squared error, which notes the mean |error| of each feature on the batch."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self._total = np.zeros(n_features)

    def gradient(self, z: Floats, targets: NDArray[Any], weight: Floats, threads: int) -> float:
        """See InPlaceLoss.gradient."""
        value = super().gradient(z, targets, weight, threads)
        self._total += np.abs(z).sum(axis=1)  # of 2 / n_features * share of the sample * error
        return value

    def taken(self) -> NDArray[np.float64]:
        """(n_features,) mean |error| since the last call."""
        mean = self._total * (len(self._total) / 2)
        self._total[:] = 0
        return mean


class Importance(Callback):
    """How much each feature matters as an input and as an output, and the rules of evolution that follow it.

    Args:
        errors: gives the mean |error| of each feature on the last batch.
        error_weight: of it; the rest is the weight of the sum of |weights|.

    Attributes:
        of_inputs, of_outputs: (n_features,), summed over batches.
    """

    def __init__(self, errors: FeatureErrors, error_weight: float) -> None:
        self._errors = errors
        self._error_weight = error_weight
        self.of_inputs = self.of_outputs = np.zeros(0)

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        first, last = trainer.net.layers
        assert isinstance(first, IndexedLayer)
        assert isinstance(last, IndexedLayer)
        if not len(self.of_inputs):
            self.of_inputs, self.of_outputs = np.zeros(first.n_in), np.zeros(last.n_out)
        error, threads = self._error_weight * self._errors.taken(), trainer.net.threads
        share = 1 - self._error_weight
        self.of_inputs += error + share * outgoing_strength(first, threads)
        self.of_outputs += error + share * incoming_strength(last, threads)

    def of(self, view: LayerView) -> NDArray[np.float64]:
        """Of the features at this layer's end: inputs of the first, outputs of the last."""
        return self.of_inputs if view.number == 0 else self.of_outputs

    def prune(self, view: LayerView) -> KeepMask:
        """Removes the share of each sign of least |weight * importance|."""
        values = view.layer.values
        features, _ = _ends(view)
        with np.errstate(over="ignore", invalid="ignore"):  # of a training that diverges, which its loss will tell
            scores = (values * self.of(view)[features]).astype(values.dtype)
        keep_mask = np.empty(len(scores), np.uint8)
        _kernels.keep_by_sign_magnitude(scores, view.fraction, keep_mask, view.threads)
        return keep_mask

    def grow_sampled(self, view: LayerView) -> NewConnections:
        """Empty places, drawn in proportion to the importance of their two neurons; hidden ones are all alike."""
        even = np.ones(view.layer.n_out if view.number == 0 else view.layer.n_in)
        of_input, of_output = (self.of(view), even) if view.number == 0 else (even, self.of(view))
        return weighted(view, of_input, of_output, view.count)

    def grow_largest(self, view: LayerView) -> NewConnections:
        """The empty places of largest importance: all those of the most important feature, then of the next, of the
        last one some at random. Memory and time linear in connections, but for sorting features."""
        importance, kept = self.of(view), view.keep_mask
        features, hidden = _ends(view)
        if kept is not None:
            features, hidden = features[kept > 0], hidden[kept > 0]
        n_hidden = view.layer.n_out if view.number == 0 else view.layer.n_in
        room = n_hidden - np.bincount(features, minlength=len(importance))
        order = np.argsort(-importance, kind="stable")
        n_filled = int(np.searchsorted(np.cumsum(room[order]), view.count)) + 1
        place = np.full(len(importance), -1)
        place[order[:n_filled]] = np.arange(n_filled)
        empty = np.ones((n_filled, n_hidden), np.bool_)  # no larger than what is grown and kept there
        among = place[features] >= 0
        empty[place[features[among]], hidden[among]] = False
        if surplus := int(np.count_nonzero(empty)) - view.count:
            random = np.random.Generator(np.random.Philox(key=view.stream("last")))
            empty[-1, random.permutation(np.flatnonzero(empty[-1]))[:surplus]] = False
        filled, other = np.nonzero(empty)
        grown = order[filled]
        inputs, outputs = (grown, other) if view.number == 0 else (other, grown)
        n_in, n_out = view.layer.n_in, view.layer.n_out
        return coordinates_of(np.sort(inputs * n_out + outputs), n_in, n_out)


def _ends(view: LayerView) -> tuple[NDArray[Any], NDArray[Any]]:
    """(feature, hidden neuron) of each connection."""
    rows = view.layer.connectivity.by_input
    inputs = np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr))
    return (inputs, rows.index) if view.number == 0 else (rows.index, inputs)
