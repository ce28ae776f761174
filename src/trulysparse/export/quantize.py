"""A network in eight bits: weights, biases and factors as integers, made so that no sum can overflow.

A value v of a layer's inputs is step * q with q in -127..127, and so is a weight of a row, with a scale of the row's
own. The unit of a row's sum is the product of the two. Sums of a hidden layer go to the step of its outputs by a 16-bit
multiplier per row and one shift: the multiplier comes first, and the weights' scale from it, so that it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse._kernels import Activation as Kind
from trulysparse.errors import InputError
from trulysparse.export.calibration import STEPS, Ranges, activate, by_table
from trulysparse.export.device_network import DeviceLayer, DeviceNetwork

ONE = 1 << 15  # the factor of positive sums
FRACTION = 1 << 16  # parts of a step in which inputs are rounded
_LEAST_SHIFT, _MOST_SHIFT = 18, 47  # of a multiplier alone, without that of ONE
_INT32 = 2**31 - 1
_LARGEST_INPUT = 128  # of eight bits, were an input -128

Doubles: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """A layer by output neuron in integers.

    A hidden layer's output is sum * multiplier * (negative if sum < 0 else 2^15) / 2^shift, rounded to the nearest
    (halves up) and clamped to -127..127; then table[it + 128], where there is a table. A score of the output layer is
    float32(sum) * scale.

    Args:
        n_in: neurons that it reads.
        n_out: neurons that it writes.
        ptr: (n_out + 1,) int64; the connections of output o are ptr[o] to ptr[o + 1].
        index: (n_connections,) int32, input neurons, ascending within an output.
        weight: (n_connections,) int8, -127..127.
        bias: (n_out,) int32; of a skip layer 0.
        unit: (n_out,) float64, what 1 of a row's sum stands for.
        step: what 1 of an output stands for; 0 of other than hidden layers.
        multiplier: (n_out,) uint16, of a hidden layer; else None.
        negative: factor of sums below 0, at most 2^15 in magnitude; that of others is 2^15.
        shift: 33..62; 0 of other than hidden layers.
        table: (256,) int8, or None.
        scale: (n_out,) float32, of the output layer; else None.
        skip: whether its products are added to the output layer's sums, in their unit.
    """

    n_in: int
    n_out: int
    ptr: NDArray[np.int64]
    index: NDArray[np.int32]
    weight: NDArray[np.int8]
    bias: NDArray[np.int32]
    unit: Doubles
    step: float = 0.0
    multiplier: NDArray[np.uint16] | None = None
    negative: int = 0
    shift: int = 0
    table: NDArray[np.int8] | None = None
    scale: NDArray[np.float32] | None = None
    skip: bool = False

    @property
    def n_connections(self) -> int:
        """Stored weights."""
        return len(self.weight)


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """A network in integers, and what is done to inputs and outputs.

    Args:
        network: what it was made of: output, head, labels, target_offset.
        layers: one per layer of it, in their order.
        offset: (n_inputs,) or (1,) float32; a single one is that of all features. An input is
            (x - offset) * factor / 2^16, clamped to -127..127 and rounded.
        factor: of the same shape.
    """

    network: DeviceNetwork
    layers: tuple[QuantizedLayer, ...]
    offset: NDArray[np.float32]
    factor: NDArray[np.float32]

    @property
    def chain(self) -> tuple[QuantizedLayer, ...]:
        """The layers of which each is the input of the next: all but the skip layer."""
        return tuple(layer for layer in self.layers if not layer.skip)

    @property
    def skip_layer(self) -> QuantizedLayer | None:
        """The layer from the inputs to the outputs, or None."""
        return self.layers[-1] if self.layers[-1].skip else None


def quantize(network: DeviceNetwork, ranges: Ranges) -> QuantizedNetwork:
    """A network in eight bits.

    Args:
        network: whose hidden layers' left slopes lie in [-1, 1].
        ranges: of its inputs and hidden layers, see calibrate.

    Returns:
        The network; for each row 128 * sum |weight| + |bias| < 2^31, so that no sum overflows.

    Raises:
        InputError: where ranges are another network's, or an activation, a scale or a weight is beyond what eight bits
            are made for.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.export.calibration import Ranges
        >>> from trulysparse.export.quantize import quantize
        >>> network = ts.export.DeviceNetwork.of(ts.SparseMLP.from_matrices([[[1.0, 0.5]]]))
        >>> quantized = quantize(network, Ranges(127.0, (), ()))
        >>> quantized.layers[0].weight.tolist(), (quantized.layers[0].scale * 127).tolist()
        ([127, 64], [1.0])
    """
    chain = network.chain
    if len(ranges.outputs) != len(chain) - 1:
        raise InputError(f"ranges must have {len(chain) - 1} outputs, one per hidden layer, not {len(ranges.outputs)}")
    input_step = (ranges.inputs or STEPS) / STEPS
    step = input_step
    layers: list[QuantizedLayer] = []
    for number, (layer, output, sums) in enumerate(zip(chain[:-1], ranges.outputs, ranges.sums, strict=True)):
        layers.append(_hidden(number, layer, step, output, sums))
        step = layers[-1].step
    layers += _outputs(network, step, input_step)
    offset, factor = _input_scale(network, input_step)
    return QuantizedNetwork(network, tuple(layers), offset, factor)


def _hidden(number: int, layer: DeviceLayer, step: float, output: float, sums: float | None) -> QuantizedLayer:
    """A hidden layer; `step`: of its inputs."""
    unit = _least_units(number, [(layer, step)])
    table = by_table(layer.activation)
    if table and sums is None:
        raise InputError(f"ranges.sums[{number}] must be a number: a table computes the activation of layers[{number}]")
    least = 4.01 * float(unit.max(initial=0))  # a smaller step needs a shift of less than 33
    wanted = (sums if table else output) or 0.0
    after = max(wanted / STEPS, least) or 1.0 / STEPS
    shift = int(np.clip(15 - np.floor(np.log2(max(unit.max(initial=0) / after, 2.0**-64))), _LEAST_SHIFT, _MOST_SHIFT))
    multiplier = np.ceil(unit / after * 2.0**shift)
    if multiplier.max(initial=0) > 2**16 - 1:
        shift -= 1
        multiplier = np.ceil(unit / after * 2.0**shift)
    multiplier = np.maximum(multiplier, 1)
    unit = multiplier * 2.0**-shift * after
    weight, bias = _integers(layer, step, unit)
    _require_no_overflow(number, [(layer, weight)], bias)
    negative = ONE
    values = None
    if table:
        places = np.arange(-STEPS - 1, STEPS + 1) * after
        after = (output or STEPS) / STEPS
        values = np.clip(np.rint(activate(places, layer.activation) / after), -STEPS, STEPS).astype(np.int8)
    elif layer.activation[0] == Kind.LEAKY:
        slope = layer.activation[1]
        if not -1 <= slope <= 1:
            raise InputError(f"layers[{number}] has the left slope {slope:g}; in eight bits it must lie in [-1, 1]")
        negative = round(slope * ONE)
    return QuantizedLayer(
        layer.n_in,
        layer.n_out,
        layer.ptr,
        layer.index,
        weight,
        bias,
        unit,
        after,
        multiplier.astype(np.uint16),
        negative,
        shift + 15,
        values,
    )


def _outputs(network: DeviceNetwork, step: float, input_step: float) -> list[QuantizedLayer]:
    """The output layer, and the skip layer where there is one: their products have one unit per row."""
    layer, skip = network.chain[-1], network.skip_layer
    number = len(network.chain) - 1
    if layer.activation[0] != Kind.IDENTITY:
        raise InputError(f"layers[{number}], the output layer, must have no activation of its own in eight bits")
    if network.output == "sigmoid" and network.target_factor is not None:
        raise InputError(
            "model has output='sigmoid' and target_scaling; in eight bits regression has output='identity'"
        )
    parts = [(layer, step)] + ([] if skip is None else [(skip, input_step)])
    unit = _least_units(number, parts)
    unit[unit == 0] = 1.0
    score = unit / (1.0 if network.target_factor is None else network.target_factor.astype(np.float64))
    with np.errstate(over="ignore"):
        scale = score.astype(np.float32)
    if not np.isfinite(scale).all():
        raise InputError(f"layers[{number}] has scores beyond float32")
    scale[scale < np.finfo(np.float32).tiny] = 0  # which some processors take as 0, and others do not
    integers = [_integers(each, each_step, unit) for each, each_step in parts]
    _require_no_overflow(
        number, [(each, weight) for (each, _), (weight, _) in zip(parts, integers, strict=True)], integers[0][1]
    )
    made = [
        QuantizedLayer(each.n_in, each.n_out, each.ptr, each.index, weight, bias, unit, skip=each.skip)
        for (each, _), (weight, bias) in zip(parts, integers, strict=True)
    ]
    made[0] = QuantizedLayer(**{**vars(made[0]), "scale": scale})
    return made


def _input_scale(network: DeviceNetwork, step: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Offset and factor of inputs, one of each where features do not differ."""
    if network.offset is None or network.factor is None:
        offset, factor = np.zeros(1, np.float32), np.ones(1)
    else:
        offset, factor = network.offset, network.factor.astype(np.float64)
    with np.errstate(over="ignore"):
        scaled = (factor * (FRACTION / step)).astype(np.float32)
    if not np.isfinite(scaled).all():
        raise InputError("ranges.inputs is too small: the factor of an input is beyond float32")
    if (offset == offset[0]).all() and (scaled == scaled[0]).all():
        return offset[:1].copy(), scaled[:1].copy()
    return offset, scaled


def _least_units(number: int, parts: list[tuple[DeviceLayer, float]]) -> Doubles:
    """The smallest unit of each row's sum by which weights take eight bits and sums 31; 0 of a row of zeros."""
    unit = np.zeros(parts[0][0].n_out)
    total = np.zeros_like(unit)
    n = np.zeros(len(unit), np.int64)
    for layer, step in parts:
        magnitude = np.abs(layer.weight.astype(np.float64)) * step
        unit = np.maximum(unit, _by_row(np.maximum, magnitude, layer.ptr) / STEPS)
        total += _by_row(np.add, magnitude, layer.ptr) * _LARGEST_INPUT + np.abs(layer.bias.astype(np.float64))
        n += np.diff(layer.ptr)
    if n.max(initial=0) >= 2**24:  # half a unit per weight, of rounding, would come near 2^30
        raise InputError(f"layers[{number}] has a row of {n.max()} connections; in eight bits fewer than 2**24")
    return np.maximum(unit, total / 2**30)


def _integers(layer: DeviceLayer, step: float, unit: Doubles) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Weights and biases in the unit of their row's sum."""
    unit = np.where(unit == 0, 1.0, unit)
    weight = np.rint(layer.weight.astype(np.float64) * step / np.repeat(unit, np.diff(layer.ptr)))
    bias = np.rint(layer.bias.astype(np.float64) / unit)
    return np.clip(weight, -STEPS, STEPS).astype(np.int8), bias.astype(np.int32)


def _require_no_overflow(
    number: int, parts: list[tuple[DeviceLayer, NDArray[np.int8]]], bias: NDArray[np.int32]
) -> None:
    """Units are chosen so that this holds; wrong sums would be silent, so it is looked at all the same."""
    most = np.abs(bias.astype(np.int64))
    for layer, weight in parts:
        most += _LARGEST_INPUT * _by_row(np.add, np.abs(weight.astype(np.int64)), layer.ptr)
    if most.max(initial=0) > _INT32:
        raise InputError(f"layers[{number}] has sums of up to {most.max()}, beyond 32 bits")


def _by_row(ufunc: np.ufunc, values: NDArray[Any], ptr: NDArray[np.int64]) -> NDArray[Any]:
    """The maximum or sum of each row's values, 0 of an empty row."""
    out = np.zeros(len(ptr) - 1, values.dtype)
    some = np.diff(ptr) > 0
    if some.any():
        out[some] = ufunc.reduceat(values, ptr[:-1][some])
    return out
