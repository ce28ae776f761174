"""What an ONNX graph makes of a network's outputs: probabilities, labels, predictions in their unit, actions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.export.onnx_graph import Nodes, cast
from trulysparse.export.source import Source

INT64 = 7  # onnx.TensorProto.INT64


def kinds_of(source: Source) -> tuple[str, ...]:
    """The outputs that a model can have, the default one first.

    Args:
        source: the network or policy.

    Returns:
        Among 'probabilities', 'label', 'prediction', 'action', 'scores'.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.export.source import source_of
        >>> kinds_of(source_of(ts.SparseMLP((4, 2))))
        ('probabilities', 'label', 'scores')
    """
    if source.head is not None:
        return "action", "scores"
    if source.net.output == "identity":
        return "prediction", "scores"
    if source.net.target_scaling is not None:
        return "prediction", "probabilities", "scores"
    return "probabilities", "label", "scores"


def add_output(nodes: Nodes, kind: str, source: Source, z: str, dtype: np.dtype[Any]) -> str:
    """Adds one output.

    Args:
        nodes: what collects them.
        kind: see `kinds_of`.
        source: the network or policy.
        z: name of the outputs before their activation.
        dtype: theirs.

    Returns:
        Its name.

    Raises:
        InputError: for labels that ONNX has no type for.
    """
    if kind == "scores":
        return z
    if kind == "action":
        return _action(nodes, source, z, dtype)
    if kind == "label":
        return label(nodes, source, z, class_labels(source), dtype)
    if kind == "prediction":
        return prediction(nodes, source, z, dtype)
    return probabilities(nodes, source.net.output, z)


def shape_of(kind: str, source: Source) -> tuple[int, ...]:
    """The shape of an output for one sample."""
    if kind == "action":
        return () if source.head == "argmax" else (source.n_actions,)
    return () if kind == "label" and source.net.output == "softmax" else (source.net.layer_sizes[-1],)


def probabilities(nodes: Nodes, output: str, z: str) -> str:
    """Adds the output activation 'softmax', 'sigmoid' or 'identity'."""
    if output == "softmax":
        return nodes.add("Softmax", [z], axis=1)
    return nodes.add("Sigmoid", [z]) if output == "sigmoid" else z


def prediction(nodes: Nodes, source: Source, z: str, dtype: np.dtype[Any]) -> str:
    """Adds the output activation, and takes its result into the unit of the targets."""
    return _in_unit(nodes, probabilities(nodes, source.net.output, z), source.net.target_scaling, dtype)


def label(nodes: Nodes, source: Source, z: str, labels: NDArray[Any] | None, dtype: np.dtype[Any]) -> str:
    """Adds what `predict` says: a class a sample or, of output='sigmoid', 0 or 1 a label.

    Args:
        nodes: what collects them.
        source: the network.
        z: name of the outputs before their activation.
        labels: of the classes, of a type that ONNX has; None: their numbers.
        dtype: of z.

    Returns:
        The name of (n,) or (n, n_outputs).
    """
    if source.net.output == "sigmoid":
        positive = nodes.add("Greater", [z, nodes.constant("zero", np.zeros((), dtype))])
        return nodes.add("Cast", [positive], to=INT64)
    number = nodes.add("ArgMax", [z], axis=1, keepdims=0)
    return number if labels is None else nodes.add("Gather", [nodes.constant("labels", labels), number], axis=0)


def class_labels(source: Source) -> NDArray[Any] | None:
    """Labels as ONNX has them: int64, float64, bool, or an object array of str; None for numbers of classes.

    Args:
        source: the network.

    Returns:
        (n_classes,), or None.

    Raises:
        InputError: where they are of another type.
    """
    labels = source.net.labels
    if labels is None or source.net.output != "softmax":
        return None
    array = np.asarray(labels)
    values = array.tolist()
    if array.dtype.kind in "iufb":
        kind = {"b": np.bool_, "f": np.float64}.get(array.dtype.kind, np.int64)
        return array.astype(kind)
    if all(type(value) is str for value in values):
        return np.array(values, object)
    if all(type(value) is int for value in values):
        return np.array(values, np.int64)
    raise InputError(
        f"outputs must be without 'label' for labels such as {values[0]!r:.80}: ONNX has texts, integers, floats and "
        "booleans alone"
    )


def _in_unit(nodes: Nodes, values: str, scaling: Scaling | None, dtype: np.dtype[Any]) -> str:
    """values / factor + offset; a factor of 0, of a constant target, gives the offset."""
    if scaling is None:
        return values
    with np.errstate(divide="ignore"):
        unit = np.where(scaling.factor == 0, 0.0, 1 / scaling.factor)
    factor, offset = cast("target_scaling.unit", unit, dtype), cast("target_scaling.offset", scaling.offset, dtype)
    values = nodes.add("Mul", [values, nodes.constant("target_scaling.unit", factor)])
    return nodes.add("Add", [values, nodes.constant("target_scaling.offset", offset)])


def _action(nodes: Nodes, source: Source, z: str, dtype: np.dtype[Any]) -> str:
    """The action of a policy; see Policy."""
    if source.n_actions < source.net.layer_sizes[-1]:
        bounds = {"from": [0], "to": [source.n_actions], "axis": [1]}
        z = nodes.add("Slice", [z, *(nodes.constant(f"slice.{k}", np.array(v)) for k, v in bounds.items())])
    if source.head == "argmax":
        return nodes.add("ArgMax", [z], axis=1, keepdims=0)
    if source.head == "identity":
        return z
    low: Floats = cast("low", source.low, dtype)
    high: Floats = cast("high", source.high, dtype)
    z = nodes.add("Add", [nodes.add("Tanh", [z]), nodes.constant("one_float", np.ones((), dtype))])
    z = nodes.add("Mul", [z, nodes.constant("half_range", (high - low) * dtype.type(0.5))])
    z = nodes.add("Add", [z, nodes.constant("low", low)])
    return nodes.add("Max", [nodes.add("Min", [z, nodes.constant("high", high)]), nodes.constant("low", low)])
