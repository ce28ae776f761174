"""A network as nodes of an ONNX graph, for whatever collects them: a file, or a converter of a whole pipeline."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse._kernels import Activation as Kind
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.export.source import Source
from trulysparse.nn.activations import KernelActivation

FORMS = ("sparse", "dense", "scatter")
INDEX_BYTES = 8  # ONNX has indices of sparse tensors in int64


class Nodes(Protocol):
    """What collects nodes."""

    opset: int
    """Of the standard operators."""

    def add(self, operator: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """Adds a node; returns the name of its output, a new one for None."""

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Adds a tensor; returns its name."""

    def sparse(self, name: str, weight: sp.csr_array) -> str:
        """Adds a sparse matrix that Gemm can read; returns its name."""


def is_sparse(n_connections: int, n_weights: int, itemsize: int, form: str) -> bool:
    """Whether a layer's weights are written sparse: where asked for, and smaller than all weights.

    Args:
        n_connections: stored weights of the layer.
        n_weights: of the dense layer.
        itemsize: bytes of a weight.
        form: 'sparse' or another.

    Returns:
        The answer.

    Example:
        >>> is_sparse(30, 100, 4, "sparse"), is_sparse(40, 100, 4, "sparse"), is_sparse(30, 100, 4, "dense")
        (True, False, False)
    """
    return form == "sparse" and n_connections * (itemsize + INDEX_BYTES) < n_weights * itemsize


def scores(nodes: Nodes, source: Source, x: str, dtype: np.dtype[Any], form: str) -> str:
    """Adds all layers: from samples as they are to the outputs before their activation.

    Args:
        nodes: what collects them.
        source: the network.
        x: name of the scaled samples, (n, n_inputs) of `dtype`.
        dtype: that is computed in, float32 or float64.
        form: 'sparse' or 'dense', of weights for Gemm; 'scatter', connections by Gather and ScatterND.

    Returns:
        The name of (n, n_outputs).
    """
    layer = _scattered if form == "scatter" else _product
    net, h = source.net, x
    if form == "scatter":
        x = h = nodes.add("Transpose", [x], perm=[1, 0])  # from here neurons x samples
    for number, each in enumerate(net.chain):
        h = layer(nodes, f"layers.{number}", each, h, dtype, form, None)
        h = activation(nodes, f"layers.{number}", each.activation, h, dtype)
    if net.skip:
        h = layer(nodes, f"layers.{len(net.chain)}", net.skip_layer, x, dtype, form, h)
    return nodes.add("Transpose", [h], perm=[1, 0]) if form == "scatter" else h


def scaled(nodes: Nodes, x: str, scaling: Scaling | None, dtype: np.dtype[Any]) -> str:
    """Adds (x - offset) * factor, in the operations and the type in which a network scales samples of that type.

    Args:
        nodes: what collects them.
        x: name of the samples, of `dtype`.
        scaling: of the samples; None: they stay as they are.
        dtype: that is computed in.

    Returns:
        The name of the result.
    """
    if scaling is None:
        return x
    offset = cast("scaling.offset", scaling.offset, dtype)
    if offset.any():
        x = nodes.add("Sub", [x, nodes.constant("scaling.offset", offset)])
    factor = nodes.constant("scaling.factor", cast("scaling.factor", scaling.factor, dtype))
    return nodes.add("Mul", [x, factor])


def activation(nodes: Nodes, name: str, function: KernelActivation, x: str, dtype: np.dtype[Any]) -> str:
    """Adds an activation.

    Args:
        nodes: what collects them.
        name: of the layer, for constants.
        function: (kind, slope), a member of the kernels' Activation, and the left slope of LEAKY.
        x: name of the pre-activations.
        dtype: theirs.

    Returns:
        The name of the result.
    """
    kind, slope = function
    if kind == Kind.LEAKY:
        return _leaky(nodes, name, slope, x, dtype)
    if kind in (Kind.TANH, Kind.SIGMOID):
        return nodes.add(kind.name.capitalize(), [x])
    if kind == Kind.SILU:
        return _silu(nodes, x, dtype)
    if kind == Kind.GELU:
        return _gelu(nodes, x, dtype)
    return x


def cast(name: str, values: Any, dtype: np.dtype[Any]) -> Floats:
    """Values in another type, or InputError where it cannot hold them."""
    with np.errstate(over="ignore"):
        array: Floats = np.asarray(values).astype(dtype)
    if not np.isfinite(array).all():
        at = int(np.argmin(np.isfinite(array)))
        raise InputError(f"{name}[{at}] is {np.ravel(values)[at]:g}, beyond {dtype}; give dtype='float64'")
    return array


def _product(nodes: Nodes, name: str, layer: Any, x: str, dtype: np.dtype[Any], form: str, added: str | None) -> str:
    """W x + b, or W x + added."""
    weight = layer.weight
    weight.data = cast(f"{name}.weight", weight.data, dtype)
    matrix = (
        nodes.sparse(f"{name}.weight", weight)
        if is_sparse(weight.nnz, layer.n_in * layer.n_out, dtype.itemsize, form)
        else nodes.constant(f"{name}.weight", weight.toarray())
    )
    if added is None and layer.bias.size:
        added = nodes.constant(f"{name}.bias", cast(f"{name}.bias", layer.bias, dtype))
    return nodes.add("Gemm", [x, matrix, *([] if added is None else [added])], transB=1)


def _scattered(nodes: Nodes, name: str, layer: Any, x: str, dtype: np.dtype[Any], form: str, added: str | None) -> str:
    """As _product, of neurons x samples, without weights that are not there."""
    weight = layer.weight
    rows = np.repeat(np.arange(layer.n_out), np.diff(weight.indptr))[:, None]
    if added is None:
        bias = cast(f"{name}.bias", layer.bias if layer.bias.size else np.zeros(layer.n_out), dtype)
        samples = nodes.add(
            "Slice", [nodes.add("Shape", [x]), *_integers(nodes, "one", 1), *_integers(nodes, "two", 2)]
        )
        shape = nodes.add("Concat", [*_integers(nodes, f"{name}.width", layer.n_out), samples], axis=0)
        added = nodes.add("Expand", [nodes.constant(f"{name}.bias", bias[:, None]), shape])
    values = nodes.constant(f"{name}.weight", cast(f"{name}.weight", weight.data, dtype)[:, None])
    inputs = nodes.constant(f"{name}.inputs", weight.indices.astype(np.int64))
    products = nodes.add("Mul", [nodes.add("Gather", [x, inputs], axis=0), values])
    return nodes.add("ScatterND", [added, nodes.constant(f"{name}.outputs", rows), products], reduction="add")


def _integers(nodes: Nodes, name: str, *values: int) -> list[str]:
    return [nodes.constant(name, np.array(values, np.int64))]


def _leaky(nodes: Nodes, name: str, slope: float, x: str, dtype: np.dtype[Any]) -> str:
    if slope in (0, 1):
        return x if slope else nodes.add("Relu", [x])
    if dtype == np.float32 or np.float32(slope) == slope:
        return nodes.add("LeakyRelu", [x], alpha=float(slope))
    # An attribute is a float32: the slope of a network in float64 is a constant.
    zero = nodes.constant("zero", np.zeros((), dtype))
    left = nodes.add("Mul", [nodes.add("Min", [x, zero]), nodes.constant(f"{name}.slope", np.array(slope, dtype))])
    return nodes.add("Add", [nodes.add("Max", [x, zero]), left])


def _silu(nodes: Nodes, x: str, dtype: np.dtype[Any]) -> str:
    """x / (1 + exp(-x))."""
    if dtype == np.float32:
        return nodes.add("Mul", [x, nodes.add("Sigmoid", [x])])
    # onnxruntime up to 1.18 makes one operator of those two, which it has in float32 alone.
    below = nodes.add(
        "Add", [nodes.add("Exp", [nodes.add("Neg", [x])]), nodes.constant("one_float", np.ones((), dtype))]
    )
    return nodes.add("Div", [x, below])


def _gelu(nodes: Nodes, x: str, dtype: np.dtype[Any]) -> str:
    """x / 2 (1 + erf(x / sqrt 2))."""
    if nodes.opset >= 20 and dtype == np.float32:
        return nodes.add("Gelu", [x])
    share = nodes.add("Mul", [x, nodes.constant("root_half", np.array(np.sqrt(0.5), dtype))])
    if dtype == np.float64:  # onnxruntime has Erf in float32 alone
        share = nodes.add("Erf", [nodes.add("Cast", [share], to=1)])
        share = nodes.add("Cast", [share], to=11)
    else:
        share = nodes.add("Erf", [share])
    share = nodes.add("Add", [share, nodes.constant("one_float", np.ones((), dtype))])
    half = nodes.add("Mul", [x, nodes.constant("half", np.array(0.5, dtype))])
    return nodes.add("Mul", [half, share])
