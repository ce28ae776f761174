"""export.onnx: a network, policy or estimator as an ONNX model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse._core.files import write_whole
from trulysparse.errors import InputError, MissingExtraError
from trulysparse.export.onnx_graph import FORMS, INDEX_BYTES, is_sparse, scaled, scores
from trulysparse.export.onnx_nodes import GraphNodes
from trulysparse.export.onnx_outputs import add_output, kinds_of
from trulysparse.export.source import Source, source_of

LEAST_OPSET = 13
SCATTER_OPSET = 16  # the first whose ScatterND adds
MOST_DENSE = 50_000_000
MOST_BYTES = 2**31 - 1  # of a protocol buffer


def onnx(
    model: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    form: str = "sparse",
    outputs: Sequence[str] | None = None,
    input_name: str = "input",
    output_names: Sequence[str] | None = None,
    dtype: str | None = None,
    opset: int = 17,
    batch: int | None = None,
    name: str = "net",
    doc_string: str | None = None,
    max_dense_weights: int = MOST_DENSE,
) -> Any:
    """An ONNX model of a network, policy or estimator, that gives what it predicts.

    Scaling of samples and targets, normalisation, bounds and output activation are in the graph. Samples of a network
    with a preprocessor are its outputs: encode tables first. Labels (JSON, under 'labels'), feature names
    ('feature_names'), 'layer_sizes' and 'n_connections' are in the model's metadata. The same model gives the same
    bytes.

    onnxruntime makes sparse weights dense when it loads a model: 'sparse' gives small files, but the memory and time of
    the dense network. `net.freeze()` and export.c compute with the connections alone.

    Args:
        model: a SparseMLP, FrozenMLP, Policy, agent or fitted estimator, with built-in activations.
        path: of the file, usually *.onnx; one that is there is replaced as a whole. None: nothing is written.
        form: of weights. 'sparse': a `sparse_initializer` that Gemm reads, where that is smaller than all weights of
            the layer (below a density of 1/3 in float32); 'dense': for tools that read no sparse ones; 'scatter':
            connections by Gather, Mul and ScatterND, of opset 16 or more: nothing is made dense, for networks whose
            dense weights fit nowhere; in most others slower.
        outputs: at least one of: 'probabilities' (n, n_outputs), of classes or labels; 'label' (n,) as predict gives
            them, or (n, n_outputs) of 0 and 1 where a sample may have several; 'prediction' (n, n_outputs) of
            regression, in the unit of the targets; 'action' of a policy, (n, n_actions) or, of head 'argmax', (n,)
            int64; 'scores' (n, n_outputs), before the output activation. None: the first of these that the model has.
        input_name: of the graph's input, (n, n_inputs).
        output_names: one for each of outputs; None: those themselves.
        dtype: of input, weights and outputs, 'float32' or 'float64'; None: the network's. 'float32' rounds the weights
            of a float64 network. GELU is computed in float32 either way.
        opset: version of the operators, from 13.
        batch: n, where a tool wants a fixed number of samples; None: any.
        name: of the graph.
        doc_string: of the model; None: a line on what it is.
        max_dense_weights: the most weights, were all layers dense, that forms 'sparse' and 'dense' are made of.

    Returns:
        The onnx.ModelProto.

    Raises:
        InputError: where an argument is out of range, an activation is one of the user's own, weights are beyond
            `dtype`, or the dense network has more than max_dense_weights, or the file would have more than 2 GiB;
            nothing is written then.
        MissingExtraError: where onnx (extra 'onnx') is not installed.
        OSError: where the file cannot be written; one that was there stays then.

    Source:
        ONNX, "Open Neural Network Exchange intermediate representation specification", sparse_initializer.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> net = ts.SparseMLP((64, 100, 10), epsilon=5, seed=0)
        >>> model = ts.export.onnx(net, "net.onnx")
        >>> [node.op_type for node in model.graph.node], len(model.graph.sparse_initializer)
        (['Gemm', 'LeakyRelu', 'Gemm', 'Softmax'], 1)
    """
    source = source_of(model)
    source.check_built_in()
    net = source.net
    checks.choice("form", form, FORMS)
    kind = np.dtype(str(net.dtype) if dtype is None else checks.choice("dtype", dtype, ("float32", "float64")))
    kinds = _kinds(outputs, source)
    names = _names(input_name, kinds, output_names)
    checks.integer("batch", batch, low=1) if batch is not None else None
    for argument, text in (("name", name), ("doc_string", doc_string)):
        if not isinstance(text, str) and not (text is None and argument == "doc_string"):
            raise InputError(f"{argument} must be a text, not {text!r:.80}")
    _check_size(source, form, kind, checks.integer("max_dense_weights", max_dense_weights, low=0))
    package = _package()
    newest = package.defs.onnx_opset_version()
    low = SCATTER_OPSET if form == "scatter" else LEAST_OPSET
    nodes = GraphNodes(package, checks.integer("opset", opset, low=low, high=newest), names)
    z = scores(nodes, source, scaled(nodes, names[0], net.scaling, kind), kind, form)
    for wanted, output in zip(kinds, names[1:], strict=True):
        nodes.give(add_output(nodes, wanted, source, z, kind), output)
    made = nodes.model(source, kinds, kind, batch, name, doc_string)
    package.checker.check_model(made)
    if path is not None:
        content = made.SerializeToString(deterministic=True)
        write_whole(path, lambda temporary: temporary.write_bytes(content))
    return made


def _package() -> Any:
    """The module onnx. This module's function has its name."""
    try:
        package = import_module("onnx")
        import_module("onnx.checker")
        import_module("onnx.numpy_helper")
    except ImportError:
        raise MissingExtraError("export.onnx", "onnx", "onnx") from None
    return package


def _kinds(outputs: Any, source: Source) -> list[str]:
    """The outputs, or InputError."""
    known = kinds_of(source)
    if outputs is None:
        return [known[0]]
    kinds = checks.listed("outputs", outputs, "names of outputs")
    for number, kind in enumerate(kinds):
        checks.choice(f"outputs[{number}]", kind, known)
    if not kinds or len(set(kinds)) < len(kinds):
        raise InputError(f"outputs must name at least one of {', '.join(known)}, none twice, not {kinds}")
    return kinds


def _names(input_name: Any, kinds: Sequence[str], output_names: Any) -> list[str]:
    """Names of the input and the outputs, or InputError."""
    given = kinds if output_names is None else checks.listed("output_names", output_names, "texts")
    if len(given) != len(kinds):
        raise InputError(f"output_names must have {len(kinds)} names, one for each of outputs, not {len(given)}")
    named = [("input_name", input_name), *((f"output_names[{i}]", each) for i, each in enumerate(given))]
    for argument, each in named:
        if not isinstance(each, str) or not each:
            raise InputError(f"{argument} must be a text that is not empty, not {each!r:.80}")
    names = [each for _, each in named]
    if len(set(names)) < len(names):
        raise InputError(f"input_name and output_names must differ from each other, not {names}")
    return names


def _check_size(source: Source, form: str, dtype: np.dtype[Any], most: int) -> None:
    """InputError where onnxruntime would make too much of a model, or ONNX cannot hold it."""
    weights = [layer.n_in * layer.n_out for layer in source.net.layers]
    total, each = sum(weights), dtype.itemsize
    if form != "scatter" and total > most:
        raise InputError(
            f"model has {source.net.n_connections:,} connections but {total:,} weights when dense, "
            f"{_size(total * each)}, as onnxruntime makes it at load; more than max_dense_weights={most:,}. Use "
            "form='scatter', which makes nothing dense, net.freeze() or export.c, or raise max_dense_weights"
        )
    content = 0
    for layer, dense in zip(source.net.layers, weights, strict=True):
        if form == "scatter":
            content += layer.n_connections * (each + 2 * INDEX_BYTES)
        elif is_sparse(layer.n_connections, dense, each, form):
            content += layer.n_connections * (each + INDEX_BYTES)
        else:
            content += dense * each
    if content + (1 << 20) > MOST_BYTES:
        raise InputError(
            f"the ONNX model would have {_size(content)}, but one file holds less than 2 GiB: choose another form, or "
            "save the network with trulysparse.save"
        )


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.3g} MB"
