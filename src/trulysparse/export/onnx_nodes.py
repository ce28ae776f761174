"""Nodes, weights and metadata of an ONNX model that is a network alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.version import __version__
from trulysparse.export.onnx_outputs import shape_of
from trulysparse.export.source import Source


class GraphNodes:
    """Nodes and weights of a graph, whose names say where they belong.

    Args:
        package: the module onnx.
        opset: of the operators.
        names: of the graph's input and outputs, which nothing else is called.
    """

    def __init__(self, package: Any, opset: int, names: Sequence[str]) -> None:
        self.package = package
        self.opset = opset
        self.names = list(names)
        self._taken = set(names)
        self._constants: dict[str, str] = {}
        self._given: list[tuple[str, str]] = []
        self._nodes: list[Any] = []
        self._dense: list[Any] = []
        self._sparse: list[Any] = []

    def add(self, operator: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """See Nodes."""
        result = self._new(operator.lower()) if output is None else output
        self._nodes.append(
            self.package.helper.make_node(operator, inputs, [result], name=f"{result}.node", **attributes)
        )
        return result

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """See Nodes; one of the same name is the same one."""
        if name not in self._constants:
            self._constants[name] = self._new(name)
            tensor = self.package.numpy_helper.from_array(np.ascontiguousarray(array), self._constants[name])
            self._dense.append(tensor)
        return self._constants[name]

    def sparse(self, name: str, weight: sp.csr_array) -> str:
        """See Nodes."""
        result = self._new(name)
        self._sparse.append(sparse_tensor(self.package, result, weight))
        return result

    def give(self, result: str, output: str) -> None:
        """Makes a result an output of the graph, of that name."""
        self._given.append((result, output))

    def model(
        self,
        source: Source,
        kinds: Sequence[str],
        dtype: np.dtype[Any],
        batch: int | None,
        name: str,
        doc_string: str | None,
    ) -> Any:
        """The model of all nodes."""
        self._name_outputs()
        helper, samples, net = self.package.helper, "batch" if batch is None else batch, source.net
        number = helper.np_dtype_to_tensor_dtype(dtype)
        given = helper.make_tensor_value_info(self.names[0], number, [samples, net.layer_sizes[0]])
        results = [
            helper.make_tensor_value_info(output, self._type(kind, source, number), [samples, *shape_of(kind, source)])
            for kind, output in zip(kinds, self.names[1:], strict=True)
        ]
        graph = helper.make_graph(
            self._nodes, name, [given], results, initializer=self._dense, sparse_initializer=self._sparse
        )
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets),
            producer_name="trulysparse",
            producer_version=__version__,
            doc_string=_described(source) if doc_string is None else doc_string,
        )
        helper.set_model_props(model, _metadata(source))
        return model

    def _name_outputs(self) -> None:
        """Calls the results that are outputs by their names: by a node where one result is several outputs."""
        results = [result for result, _ in self._given]
        for result, output in self._given:
            if result == self.names[0] or results.count(result) > 1:
                self.add("Identity", [result], output)
                continue
            for node in self._nodes:
                for names in (node.input, node.output):
                    names[:] = [output if each == result else each for each in names]
                if output in node.output:
                    node.name = f"{output}.node"

    def _type(self, kind: str, source: Source, number: int) -> int:
        """The type of an output."""
        tensor = self.package.TensorProto
        if kind == "label" and source.net.output == "softmax" and "labels" in self._constants:
            labels = next(each for each in self._dense if each.name == self._constants["labels"])
            return int(labels.data_type)
        whole = kind == "label" or (kind == "action" and source.head == "argmax")
        return int(tensor.INT64) if whole else number

    def _new(self, name: str) -> str:
        """A name that nothing has yet."""
        made, count = name, 0
        while made in self._taken:
            count += 1
            made = f"{name}.{count}"
        self._taken.add(made)
        return made


def sparse_tensor(package: Any, name: str, weight: sp.csr_array) -> Any:
    """A sparse matrix as ONNX has it: values, and places in the dense one, ascending.

    Args:
        package: the module onnx.
        name: of the matrix.
        weight: (n_out, n_in), indices ascending within a row.

    Returns:
        The onnx.SparseTensorProto.
    """
    n_out, n_in = weight.shape
    places = np.repeat(np.arange(n_out, dtype=np.int64) * n_in, np.diff(weight.indptr)) + weight.indices
    values = package.numpy_helper.from_array(weight.data, name)
    return package.helper.make_sparse_tensor(values, package.numpy_helper.from_array(places), [n_out, n_in])


def _described(source: Source) -> str:
    net = source.net
    what = "network" if source.head is None else f"policy (head {source.head})"
    return f"Truly sparse {what} {net.sizes_text} with {net.n_connections} connections, output {net.output}"


def _metadata(source: Source) -> dict[str, str]:
    """What the graph itself does not say."""
    net = source.net
    found = {"layer_sizes": json.dumps(net.layer_sizes), "n_connections": str(net.n_connections), "output": net.output}
    if source.head is not None:
        found["head"] = source.head
    if net.labels is not None:
        labels = np.asarray(net.labels)
        found["labels"] = json.dumps(
            (labels.astype(str) if labels.dtype.kind in "SMm" else labels).tolist(), default=str
        )
    if net.feature_names is not None:
        found["feature_names"] = json.dumps(net.feature_names)
    return found
