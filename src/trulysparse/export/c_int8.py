"""The part of a C file that computes a network in eight bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.export.c_part import C_TYPES, CArray, CPart
from trulysparse.export.calibration import by_table
from trulysparse.export.index_forms import IndexedRows, length_type
from trulysparse.export.int8_reference import action_scale, chooses_by_sign, tanh_table
from trulysparse.export.quantize import QuantizedLayer, QuantizedNetwork


def int8_part(quantized: QuantizedNetwork, rows: Sequence[IndexedRows], name: str) -> CPart:
    """Arrays and code of a network in eight bits.

    Functions: NAME_scores, NAME_predict and, of policies, NAME_act, for float samples; NAME_quantize, NAME_scores_int8,
    NAME_predict_int8 and NAME_act_int8 for samples that are in eight bits already or are to be kept so.

    Args:
        quantized: from `quantize`.
        rows: the connections of each of its layers as they are stored.
        name: prefix of all names in C.

    Returns:
        The part.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.export.c_int8 import int8_part
        >>> from trulysparse.export.calibration import Ranges
        >>> from trulysparse.export.index_forms import index_rows
        >>> from trulysparse.export.quantize import quantize
        >>> network = ts.export.DeviceNetwork.of(ts.SparseMLP((4, 8, 2), epsilon=1, seed=0))
        >>> quantized = quantize(network, Ranges(1.0, (1.0,), (None,)))
        >>> part = int8_part(quantized, [index_rows(layer) for layer in network.layers], "net")
        >>> part.ram, part.public[1]
        (20, 'int net_predict(const float *x)')
    """
    network = quantized.network
    length = length_type(rows)
    arrays = [
        *(each for number in range(len(rows)) for each in _layer_arrays(quantized, rows, number, length, name)),
        *_network_arrays(quantized, name),
    ]
    buffers = _buffers(quantized)
    defines = [f"TS_INT8_LENGTH {C_TYPES[length]}"]
    defines += ["TS_INT8_TABLE 1"] * any(by_table(layer.activation) for layer in network.layers)
    functions = [_scores_int8(quantized, rows, name), *_ways_in(quantized, name)]
    lines = [f"static {kind} {name}_{what}[{size}];" for what, (kind, size) in buffers.items()]
    ram = sum(size * (4 if kind == "float" else 1) for kind, size in buffers.values())
    code = "\n".join([*lines, "", *(f"{head} {{\n{body}}}\n" for head, body in functions)])
    public = [head for head, _ in functions]
    # Users look for float samples first.
    public.sort(key=lambda head: "int8" in head or "quantize" in head)
    return CPart(tuple(arrays), ("ts_int8.h",), tuple(defines), code, tuple(public), ram)


def _layer_arrays(
    quantized: QuantizedNetwork, rows: Sequence[IndexedRows], number: int, length: np.dtype[Any], name: str
) -> Iterator[CArray]:
    layer, row = quantized.layers[number], rows[number]

    def array(what: str, values: NDArray[Any], part: str) -> CArray:
        # C has no empty arrays: of a layer without connections there is one of 0, which nothing reads.
        return CArray(f"{name}_{what}{number}", values if values.size else np.zeros(1, values.dtype), part, number)

    yield array("weight", row.stream(layer.weight), "weights")
    if row.index is not None:
        yield array("index", row.index, "index")
        yield array("length", row.length.astype(length), "rows")
    if not layer.skip:
        yield array("bias", layer.bias, "rows")
    if layer.multiplier is not None:
        yield array("multiplier", layer.multiplier, "rows")
    if layer.scale is not None:
        yield array("scale", layer.scale, "rows")
    if layer.table is not None:  # by the place as an unsigned byte: 0, ..., 127, -128, ..., -1
        yield array("table", np.roll(layer.table, 128), "other")


def _network_arrays(quantized: QuantizedNetwork, name: str) -> Iterator[CArray]:
    network = quantized.network
    yield CArray(f"{name}_offset", quantized.offset, "other")
    yield CArray(f"{name}_factor", quantized.factor, "other")
    if network.target_offset is not None:
        yield CArray(f"{name}_target_offset", network.target_offset, "other")
    if network.head == "tanh":
        assert network.low is not None, "of this head"
        assert network.high is not None
        middle, half = action_scale(quantized)
        yield CArray(f"{name}_tanh", tanh_table(), "other")
        yield CArray(f"{name}_middle", middle, "other")
        yield CArray(f"{name}_half", half, "other")
        yield CArray(f"{name}_low", network.low, "other")
        yield CArray(f"{name}_high", network.high, "other")


def _buffers(quantized: QuantizedNetwork) -> dict[str, tuple[str, int]]:
    """Static arrays: (type, length). Hidden layers write to `odd` and `even` in turn; a sample lies in `even` too, as
    long as no skip layer reads it at the end."""
    widths = quantized.network.layer_sizes
    skip = quantized.skip_layer is not None
    odd, even = widths[1:-1:2], widths[2:-1:2] if skip else widths[:-1:2]
    buffers = {"odd": max(odd, default=0), "even": max(even, default=0), "inputs": widths[0] if skip else 0}
    found = {what: ("int8_t", size) for what, size in buffers.items() if size}
    return {**found, "sums": ("float", widths[-1])}


def _scores_int8(quantized: QuantizedNetwork, rows: Sequence[IndexedRows], name: str) -> tuple[str, str]:
    """The function that runs the layers: its head and body."""
    network = quantized.network
    lines = [f"    ts_int8_layer {', '.join(f'layer{number}' for number in range(len(rows)))};"]
    for number, layer in enumerate(quantized.layers):
        lines += _set(layer, rows[number], name, number)
    x = "q"
    for number in range(len(quantized.chain) - 1):
        y = f"{name}_{'even' if number % 2 else 'odd'}"
        lines.append(f"    ts_int8_hidden_{rows[number].form}(&layer{number}, {x}, {y});")
        x = y
    last = len(quantized.chain) - 1
    offset = "NULL" if network.target_offset is None else f"{name}_target_offset"
    end = f"{name}_scale{last}, {offset}, z);"
    output = f"(&layer{last}, ts_int8_{rows[last].form}, {x},"
    if quantized.skip_layer is None:
        lines.append(f"    ts_int8_scores{output} {end}")
    else:
        lines.append(f"    ts_int8_scores_skip{output} &layer{last + 1}, ts_int8_{rows[last + 1].form}, q, {end}")
    return f"void {name}_scores_int8(const int8_t *q, float *z)", "\n".join(lines) + "\n"


def _set(layer: QuantizedLayer, rows: IndexedRows, name: str, number: int) -> Iterator[str]:
    """The calls that fill a ts_int8_layer."""

    def of(what: str, there: bool = True) -> str:
        return f"{name}_{what}{number}" if there else "NULL"

    indexed = rows.index is not None
    pointers = [of("weight"), of("index", indexed), of("length", indexed), of("bias", not layer.skip)]
    yield f"    ts_int8_set(&layer{number}, {', '.join(pointers)}, {layer.n_in}u, {layer.n_out}u);"
    if layer.multiplier is not None:
        pointers = [of("multiplier"), of("table", layer.table is not None)]
        yield f"    ts_int8_set_hidden(&layer{number}, {', '.join(pointers)}, {layer.negative}, {layer.shift}u);"


def _ways_in(quantized: QuantizedNetwork, name: str) -> Iterator[tuple[str, str]]:
    """The functions around the one that runs the layers: heads and bodies."""
    network, shared, by_sign = quantized.network, len(quantized.offset) == 1, chooses_by_sign(quantized)
    inputs = f"{name}_{'even' if network.skip_layer is None else 'inputs'}"
    n_in, n_out = network.n_inputs, network.n_outputs
    yield (
        f"void {name}_quantize(const float *x, int8_t *q)",
        f"    ts_int8_quantize(x, {n_in}u, {name}_offset, {name}_factor, {int(shared)}u, q);\n",
    )
    first = f"    {name}_quantize(x, {inputs});\n"
    yield (
        f"void {name}_scores(const float *x, float *z)",
        f"{first}    {name}_scores_int8({inputs}, z);\n",
    )
    predict = f"{name}_sums[0] > 0.0f" if by_sign else f"ts_int8_largest({name}_sums, {n_out}u)"
    yield (
        f"int {name}_predict_int8(const int8_t *q)",
        f"    {name}_scores_int8(q, {name}_sums);\n    return {predict};\n",
    )
    yield f"int {name}_predict(const float *x)", f"{first}    return {name}_predict_int8({inputs});\n"
    if network.head == "tanh":
        bounds = ", ".join(f"{name}_{each}" for each in ("tanh", "middle", "half", "low", "high"))
        act = (
            f"    {name}_scores_int8(q, {name}_sums);\n    ts_int8_actions({name}_sums, {n_out}u, {bounds}, action);\n"
        )
    else:
        act = f"    {name}_scores_int8(q, action);\n"
    if network.head in ("tanh", "identity"):
        yield f"void {name}_act_int8(const int8_t *q, float *action)", act
        yield (
            f"void {name}_act(const float *obs, float *action)",
            f"    {name}_quantize(obs, {inputs});\n    {name}_act_int8({inputs}, action);\n",
        )
