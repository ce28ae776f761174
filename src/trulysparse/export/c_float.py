"""A network in float32 as C: its arrays, and the functions that compute with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trulysparse._kernels import Activation as Kind
from trulysparse.export.c_part import C_TYPES, CArray, CPart
from trulysparse.export.device_network import DeviceLayer, DeviceNetwork
from trulysparse.export.index_forms import IndexedRows, length_type

# Applied to all values of a layer after its sums; LEAKY is part of the sums.
_PASSES = {Kind.TANH: "tanh", Kind.SIGMOID: "sigmoid", Kind.GELU: "gelu", Kind.SILU: "silu"}
_LIBM = {
    "TS_NET_TANH": "tanhf",
    "TS_NET_BOUND": "tanhf",
    "TS_NET_GELU": "erff",
    "TS_NET_SIGMOID": "expf",
    "TS_NET_SILU": "expf",
    "TS_NET_SOFTMAX": "expf",
}


def float_part(network: DeviceNetwork, rows: Sequence[IndexedRows], name: str, *, probabilities: bool = False) -> CPart:
    """Arrays and code of a network in float32.

    Args:
        network: its scaling, where it has one, is computed by the device.
        rows: the connections of each layer in the form that they are to have.
        name: prefix of all names.
        probabilities: also write NAME_probabilities.

    Returns:
        The part.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.export.index_forms import index_rows
        >>> network = ts.export.DeviceNetwork.of(ts.SparseMLP((4, 8, 2), epsilon=1))
        >>> part = float_part(network, [index_rows(layer) for layer in network.layers], "net")
        >>> part.public
        ('void net_scores(const float* x, float* z)', 'int net_predict(const float* x)')
        >>> part.ram  # 8 hidden values and 2 scores
        40
    """
    return _Writer(network, rows, name, probabilities).part()


@dataclass
class _Writer:
    """What the part consists of, as it grows."""

    network: DeviceNetwork
    rows: Sequence[IndexedRows]
    name: str
    probabilities: bool

    def __post_init__(self) -> None:
        self.arrays: list[CArray] = []
        self.used: set[str] = set()  # sections of the runtime
        self.steps: list[str] = []  # statements of NAME_scores
        self.buffers = {"a": 0, "b": 0, "inputs": 0}  # floats of each static buffer

    def part(self) -> CPart:
        self._scores()
        functions = [
            self._function(f"void {self.name}_scores(const float* x, float* z)", self.steps),
            self._function(f"int {self.name}_predict(const float* x)", self._predict()),
        ]
        if self.network.head in ("tanh", "identity"):
            functions.append(self._function(f"void {self.name}_act(const float* x, float* action)", self._act()))
        if self.probabilities:
            prototype = f"void {self.name}_probabilities(const float* x, float* p)"
            functions.append(self._function(prototype, self._probabilities()))
        buffers = {name: size for name, size in self.buffers.items() if size}
        lengths = C_TYPES[length_type(self.rows)]
        return CPart(
            tuple(self.arrays),
            ("ts_net.h",),
            (f"TS_LENGTH {lengths}", *sorted(self.used)),
            "".join(f"static float {self.name}_{name}[{size}];\n" for name, size in buffers.items())
            + "\n"
            + "\n".join(text for _, text in functions),
            tuple(prototype for prototype, _ in functions),
            4 * sum(buffers.values()),
            tuple(sorted({_LIBM[section] for section in self.used if section in _LIBM})),
        )

    # ---- pieces ----

    def _scores(self) -> None:
        """Layer after layer: the odd ones write into a, the even ones into b, the last one into z."""
        network, chain = self.network, self.network.chain
        at = first = "x"
        if network.offset is not None and network.factor is not None:
            first = at = self._buffer("inputs" if network.skip_layer else "b", network.n_inputs)
            self.used.add("TS_NET_SCALE")
            offset, factor = self._array("offset", network.offset), self._array("factor", network.factor)
            self.steps.append(f"ts_scale(x, {offset}, {factor}, {at}, {network.n_inputs});")
        for number, layer in enumerate(chain):
            last = number == len(chain) - 1
            to = "z" if last else self._buffer("ab"[number % 2], layer.n_out)
            self._layer(number, layer, at, to)
            at = to
        if network.skip_layer is not None and network.skip_layer.n_connections:
            self._layer(len(chain), network.skip_layer, first, "z")
        if network.target_factor is not None and network.target_offset is not None:
            self._unit(network.target_factor, network.target_offset)

    def _layer(self, number: int, layer: DeviceLayer, x: str, y: str) -> None:
        rows = self.rows[number]
        self.used.add(f"TS_NET_{rows.form.upper()}")
        bias = y  # the sums are added to what is there
        if layer.bias.any():
            bias = self._array(f"bias{number}", layer.bias, "rows", number)
        elif not layer.skip:
            self.used.add("TS_NET_CLEAR")
            self.steps.append(f"ts_clear({y}, {layer.n_out});")
        kind, slope = layer.activation
        text = _float_text(slope if kind == Kind.LEAKY else 1.0)
        arguments = [x]
        if rows.form == "full":
            arguments += [str(layer.n_in), str(layer.n_out)]
        else:
            lengths = rows.length.astype(length_type(self.rows))
            arguments += [str(layer.n_out), self._array(f"length{number}", lengths, "rows", number)]
            assert rows.index is not None
            arguments.append(self._array(f"index{number}", _not_empty(rows.index), "index", number))
        weight = self._array(f"weight{number}", _not_empty(rows.stream(layer.weight)), "weights", number)
        self.steps.append(f"ts_rows_{rows.form}({', '.join([*arguments, weight, bias, text, y])});")
        if kind in _PASSES:
            self.used.add(f"TS_NET_{_PASSES[kind].upper()}")
            self.steps.append(f"ts_{_PASSES[kind]}({y}, {layer.n_out});")

    def _unit(self, factor: NDArray[np.float32], offset: NDArray[np.float32]) -> None:
        """Predictions in the unit of the targets; with a sigmoid they are what it gives."""
        if self.network.output == "sigmoid":
            self.used.add("TS_NET_SIGMOID")
            self.steps.append(f"ts_sigmoid(z, {self.network.n_outputs});")
        self.used.add("TS_NET_UNIT")
        scale = self._array("unit_factor", (1 / factor.astype(np.float64)).astype(np.float32))
        self.steps.append(f"ts_unit(z, {scale}, {self._array('unit_offset', offset)}, {self.network.n_outputs});")

    def _predict(self) -> list[str]:
        n = self.network.n_outputs
        z = self._buffer("ab"[(len(self.network.chain) - 1) % 2], n)  # not where the last hidden layer lies
        call = f"{self.name}_scores(x, {z});"
        if n == 1:
            return [call, "return 0;" if only_choice(self.network) else f"return {z}[0] > 0.0f;"]
        self.used.add("TS_NET_LARGEST")
        return [call, f"return ts_largest({z}, {n});"]

    def _act(self) -> list[str]:
        network, steps = self.network, [f"{self.name}_scores(x, action);"]
        if network.head == "tanh" and network.low is not None and network.high is not None:
            self.used.add("TS_NET_BOUND")
            low, high = self._array("low", network.low), self._array("high", network.high)
            steps.append(f"ts_bound(action, {low}, {high}, {network.n_actions});")
        return steps

    def _probabilities(self) -> list[str]:
        kind = self.network.output
        self.used.add(f"TS_NET_{kind.upper()}")
        return [f"{self.name}_scores(x, p);", f"ts_{kind}(p, {self.network.n_outputs});"]

    def _array(self, what: str, values: NDArray[np.generic], part: str = "other", layer: int | None = None) -> str:
        self.arrays.append(CArray(f"{self.name}_{what}", values, part, layer))
        return self.arrays[-1].name

    def _buffer(self, name: str, size: int) -> str:
        self.buffers[name] = max(self.buffers[name], size)
        return f"{self.name}_{name}"

    def _function(self, prototype: str, steps: Sequence[str]) -> tuple[str, str]:
        return prototype, f"{prototype} {{\n" + "".join(f"    {step}\n" for step in steps) + "}\n"


def only_choice(network: DeviceNetwork) -> bool:
    """Whether a network of one output has one choice to make, its number 0: a class among one, a policy's only action.
    Others say whether the output is above 0."""
    return network.output == "softmax" or network.head is not None


def _float_text(value: float) -> str:
    """A number as C text of float32."""
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _not_empty(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """C has no arrays of no elements."""
    return values if len(values) else np.zeros(1, values.dtype)
