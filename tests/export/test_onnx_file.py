"""ONNX models, run by onnxruntime and compared with NumPy in float64 and with the library itself."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date

import numpy as np
import pytest
from scipy.special import erf, expit, softmax

import trulysparse as ts
from export.random_networks import draw
from trulysparse.connectivity import Connectivity
from trulysparse.data import Scaling
from trulysparse.nn.settings import NetworkSettings
from trulysparse.rl.policy import Policy

onnx = pytest.importorskip("onnx", reason="onnx comes with the extra trulysparse[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime comes with the extra trulysparse[test]")

FORMS = ("sparse", "dense", "scatter")
FUNCTIONS = {
    "relu": lambda z, number: np.maximum(z, 0),
    "all_relu": lambda z, number: np.where(z > 0, z, (0.6 if number % 2 else -0.6) * z),
    "leaky_relu": lambda z, number: np.where(z > 0, z, 0.01 * z),
    "tanh": lambda z, number: np.tanh(z),
    "sigmoid": lambda z, number: expit(z),
    "identity": lambda z, number: z,
    "gelu": lambda z, number: z * (1 + erf(z / np.sqrt(2))) / 2,
    "silu": lambda z, number: z * expit(z),
}


def network(rng, sizes=(12, 20, 15, 4), **options) -> ts.SparseMLP:
    """A network with biases, and weights of a skip layer, that are not 0."""
    net = ts.SparseMLP(sizes, **{"epsilon": 3, "seed": 0, "threads": 1, **options})
    for layer in net.layers:
        layer.bias[:] = rng.normal(size=layer.bias.shape)
        if layer is net.skip_layer:
            layer.values[:] = rng.normal(size=layer.values.shape)
    return net


def run(model, X) -> list[np.ndarray]:
    """All outputs of a model, a file or a ModelProto."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    content = model.SerializeToString() if hasattr(model, "SerializeToString") else str(model)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: X})


def naive(net: ts.SparseMLP, X) -> np.ndarray:
    """The scores by dense matrices in float64."""
    h = x = np.asarray(X, np.float64)
    if net.scaling is not None:
        h = x = (x - net.scaling.offset) * net.scaling.factor
    for number, layer in enumerate(net.chain):
        h = h @ layer.weight.toarray().astype(np.float64).T + (layer.bias if layer.bias.size else 0)
        if layer is not net.chain[-1]:
            h = FUNCTIONS[net.activation.name](h, number)
    return h + x @ net.skip_layer.weight.toarray().astype(np.float64).T if net.skip else h


@pytest.mark.parametrize("dtype, close", [("float32", 1e-5), ("float64", 1e-6)])
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_every_activation_in_every_form(rng, activation, dtype, close):
    net = network(rng, activation=activation, skip=True, dtype=dtype, bias=activation != "tanh")
    net.scaling = Scaling("standard", rng.normal(size=12), rng.uniform(0.5, 2, size=12))
    X = rng.normal(size=(7, 12)).astype(dtype)
    for form in FORMS:
        model = ts.export.onnx(net, form=form, outputs=("probabilities", "scores"))
        probabilities, scores = run(model, X)
        assert scores.dtype == dtype
        np.testing.assert_allclose(scores, naive(net, X), rtol=close, atol=close)
        np.testing.assert_allclose(probabilities, net.predict_proba(X), rtol=0, atol=close)


def test_networks_drawn_at_random():
    done = 0
    for seed in range(40):
        case = draw(seed)
        try:
            model = ts.export.onnx(case.model, max_dense_weights=1_000_000)
        except ts.InputError:
            model = ts.export.onnx(case.model, form="scatter")
        X = np.asarray(case.X, np.float32)
        double = model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
        (got,) = run(model, X.astype(np.float64 if double else np.float32))
        if case.policy:
            wanted = case.model.predict(X)[0]
        else:
            wanted = case.model.predict(X) if case.model.output == "identity" else case.model.predict_proba(X)
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5, err_msg=case.words)
        done += 1
    assert done == 40


def test_scaling_far_from_zero_rounds_as_the_network_does(rng):
    net = network(rng)
    net.scaling = Scaling("standard", rng.normal(1e6, 10, size=12), rng.uniform(0.5, 2, size=12))
    X = rng.normal(1e6, 2, size=(9, 12)).astype(np.float32)
    np.testing.assert_allclose(run(ts.export.onnx(net), X)[0], net.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    "labels",
    [
        ["low", "high", "ünï", "d"],
        [7, -1, 3, 2**40],
        [0.5, 1.5, 2.0, 3.0],
        np.array(["a", "b", "c", "d"], object),
        None,
    ],
)
def test_labels(rng, tmp_path, labels):
    net = network(rng)
    net.labels = None if labels is None else np.array(labels)
    X = rng.normal(size=(30, 12)).astype(np.float32)
    model = ts.export.onnx(net, tmp_path / "net.onnx", outputs=["label", "probabilities"])
    said, probabilities = run(tmp_path / "net.onnx", X)
    assert said.tolist() == net.predict(X).tolist()
    assert len(set(said.tolist())) > 1
    np.testing.assert_allclose(probabilities, net.predict_proba(X), atol=1e-6)
    kept = {each.key: each.value for each in model.metadata_props}
    assert json.loads(kept["layer_sizes"]) == [12, 20, 15, 4]
    assert json.loads(kept.get("labels", "null")) == (None if labels is None else list(labels))


def test_several_labels_a_sample(rng):
    net = network(rng, output="sigmoid")
    X = rng.normal(size=(30, 12)).astype(np.float32)
    said, probabilities = run(ts.export.onnx(net, outputs=["label", "probabilities"]), X)
    np.testing.assert_array_equal(said, net.predict(X))
    np.testing.assert_allclose(probabilities, net.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("output", ["identity", "sigmoid"])
def test_predictions_in_the_unit_of_the_targets(rng, output):
    net = network(rng, output=output)
    net.target_scaling = Scaling("standard", np.array([1e4, -5, 0, 3.0]), np.array([0.01, 2, 1, 0.0]))
    X = rng.normal(size=(30, 12)).astype(np.float32)
    (predicted,) = run(ts.export.onnx(net), X)
    np.testing.assert_allclose(predicted, net.predict(X), rtol=1e-5, atol=1e-5)
    assert (predicted[:, 3] == 3).all()  # of a constant target


@pytest.mark.parametrize("head, n_actions", [("tanh", 4), ("tanh", 2), ("argmax", 3), ("identity", 1), ("identity", 4)])
def test_policies(rng, head, n_actions):
    net = network(rng, output="identity")
    bounds = {"low": rng.uniform(-9, -1, n_actions), "high": rng.uniform(0, 5, n_actions)} if head == "tanh" else {}
    scale = {"offset": rng.normal(size=12), "factor": rng.uniform(0.5, 3, 12)}
    policy = Policy(net, head=head, n_actions=n_actions, **bounds, **scale)
    X = rng.normal(size=(50, 12)).astype(np.float32) * 5
    actions, scores = run(ts.export.onnx(policy, outputs=["action", "scores"]), X)
    wanted = policy.predict(X)[0]
    assert actions.shape == wanted.shape
    np.testing.assert_allclose(actions, wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scores, policy.outputs(X), rtol=1e-4, atol=1e-4)
    if head == "tanh":
        assert (actions >= policy.low).all()
        assert (actions <= policy.high).all()


def test_equal_scores_give_the_first(rng):
    net = ts.SparseMLP.from_matrices([np.ones((3, 2))])
    X = np.ones((2, 2), np.float32)
    assert run(ts.export.onnx(net, outputs=["label"]), X)[0].tolist() == net.predict(X).tolist() == [0, 0]
    policy = Policy(ts.SparseMLP.from_matrices([np.ones((3, 2))], output="identity"), head="argmax", n_actions=3)
    assert run(ts.export.onnx(policy), X)[0].tolist() == [0, 0]


def test_weights_are_sparse_where_that_is_smaller(rng):
    net = network(rng, (50, 60, 60, 5), epsilon=4)
    sparse, dense = ts.export.onnx(net), ts.export.onnx(net, form="dense")
    # The layer of 60 x 5 has 260 of 300 connections.
    assert [each.values.name for each in sparse.graph.sparse_initializer] == ["layers.0.weight", "layers.1.weight"]
    assert [each.name for each in sparse.graph.initializer] == [
        "layers.0.bias", "layers.1.bias", "layers.2.weight", "layers.2.bias",
    ]  # fmt: skip
    assert not dense.graph.sparse_initializer
    for layer, tensor in zip(net.layers, sparse.graph.sparse_initializer, strict=False):
        matrix = np.zeros(layer.n_in * layer.n_out, np.float32)
        matrix[onnx.numpy_helper.to_array(tensor.indices)] = onnx.numpy_helper.to_array(tensor.values)
        np.testing.assert_array_equal(matrix.reshape(layer.n_out, layer.n_in), layer.weight.toarray())
    onnx.checker.check_model(sparse)
    onnx.checker.check_model(dense, full_check=True)  # its inference of types knows no sparse initializers of Gemm
    onnx.checker.check_model(ts.export.onnx(net, form="scatter"), full_check=True)


def test_layer_without_connections(rng):
    cons = [
        Connectivity.from_outputs(a, b, np.zeros(b + 1, np.int64), np.zeros(0, np.int32), 1)[0]
        for a, b in ((4, 3), (3, 2))
    ]
    biases = [rng.normal(size=n).astype(np.float32) for n in (3, 2)]
    net = ts.SparseMLP.from_layers(cons, [np.zeros(0, np.float32)] * 2, biases, NetworkSettings(threads=1))
    for form in FORMS:
        (got,) = run(ts.export.onnx(net, form=form), np.ones((2, 4), np.float32))
        np.testing.assert_allclose(got, np.tile(softmax(biases[1]), (2, 1)), atol=1e-6)


def test_same_bytes_and_said_names(rng, tmp_path):
    net = network(rng)
    net.feature_names = [f"f{i}" for i in range(12)]
    files = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for file in files:
        options = {"input_name": "x", "outputs": ("label", "scores"), "output_names": ("y", "z"), "name": "digits"}
        ts.export.onnx(net, file, **options, doc_string="Digits", opset=20, batch=3)
    assert files[0].read_bytes() == files[1].read_bytes()
    model = onnx.load(files[0])
    assert [each.name for each in model.graph.input] == ["x"]
    assert [each.name for each in model.graph.output] == ["y", "z"]
    assert (model.graph.name, model.doc_string, model.producer_name) == ("digits", "Digits", "trulysparse")
    assert model.producer_version == ts.__version__
    assert model.opset_import[0].version == 20
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 3
    assert {each.key: each.value for each in model.metadata_props}["feature_names"] == json.dumps(net.feature_names)
    assert run(model, np.zeros((3, 12), np.float32))[0].shape == (3,)
    free = ts.export.onnx(net)
    assert free.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    for count in (1, 5, 0):
        assert run(free, np.zeros((count, 12), np.float32))[0].shape == (count, 4)


def test_names_of_a_user_may_be_those_of_parts(rng):
    net = network(rng)
    X = rng.normal(size=(3, 12)).astype(np.float32)
    model = ts.export.onnx(net, input_name="layers.0.weight", output_names=["gemm"])
    np.testing.assert_allclose(run(model, X)[0], net.predict_proba(X), atol=1e-6)


def test_scores_and_predictions_that_are_one_result(rng):
    net = network(rng, output="identity")
    X = rng.normal(size=(3, 12)).astype(np.float32)
    predicted, scores = run(ts.export.onnx(net, outputs=["prediction", "scores"]), X)
    np.testing.assert_array_equal(predicted, scores)
    bare = ts.SparseMLP.from_matrices([np.eye(3)], activation="identity", output="identity")
    np.testing.assert_array_equal(run(ts.export.onnx(bare, form="scatter"), np.eye(3, dtype=np.float32))[0], np.eye(3))


def test_versions_of_the_operators(rng):
    net = network(rng, activation="gelu")
    X = rng.normal(size=(3, 12)).astype(np.float32)
    for opset, operator in ((13, "Erf"), (17, "Erf"), (20, "Gelu"), (21, "Gelu")):
        model = ts.export.onnx(net, opset=opset)
        assert operator in [node.op_type for node in model.graph.node]
        np.testing.assert_allclose(run(model, X)[0], net.predict_proba(X), atol=1e-5)


def test_double_precision_can_be_rounded(rng):
    net = network(rng, dtype="float64")
    X = rng.normal(size=(3, 12))
    (double,), (single,) = run(ts.export.onnx(net), X), run(ts.export.onnx(net, dtype="float32"), X.astype(np.float32))
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    np.testing.assert_allclose(double, net.predict_proba(X), atol=1e-14)
    np.testing.assert_allclose(single, double, atol=1e-5)
    net.layers[0].values[0] = 1e300
    with pytest.raises(ts.InputError, match=r"layers.0.weight\[\d+\] is 1e\+300, beyond float32; give dtype='float64'"):
        ts.export.onnx(net, dtype="float32")


def test_too_many_dense_weights_are_refused_with_the_figure(rng, tmp_path):
    net = ts.SparseMLP((20_000, 3_000, 2), density=1e-4, threads=1, seed=0)
    wanted = r"6,\d+ connections but 60,006,000 weights when dense, 240 MB, .* more than max_dense_weights=50,000,000"
    for form in ("sparse", "dense"):
        with pytest.raises(ts.InputError, match=wanted):
            ts.export.onnx(net, tmp_path / "net.onnx", form=form)
    assert list(tmp_path.iterdir()) == []
    ts.export.onnx(net, tmp_path / "net.onnx", form="scatter")
    X = rng.normal(size=(2, 20_000)).astype(np.float32)
    np.testing.assert_allclose(run(tmp_path / "net.onnx", X)[0], net.predict_proba(X), atol=1e-5)
    assert ts.export.onnx(net, max_dense_weights=60_006_000).ByteSize() < 200_000


def test_more_than_a_file_holds_is_refused():
    con = Connectivity.from_outputs(60_000, 10_000, np.zeros(10_001, np.int64), np.zeros(0, np.int32), 1)[0]
    net = ts.SparseMLP.from_layers([con], [np.zeros(0, np.float32)], [np.zeros(10_000, np.float32)], NetworkSettings())
    with pytest.raises(ts.InputError, match=r"would have 2.4 GB, but one file holds less than 2 GiB"):
        ts.export.onnx(net, form="dense", max_dense_weights=10**9)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"form": "coo"}, "form must be one of sparse, dense, scatter, not 'coo'"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64, not 'float16'"),
        ({"opset": 12}, "opset must be between 13 and"),
        ({"opset": 10**6}, "opset must be between 13 and"),
        ({"opset": "17"}, "opset must be an integer"),
        ({"opset": 15, "form": "scatter"}, "opset must be between 16 and"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"batch": 1.5}, "batch must be an integer"),
        ({"outputs": []}, "outputs must name at least one of probabilities, label, scores"),
        ({"outputs": ["label", "label"]}, "none twice"),
        ({"outputs": "label"}, "outputs must be a sequence"),
        ({"outputs": ["action"]}, r"outputs\[0\] must be one of probabilities, label, scores, not 'action'"),
        ({"output_names": ["a", "b"]}, "output_names must have 1 names, one for each of outputs, not 2"),
        ({"output_names": [3]}, r"output_names\[0\] must be a text that is not empty, not 3"),
        ({"output_names": "y"}, "output_names must be a sequence of texts"),
        ({"input_name": ""}, "input_name must be a text that is not empty"),
        ({"input_name": "y", "output_names": ["y"]}, "must differ from each other"),
        ({"name": 3}, "name must be a text, not 3"),
        ({"doc_string": 3}, "doc_string must be a text, not 3"),
        ({"max_dense_weights": -1}, "max_dense_weights must be at least 0, not -1"),
        ({"max_dense_weights": 2.5}, "max_dense_weights must be an integer"),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    net = ts.SparseMLP((4, 8, 2), epsilon=1, threads=1)
    with pytest.raises(ts.InputError, match=message):
        ts.export.onnx(net, tmp_path / "net.onnx", **options)
    assert list(tmp_path.iterdir()) == []


def test_labels_that_onnx_has_no_type_for(rng):
    net = network(rng)
    for labels in ([date(2020, 1, day) for day in (1, 2, 3, 4)], ["a", 1, 2, 3], [b"a", b"b", b"c", b"d"]):
        net.labels = np.array(labels, object)
        ts.export.onnx(net)
        with pytest.raises(ts.InputError, match="outputs must be without 'label' for labels such as"):
            ts.export.onnx(net, outputs=["label"])


def test_a_file_is_written_whole_or_not_at_all(rng, tmp_path, monkeypatch):
    net = network(rng)
    with pytest.raises(OSError, match="missing"):
        ts.export.onnx(net, tmp_path / "missing" / "net.onnx")
    (tmp_path / "net.onnx").write_text("before")
    monkeypatch.setattr(onnx.checker, "check_model", lambda model: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ts.export.onnx(net, tmp_path / "net.onnx")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["before"]


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ts.MissingExtraError, match=r"export.onnx needs onnx: pip install 'trulysparse\[onnx\]'"):
        ts.export.onnx(ts.SparseMLP((4, 8, 2), epsilon=1))


def test_other_packages_are_loaded_at_their_use():
    code = (
        "import sys, trulysparse as ts; ts.export.onnx, ts.export.scipy, ts.export.torch;"
        "print(sorted({'onnx', 'onnxruntime', 'skl2onnx', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
