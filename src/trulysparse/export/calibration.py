"""Ranges of what a network computes on samples, from which eight-bit steps are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import erf, expit

from trulysparse import _kernels
from trulysparse._kernels import Activation as Kind
from trulysparse.data import Matrix, as_matrix
from trulysparse.errors import InputError
from trulysparse.export.device_network import DeviceLayer, DeviceNetwork
from trulysparse.nn.activations import KernelActivation

STEPS = 127  # of an eight-bit number to each side of 0
MOST_SAMPLES = 10_000
_MOST_VALUES = 2**28  # of samples, read in all
_BATCH_VALUES = 2**21  # of neurons and samples, at a time
_DIGITS = 9  # binary ones after a value's first, by which values are counted
_BINS = 1 << (8 + _DIGITS)
_CANDIDATES = np.exp2(np.arange(0, -8.01, -1 / 24))  # parts of the largest value at which to clip

Values32 = NDArray[np.float32]
Function = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Ranges:
    """At which magnitude values are clipped; the step of eight bits is a 127th of it. 0: only zeros were seen.

    Args:
        inputs: of what the first layer reads, scaled.
        outputs: of each hidden layer's activations.
        sums: of each hidden layer's sums before an activation that a table computes; None of a layer without a table.
        n_samples: that were looked at.

    Example:
        >>> from trulysparse.export.calibration import Ranges
        >>> Ranges(inputs=2.54, outputs=(), sums=()).inputs / 127
        0.02
    """

    inputs: float
    outputs: tuple[float, ...]
    sums: tuple[float | None, ...]
    n_samples: int = 0


class _Magnitudes:
    """How often magnitudes occurred, to nine binary digits; of negative values apart."""

    def __init__(self) -> None:
        self.counts = np.zeros((2, _BINS), np.int64)
        self.largest = 0.0

    def add(self, values: Values32) -> None:
        bits = np.ascontiguousarray(values).view(np.uint32)
        place = (bits >> (23 - _DIGITS)).ravel()  # the sign in front
        self.counts += np.bincount(place, minlength=2 * _BINS).reshape(2, _BINS)
        self.largest = max(self.largest, float(np.abs(values).max(initial=0)))

    def seen(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(values, how often each), but for zeros."""
        bits = (np.arange(_BINS, dtype=np.uint32) << np.uint32(23 - _DIGITS)) | np.uint32(1 << (22 - _DIGITS))
        with np.errstate(invalid="ignore"):
            middle = np.minimum(bits.view(np.float32).astype(np.float64), self.largest)
        sign, place = np.nonzero(self.counts)
        some = place > 0
        sign, place = sign[some], place[some]
        return np.where(sign == 1, -1, 1) * middle[place], self.counts[sign, place]


def least_error_clip(values: NDArray[np.float64], counts: NDArray[np.int64], function: Function | None = None) -> float:
    """The magnitude at which to clip so that eight bits lose least: the sum over values of the squared difference of
    f(value) and f(value in eight bits) is smallest. Candidates are the largest magnitude and, 24 to a power of two,
    those below it, down to a 256th.

    Args:
        values: (n,) float64.
        counts: (n,) int64, how often each occurs.
        function: f; None: the value itself.

    Returns:
        One of the candidates; 0 where there are no values but 0.

    Example:
        >>> import numpy as np
        >>> from trulysparse.export.calibration import least_error_clip
        >>> values = np.append(np.linspace(-1, 1, 1000), 50.0)
        >>> many = np.append(np.full(1000, 10**9), 1)
        >>> 0.9 < least_error_clip(values, many) < 1.1
        True
    """
    largest = float(np.abs(values).max(initial=0))
    if largest == 0:
        return 0.0
    apply = (lambda z: z) if function is None else function
    exact = apply(values)
    best, least = largest, np.inf
    for part in _CANDIDATES:
        step = largest * part / STEPS
        error = apply(np.clip(np.rint(values / step), -STEPS, STEPS) * step) - exact
        total = float(counts @ (error * error))
        if total < least:
            best, least = largest * float(part), total
    return best


def activate(values: NDArray[Any], activation: KernelActivation) -> NDArray[Any]:
    """What a layer's activation makes of sums.

    Args:
        values: of any shape and floating type.
        activation: (kind, slope), a member of the kernels' Activation, and the left slope of LEAKY.

    Returns:
        An array of the same shape and type.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.export.calibration import activate
        >>> activate(np.array([-1.0, 2.0]), ts.AllReLU(0.5).kernel(1)).tolist()
        [0.5, 2.0]
    """
    kind, slope = activation
    if kind == Kind.IDENTITY:
        return values
    if kind == Kind.LEAKY:
        return np.where(values > 0, values, values * values.dtype.type(slope))
    if kind == Kind.TANH:
        return np.asarray(np.tanh(values))
    if kind == Kind.SIGMOID:
        return np.asarray(expit(values))
    if kind == Kind.SILU:
        return np.asarray(values * expit(values))
    return np.asarray(values * (1 + erf(values / np.sqrt(values.dtype.type(2)))) / 2)


def by_table(activation: KernelActivation) -> bool:
    """Whether a table computes an activation in eight bits: all but those of straight lines.

    Args:
        activation: (kind, slope).

    Returns:
        True or False.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.export.calibration import by_table
        >>> by_table(ts.Tanh().kernel(1)), by_table(ts.ReLU().kernel(1))
        (True, False)
    """
    return activation[0] not in (Kind.IDENTITY, Kind.LEAKY)


def calibrate(network: DeviceNetwork, samples: Any, *, most_samples: int = MOST_SAMPLES) -> Ranges:
    """The ranges of a network's inputs and hidden layers on samples, each clipped where eight bits lose least.

    Samples go through the network in float32, a few at a time: 8 MB at most, and 2 MB of counts per range. Of more than
    `most_samples`, as many are taken at equal distances; of very wide ones fewer, 2^28 values in all but no less than
    64 samples.

    Args:
        network: what is to be quantized.
        samples: (n_samples, n_inputs), unscaled, as the network takes them: NumPy of any numeric type, SciPy sparse,
            memory map, DataFrame of numbers, or a Matrix. Typical ones: training samples.
        most_samples: at least 1.

    Returns:
        The ranges.

    Raises:
        InputError: where samples are empty, of another width, or not finite.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.export.calibration import calibrate
        >>> network = ts.export.DeviceNetwork.of(ts.SparseMLP((4, 8, 2), epsilon=1, seed=0))
        >>> ranges = calibrate(network, np.ones((10, 4)))
        >>> round(ranges.inputs, 2), len(ranges.outputs)
        (1.0, 1)
    """
    matrix = as_matrix(samples, "calibrate")
    if matrix.n_features != network.n_inputs:
        raise InputError(f"calibrate has {matrix.n_features} features, but the network has {network.n_inputs} inputs")
    hidden = network.chain[:-1]
    weights = [sp.csr_array((each.weight, each.index, each.ptr), shape=(each.n_out, each.n_in)) for each in hidden]
    seen = _Magnitudes(), [_Magnitudes() for _ in hidden], [_Magnitudes() for _ in hidden]
    n_samples = 0
    for batch in _batches(network, matrix, most_samples):
        n_samples += batch.shape[1]
        seen[0].add(batch)
        values = batch
        for number, layer in enumerate(hidden):
            with np.errstate(over="ignore", invalid="ignore"):
                sums = weights[number] @ values + layer.bias[:, np.newaxis]
                values = activate(sums, layer.activation).astype(np.float32, copy=False)
            _require_finite(values, number)
            seen[1][number].add(values)
            if by_table(layer.activation):
                seen[2][number].add(sums)
    return Ranges(
        least_error_clip(*seen[0].seen()),
        tuple(least_error_clip(*each.seen()) for each in seen[1]),
        tuple(_clip_of_sums(layer, each) for layer, each in zip(hidden, seen[2], strict=True)),
        n_samples,
    )


def _clip_of_sums(layer: DeviceLayer, seen: _Magnitudes) -> float | None:
    """The clip of a table's inputs that loses least of its outputs."""
    if not by_table(layer.activation):
        return None
    return least_error_clip(*seen.seen(), lambda values: activate(values, layer.activation))


def _require_finite(values: Values32, number: int) -> None:
    if not np.isfinite(values).all():
        raise InputError(f"calibrate makes values of layers[{number}] that are not finite numbers in float32")


def _batches(network: DeviceNetwork, matrix: Matrix, most_samples: int) -> Iterator[Values32]:
    """Scaled samples, (n_inputs, columns) float32."""
    most = min(most_samples, max(64, _MOST_VALUES // network.n_inputs), matrix.n_samples)
    rows = np.arange(most) * matrix.n_samples // most
    size = max(1, min(256, _BATCH_VALUES // max(network.layer_sizes)))
    with matrix.reader(rows) as reader:
        for start in range(0, most, size):
            some = rows[start : start + size]
            loaded = np.empty((network.n_inputs, _kernels.padded_batch(len(some))), np.float32)
            reader.load(some, loaded, None, 1)
            batch: Values32 = loaded[:, : len(some)]
            if network.offset is not None and network.factor is not None:
                with np.errstate(over="ignore", invalid="ignore"):
                    batch = (batch - network.offset[:, np.newaxis]) * network.factor[:, np.newaxis]
                if not np.isfinite(batch).all():
                    raise InputError("calibrate has values that are beyond float32 once they are scaled")
            yield np.ascontiguousarray(batch)
