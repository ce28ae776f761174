"""Converters of skl2onnx for the estimators: alone, in a Pipeline, in a grid search."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse.errors import InputError, MissingExtraError
from trulysparse.estimators import SparseMLPClassifier, SparseMLPRegressor
from trulysparse.export.onnx_graph import Nodes, scaled, scores
from trulysparse.export.onnx_nodes import sparse_tensor
from trulysparse.export.onnx_outputs import label, prediction, probabilities
from trulysparse.export.source import Source, source_of

_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
    "raw_scores": [True, False],
}
_FLOAT, _DOUBLE = 1, 11  # onnx.TensorProto
_DTYPES: dict[int, np.dtype[Any]] = {_FLOAT: np.dtype(np.float32), _DOUBLE: np.dtype(np.float64)}


def register_onnx_converters() -> None:
    """Lets skl2onnx convert SparseMLPClassifier and SparseMLPRegressor, also in a Pipeline or a search.

    Call it once before `skl2onnx.to_onnx` or `convert_sklearn`; further calls change nothing.

    Outputs are those of scikit-learn's own classifiers and regressors: 'label' and 'probabilities' (with the options
    'zipmap', 'nocl', 'output_class_labels' and 'raw_scores'), 'variable'. A regressor that was fitted to y of one
    dimension gives (n, 1). For samples in float64, and where a sample may have several labels, give the option
    zipmap=False. Weights are stored
    sparse where that is smaller, and the network computes in its own type. An estimator that was fitted to a table
    with texts or gaps is refused: encode such columns by scikit-learn's transformers in a Pipeline.

    Raises:
        MissingExtraError: where skl2onnx (extra 'onnx') is not installed.

    Source:
        sklearn-onnx, "A new converter", update_registered_converter.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from skl2onnx import to_onnx
        >>> X, y = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32), np.arange(60) % 3
        >>> ts.export.register_onnx_converters()
        >>> model = to_onnx(ts.SparseMLPClassifier((8,), epochs=1).fit(X, y), X[:1], options={"zipmap": False})
        >>> [each.name for each in model.graph.output]
        ['label', 'probabilities']
    """
    try:
        package = import_module("skl2onnx")
    except ImportError:
        raise MissingExtraError("register_onnx_converters", "skl2onnx", "onnx") from None
    package.update_registered_converter(
        SparseMLPClassifier,
        "TrulySparseMLPClassifier",
        _classifier_shapes,
        _convert_classifier,
        parser=_parse_classifier,
        options=_OPTIONS,
    )
    package.update_registered_converter(
        SparseMLPRegressor, "TrulySparseMLPRegressor", _regressor_shapes, _convert_regressor
    )


class _ContainerNodes:
    """Nodes of a graph that skl2onnx puts together."""

    def __init__(self, scope: Any, container: Any) -> None:
        self.opset = int(container.target_opset)
        self._scope, self._container = scope, container
        self._constants: dict[str, str] = {}

    def add(self, operator: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """See Nodes."""
        result = self._scope.get_unique_variable_name(operator.lower()) if output is None else output
        name = self._scope.get_unique_operator_name(operator)
        self._container.add_node(operator, inputs, [result], name=name, **attributes)
        return result

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """See Nodes."""
        if name not in self._constants:
            self._constants[name] = self._scope.get_unique_variable_name(name)
            tensor = import_module("onnx.numpy_helper").from_array(np.ascontiguousarray(array))
            self.add("Constant", [], self._constants[name], value=tensor)
        return self._constants[name]

    def sparse(self, name: str, weight: sp.csr_array) -> str:
        """See Nodes. As a constant: the graphs of skl2onnx have no sparse initializers."""
        result: str = self._scope.get_unique_variable_name(name)
        return self.add("Constant", [], result, sparse_value=sparse_tensor(import_module("onnx"), result, weight))


def _source(model: Any) -> Source:
    """The network of a fitted estimator; InputError where it reads tables."""
    source = source_of(model)
    if source.net.preprocessor is not None:
        raise InputError(
            f"this {type(model).__name__} was fitted to a table whose columns it encodes itself, which ONNX cannot: "
            "fit it to numbers, with the table's columns encoded by scikit-learn's transformers in a Pipeline; or use "
            "export.onnx, whose input are the encoded samples"
        )
    source.check_built_in()
    return source


def _outputs(operator: Any, nodes: Nodes, source: Source) -> tuple[str, np.dtype[Any], int]:
    """Adds the layers; gives the outputs before their activation, their type, and ONNX's number of the type that the
    results are to have: double precision for samples in it, as scikit-learn's converters do."""
    guess = import_module("skl2onnx.common.data_types").guess_proto_type
    given = guess(operator.inputs[0].type)
    wanted = _DOUBLE if given == _DOUBLE else _FLOAT
    dtype = source.net.dtype
    x = operator.inputs[0].full_name
    if given != wanted:
        x = nodes.add("Cast", [x], to=wanted)
    x = _cast(nodes, scaled(nodes, x, source.net.scaling, _DTYPES[wanted]), _DTYPES[wanted], dtype)
    return scores(nodes, source, x, dtype, "sparse"), dtype, wanted


def _cast(nodes: Nodes, x: str, dtype: np.dtype[Any], wanted: np.dtype[Any]) -> str:
    return x if dtype == wanted else nodes.add("Cast", [x], to=_FLOAT if wanted == np.float32 else _DOUBLE)


def _finish(nodes: Nodes, values: str, wanted: int, output: Any) -> None:
    """Gives values, in the type wanted, the name of an output."""
    nodes.add("Cast", [values], output.full_name, to=wanted)


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    model, source = operator.raw_operator, _source(operator.raw_operator)
    options = container.get_options(model, {"raw_scores": False, "nocl": False})
    nodes = _ContainerNodes(scope, container)
    z, dtype, wanted = _outputs(operator, nodes, source)
    values = z if options["raw_scores"] else probabilities(nodes, source.net.output, z)
    _finish(nodes, values, wanted, operator.outputs[1])
    labels = None if options["nocl"] or model.multilabel_ else _labels(model)
    said = label(nodes, source, z, labels, dtype)
    nodes.add("Identity", [said], operator.outputs[0].full_name)


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    source = _source(operator.raw_operator)
    nodes = _ContainerNodes(scope, container)
    z, dtype, wanted = _outputs(operator, nodes, source)
    type_of = _DTYPES[wanted]
    values = prediction(nodes, source, _cast(nodes, z, dtype, type_of), type_of)
    _finish(nodes, values, wanted, operator.outputs[0])


def _labels(model: Any) -> NDArray[Any]:
    """The classes as skl2onnx gives them: int64 (floats and booleans too) or texts."""
    classes = model.classes_
    if classes.dtype.kind in "iubf":
        whole: NDArray[Any] = classes.astype(np.int64)  # the classifiers take no fractions
        return whole
    if not all(isinstance(each, str) for each in classes.tolist()):
        raise InputError("classes_ must be all texts or all integers for skl2onnx; see its option nocl=True")
    texts: NDArray[Any] = classes.astype(object)
    return texts


def _parse_classifier(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """As of scikit-learn's classifiers. Several labels a sample make no dictionary."""
    parse = import_module("skl2onnx._parse")
    _source(model)
    if not model.multilabel_:
        return parse._parse_sklearn_classifier(scope, model, inputs, custom_parsers=custom_parsers)
    for option in ("zipmap", "output_class_labels", "nocl"):
        default = option == "zipmap"  # of skl2onnx
        if scope.get_options(model, {option: default})[option]:
            raise InputError(
                f"the option {option} must be False for a classifier whose samples may have several labels: "
                f"options={{id(model): {{'{option}': False}}}}"
            )
    return parse._parse_sklearn_simple_model(scope, model, inputs, custom_parsers=custom_parsers)


def _classifier_shapes(operator: Any) -> None:
    types = import_module("skl2onnx.common.data_types")
    model = operator.raw_operator
    n_outputs, samples = _source(model).net.layer_sizes[-1], _samples(operator)
    options = operator.scope_inst.get_options(model, {"nocl": False})
    texts = not model.multilabel_ and not options["nocl"] and _labels(model).dtype != np.int64
    kind = types.StringTensorType if texts else types.Int64TensorType
    operator.outputs[0].set_type(kind([samples, n_outputs] if model.multilabel_ else [samples]))
    operator.outputs[1].set_type(_float_type(operator)([samples, n_outputs]))


def _regressor_shapes(operator: Any) -> None:
    n_outputs = _source(operator.raw_operator).net.layer_sizes[-1]
    operator.outputs[0].set_type(_float_type(operator)([_samples(operator), n_outputs]))


def _float_type(operator: Any) -> Any:
    types = import_module("skl2onnx.common.data_types")
    double = isinstance(operator.inputs[0].type, types.DoubleTensorType)
    return types.DoubleTensorType if double else types.FloatTensorType


def _samples(operator: Any) -> Any:
    """The number of samples, checked with the rest of the input's form."""
    types = import_module("skl2onnx.common.data_types")
    known = types.FloatTensorType, types.DoubleTensorType, types.Int64TensorType, types.BooleanTensorType
    if len(operator.inputs) != 1 or not isinstance(operator.inputs[0].type, known):
        given = ", ".join(f"{each.raw_name} {type(each.type).__name__}" for each in operator.inputs)
        raise InputError(
            f"a {type(operator.raw_operator).__name__} converts with one input of numbers (n, n_features), not {given}"
        )
    shape = operator.inputs[0].type.shape
    width = operator.raw_operator.n_features_in_
    if len(shape) == 2 and shape[1] not in (None, width):
        raise InputError(f"the input must have {width} features, as the fitted samples, not {shape[1]}")
    return operator.inputs[0].get_first_dimension()
