"""What a network in eight bits computes, in NumPy: the same integers, and the same bits of scores, as on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from trulysparse.errors import InputError
from trulysparse.export.calibration import STEPS
from trulysparse.export.quantize import FRACTION, ONE, QuantizedLayer, QuantizedNetwork

TANH_STEPS = 128
_PARTS = 256  # of a step of a sixteenth

Eights = NDArray[np.int8]
Scores = NDArray[np.float32]


def tanh_table() -> NDArray[np.uint16]:
    """tanh at 0, 1/16, ..., 8, times 2^15.

    Returns:
        (129,) uint16.

    Example:
        >>> from trulysparse.export.int8_reference import tanh_table
        >>> tanh_table()[[0, 16, 128]].tolist()
        [0, 24956, 32768]
    """
    table: NDArray[np.uint16] = np.rint(np.tanh(np.arange(TANH_STEPS + 1) / 16) * 2**15).astype(np.uint16)
    return table


class Int8Reference:
    """A quantized network that predicts in NumPy, with the arithmetic of `ts_int8.h`.

    Args:
        quantized: from `quantize`.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.export.calibration import calibrate
        >>> from trulysparse.export.int8_reference import Int8Reference
        >>> from trulysparse.export.quantize import quantize
        >>> network = ts.export.DeviceNetwork.of(ts.SparseMLP.from_matrices([np.eye(2)]))
        >>> X = np.array([[1.0, 3.0], [2.0, -1.0]])
        >>> reference = Int8Reference(quantize(network, calibrate(network, X)))
        >>> reference.predict(X).tolist()
        [1, 0]
    """

    def __init__(self, quantized: QuantizedNetwork) -> None:
        self.quantized = quantized
        self._weights = [_matrix(layer) for layer in quantized.chain]
        self._skip = None if quantized.skip_layer is None else _matrix(quantized.skip_layer)

    def quantized_inputs(self, X: ArrayLike) -> Eights:
        """Samples in eight bits.

        Args:
            X: (n_samples, n_inputs), taken as float32.

        Returns:
            (n_samples, n_inputs) int8, -127..127.

        Raises:
            InputError: where X has another shape.
        """
        x = self._checked(np.asarray(X, np.float32))
        most = np.float32(STEPS * FRACTION)
        with np.errstate(over="ignore", invalid="ignore"):
            t = (x - self.quantized.offset) * self.quantized.factor
            t = np.where(t > -most, t, -most)
            t = np.where(t > most, most, t)
        return ((t.astype(np.int32) + FRACTION // 2) >> 16).astype(np.int8)

    def hidden(self, inputs: Eights) -> list[Eights]:
        """What each hidden layer gives.

        Args:
            inputs: (n_samples, n_inputs) int8, see quantized_inputs.

        Returns:
            An (n_samples, n_out) int8 array per hidden layer.
        """
        values, layers = self._checked(np.asarray(inputs, np.int8)), []
        for layer, weights in zip(self.quantized.chain[:-1], self._weights[:-1], strict=True):
            values = _outputs(layer, _sums(layer, weights, values))
            layers.append(values)
        return layers

    def scores_of(self, inputs: Eights) -> Scores:
        """Scores of samples that are in eight bits already.

        Args:
            inputs: (n_samples, n_inputs) int8, -128..127, in steps of the network's own inputs.

        Returns:
            (n_samples, n_outputs) float32: before softmax or sigmoid; of a regression in the unit of the targets.
        """
        values = self._checked(np.asarray(inputs, np.int8))
        layer = self.quantized.chain[-1]
        sums = _sums(layer, self._weights[-1], (self.hidden(values) or [values])[-1])
        if self._skip is not None:
            sums += (self._skip @ values.astype(np.int32).T).T
        assert layer.scale is not None, "an output layer has it"
        z = sums.astype(np.float32) * layer.scale
        offset = self.quantized.network.target_offset
        scores: Scores = z if offset is None else z + offset
        return scores

    def scores(self, X: ArrayLike) -> Scores:
        """Scores of samples, see scores_of.

        Args:
            X: (n_samples, n_inputs), taken as float32.

        Returns:
            (n_samples, n_outputs) float32.
        """
        return self.scores_of(self.quantized_inputs(X))

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """The number of the largest score, the first of equal ones; where there is one score that is neither a class
        nor an action, whether it is above 0.

        Args:
            X: (n_samples, n_inputs), taken as float32.

        Returns:
            (n_samples,) int64.
        """
        return self.largest(self.scores(X))

    def largest(self, scores: Scores) -> NDArray[np.int64]:
        """What `predict` says of scores.

        Args:
            scores: (n_samples, n_outputs).

        Returns:
            (n_samples,) int64.
        """
        return (scores[:, 0] > 0).astype(np.int64) if chooses_by_sign(self.quantized) else scores.argmax(axis=1)

    def act(self, X: ArrayLike) -> Scores:
        """A policy's actions.

        Args:
            X: (n_samples, n_inputs) observations, taken as float32.

        Returns:
            (n_samples, n_actions) float32, of head 'tanh' within low and high.

        Raises:
            InputError: of a network that is no policy, or chooses among actions.
        """
        network = self.quantized.network
        if network.head not in ("tanh", "identity"):
            raise InputError(f"model must be a policy of head 'tanh' or 'identity', not {network.head!r}")
        z = self.scores(X)
        if network.head == "identity":
            return z
        middle, half = action_scale(self.quantized)
        actions: Scores = np.clip(middle + _tanh(z).astype(np.float32) * half, network.low, network.high)
        return actions

    def _checked(self, values: Any) -> Any:
        n_inputs = self.quantized.network.n_inputs
        if values.ndim != 2 or values.shape[1] != n_inputs:
            raise InputError(f"X must have shape (n_samples, {n_inputs}), not {values.shape}")
        return values


def chooses_by_sign(quantized: QuantizedNetwork) -> bool:
    """Whether a prediction is that the score is above 0, not the number of the largest.

    Args:
        quantized: any.

    Returns:
        True of one output that is neither a class nor an action.
    """
    network = quantized.network
    return network.n_outputs == 1 and network.output != "softmax" and network.head is None


def action_scale(quantized: QuantizedNetwork) -> tuple[Scores, Scores]:
    """Middle and half width of each action's range, the latter per 2^-15 of tanh.

    Args:
        quantized: of a policy of head 'tanh'.

    Returns:
        (middle, half), (n_actions,) float32.
    """
    network = quantized.network
    assert network.low is not None, "of a policy of head 'tanh'"
    assert network.high is not None
    low, high = network.low.astype(np.float64), network.high.astype(np.float64)
    return ((low + high) / 2).astype(np.float32), ((high - low) / 2 / 2**15).astype(np.float32)


def _matrix(layer: QuantizedLayer) -> Any:
    return sp.csr_array((layer.weight.astype(np.int32), layer.index, layer.ptr), shape=(layer.n_out, layer.n_in))


def _sums(layer: QuantizedLayer, weights: Any, values: Eights) -> NDArray[np.int32]:
    """(n_samples, n_out)."""
    sums: NDArray[np.int32] = (weights @ values.astype(np.int32).T).T + layer.bias
    return sums


def _outputs(layer: QuantizedLayer, sums: NDArray[np.int32]) -> Eights:
    """A hidden layer's outputs."""
    assert layer.multiplier is not None, "a hidden layer has it"
    factor = layer.multiplier * np.where(sums < 0, np.int64(layer.negative), np.int64(ONE))
    values = (sums.astype(np.int64) * factor + (1 << (layer.shift - 1))) >> layer.shift
    values = np.clip(values, -STEPS, STEPS)
    outputs: Eights = values.astype(np.int8) if layer.table is None else layer.table[values + STEPS + 1]
    return outputs


def _tanh(z: Scores) -> NDArray[np.int32]:
    """tanh times 2^15, by straight lines."""
    most = TANH_STEPS * _PARTS
    place = np.clip(z * np.float32(16 * _PARTS), np.float32(-most), np.float32(most)).astype(np.int32)
    table = np.append(tanh_table(), 2**15).astype(np.int32)
    step, part = np.divmod(np.abs(place), _PARTS)
    value = (table[step] * (_PARTS - part) + table[step + 1] * part + _PARTS // 2) >> 8
    signed: NDArray[np.int32] = np.where(place < 0, -value, value)
    return signed
