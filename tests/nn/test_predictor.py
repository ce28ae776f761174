"""Predictions against a dense float64 pass, on every kind of X."""

from __future__ import annotations

import importlib
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit, ndtr, softmax

import trulysparse as ts
from sample_files import npy
from trulysparse.data import Scaling
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.nn.activations import NAMES


def reference_outputs(net, X):
    """A dense float64 forward pass."""
    a = X.toarray().astype(np.float64) if sp.issparse(X) else np.asarray(X, np.float64)
    if net.scaling is not None:
        a = (a - net.scaling.offset) * net.scaling.factor
    for layer in net.layers:
        z = a @ layer.weight.toarray().astype(np.float64).T + layer.bias
        kind, slope = layer.activation
        leaky = np.where(z > 0, z, slope * z)
        a = [z, leaky, np.tanh(z), expit(z), z * ndtr(z), z * expit(z)][kind]
    return a


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_outputs_match_a_dense_reference(rng, activation, output):
    net = ts.SparseMLP((20, 30, 25, 40, 4), epsilon=5, activation=activation, output=output, seed=3)
    for layer in net.layers:
        layer.bias[:] = rng.standard_normal(layer.n_out)
    X = rng.standard_normal((37, 20))
    net.scaling = Scaling("standard", rng.random(20), rng.random(20))
    z = reference_outputs(net, X)
    for batch_size in (1, 5, 16, 37, 1000):
        np.testing.assert_allclose(net.decision_function(X, batch_size=batch_size), z, rtol=1e-4, atol=1e-5)
    if output == "softmax":
        np.testing.assert_allclose(net.predict_proba(X), softmax(z, axis=1), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(net.predict(X), z.argmax(axis=1))
        net.labels = np.array(["a", "b", "c", "d"])
        np.testing.assert_array_equal(net.predict(X), net.labels[z.argmax(axis=1)])
    elif output == "sigmoid":
        np.testing.assert_allclose(net.predict_proba(X), expit(z), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(net.predict(X), z > 0)
    else:
        np.testing.assert_allclose(net.predict(X), z, rtol=1e-4, atol=1e-5)
        with pytest.raises(ts.InputError, match="predict_proba needs output"):
            net.predict_proba(X)


def test_every_kind_of_x_gives_the_same(rng, tmp_path):
    net = ts.SparseMLP((12, 20, 3), epsilon=5)
    X = rng.integers(0, 200, (50, 12), dtype=np.uint8)
    expected = net.predict_proba(X)
    np.save(tmp_path / "x.npy", X)
    others = [X.astype(t) for t in ("f2", "f4", "f8", "i8", "u2")]
    others += [
        sp.csr_array(X),
        sp.csc_array(X),
        np.asfortranarray(X),
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        X.tolist(),
    ]
    try:
        import pandas as pd
    except ImportError:
        pass
    else:
        others.append(pd.DataFrame(X))
    for other in others:
        np.testing.assert_allclose(net.predict_proba(other), expected, rtol=1e-6)


@pytest.mark.parametrize("batch", [1, 7])
def test_threads_may_predict_side_by_side(rng, batch):
    net = ts.SparseMLP((200, 400, 400, 10), epsilon=20, threads=1)
    inputs = [rng.standard_normal((batch, 200)) for _ in range(64)]
    expected = [net.predict_proba(X) for X in inputs]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            for found, known in zip(pool.map(net.predict_proba, inputs), expected, strict=True):
                np.testing.assert_array_equal(found, known)


def test_wrong_number_of_features(rng):
    net = ts.SparseMLP((12, 20, 3))
    with pytest.raises(ts.InputError, match="X has 11 features, but the network has 12 inputs"):
        net.predict(rng.random((4, 11)))


def mixed(rng, n=40):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    frame = pd.DataFrame({"c": rng.choice(list("abc"), n), "x": rng.standard_normal(n), "row": 1})
    frame.loc[::5, "x"] = np.nan
    return frame


def test_tables_go_through_the_preprocessor_and_what_else_is_taken_as_it_is(rng):
    frame = mixed(rng)
    preprocessor = ts.TablePreprocessor().fit(frame)
    X = preprocessor.transform(frame)
    net = ts.SparseMLP((X.shape[1], 8, 3), epsilon=4)
    net.preprocessor = preprocessor
    wanted = net.predict_proba(X)
    forms = [frame, frame[["x", "c"]], sp.csr_array(X), X.tolist()]
    for module in ("polars", "pyarrow"):
        try:
            library = importlib.import_module(module)
        except ImportError:
            continue
        forms.append(library.from_pandas(frame) if module == "polars" else library.Table.from_pandas(frame))
    for same in (net, net.copy(), net.indexed(), net.with_layers(net.layers), pickle.loads(pickle.dumps(net))):
        for form in forms:
            np.testing.assert_array_equal(same.predict_proba(form), wanted)
    np.testing.assert_allclose(net.freeze().predict_proba(frame), wanted, rtol=1e-5)
    np.testing.assert_array_equal(net.forward(frame, activated=True).output, wanted)
    y = rng.integers(0, 3, len(frame))
    assert ts.evaluate(net, frame, y) == ts.evaluate(net, X, y)
    twin = net.copy()
    assert ts.Trainer(net).step(frame, y) == ts.Trainer(twin).step(X, y)
    for predictor in (net, net.freeze()):
        with pytest.raises(ts.InputError, match="table has no column 'c'"):
            predictor.matrix(frame[["x"]], "table")


def test_a_table_of_numbers_needs_no_preprocessor(rng):
    X = rng.standard_normal((5, 3))
    net = ts.SparseMLP((3, 8, 3), epsilon=4)
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    np.testing.assert_array_equal(net.predict_proba(pd.DataFrame(X)), net.predict_proba(X))
    with pytest.raises(ts.InputError, match="column 'c' holds"):
        net.predict(mixed(rng))


def test_streamed_samples_are_not_for_a_preprocessor(rng, tmp_path):
    streamed = StreamMatrix(npy(tmp_path, rng.standard_normal((9, 2))))
    with pytest.raises(ts.InputError, match="takes tables in memory"):
        ts.TablePreprocessor().fit(streamed)
    with pytest.raises(ts.InputError, match="takes tables in memory"):
        ts.TablePreprocessor().fit(mixed(rng)).transform(streamed)


def test_values_are_predicted_in_the_unit_of_the_targets(rng):
    X = rng.standard_normal((20, 4))
    net = ts.SparseMLP((4, 8, 2), epsilon=3, output="identity")
    plain = net.predict(X)
    net.target_scaling = Scaling("standard", np.array([1e6, -1.0]), np.array([1e-3, 50.0]))
    for predictor in (net, net.copy(), net.freeze()):
        found = predictor.predict(X)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, plain / [1e-3, 50.0] + [1e6, -1.0], rtol=1e-6)
        np.testing.assert_allclose(predictor.decision_function(X), plain, rtol=1e-4, atol=1e-6)


def test_names_of_inputs(rng):
    net = ts.SparseMLP((3, 8, 2), epsilon=3)
    assert net.feature_names is None
    net.feature_names = ["a", "b", "c"]
    for same in (net, net.copy(), net.freeze()):
        assert same.feature_names == ("a", "b", "c")
    with pytest.raises(ts.InputError, match="must have 3 names, one per input, not 2"):
        net.feature_names = ["a", "b"]
    with pytest.raises(ts.InputError, match="sequence of names"):
        net.feature_names = "abc"
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    net.preprocessor = ts.TablePreprocessor().fit(pd.DataFrame({"q": [1, 2, None], "r": [4, 4, 5]}))
    assert net.feature_names == ("q", "q (missing)", "r")
    net.preprocessor = None
    net.feature_names = None
    assert net.feature_names is None
