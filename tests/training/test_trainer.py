"""The training loop: gradients, determinism, learning, what fit promises."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from own_activations import OwnAllReLU, OwnSiLU
from trulysparse import _kernels
from trulysparse.connectivity import Connectivity
from trulysparse.nn.activations import NAMES

LOSSES = {"softmax": ts.SoftmaxCrossEntropy, "sigmoid": ts.BinaryCrossEntropy, "identity": ts.MeanSquaredError}


def targets_for(rng, output, n, n_outputs):
    if output == "softmax":
        return rng.integers(0, n_outputs, n)
    return (
        (rng.random((n, n_outputs)) > 0.5).astype(float) if output == "sigmoid" else rng.standard_normal((n, n_outputs))
    )


@pytest.mark.parametrize("activation", [*NAMES, OwnSiLU(), OwnAllReLU()])
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_agree_with_central_differences(rng, activation, output, weighted):
    """Every weight and bias of a small network, in float64."""
    net = ts.SparseMLP((6, 8, 7, 5, 3), epsilon=2, activation=activation, output=output, dtype="float64", seed=4)
    for layer in net.layers:
        layer.bias[:] = 0.3 * rng.standard_normal(layer.n_out)
        layer.values[:] = rng.standard_normal(layer.n_connections)
    X, y = rng.standard_normal((11, 6)), targets_for(rng, output, 11, 3)
    weight = rng.random(11) if weighted else None
    trainer = ts.Trainer(net)
    loss, gradients = trainer.gradients(X, y, weight)
    step = 1e-6
    for layer, (weight_gradient, bias_gradient) in zip(net.layers, gradients, strict=True):
        assert weight_gradient.shape == (layer.n_out, layer.n_in)
        along_values = np.empty(layer.n_connections)
        along_values[layer.connectivity.position] = weight_gradient.data
        for array, found in ((layer.values, along_values), (layer.bias, bias_gradient)):
            expected = np.empty_like(array)
            for i in range(len(array)):
                keep = array[i]
                array[i] = keep + step
                up = trainer.gradients(X, y, weight)[0]
                array[i] = keep - step
                down = trainer.gradients(X, y, weight)[0]
                array[i] = keep
                expected[i] = (up - down) / (2 * step)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7 * max(scale, 1e-3))
    assert loss == trainer.gradients(X, y, weight)[0]


def train_some(threads, dtype="float32", steps=24):
    rng = np.random.default_rng(0)
    net = ts.SparseMLP((784, 1000, 1000, 10), epsilon=20, seed=1, threads=threads, dtype=dtype)
    trainer = ts.Trainer(
        net, optimizer=ts.SGD(0.01, 0.9, weight_decay=1e-4), evolution=ts.SET(0.3), dropout=0.3, seed=1
    )
    for i in range(steps):
        trainer.step(rng.standard_normal((128, 784)).astype(np.float32), rng.integers(0, 10, 128))
        if i in (steps // 3, 2 * steps // 3):
            trainer.evolve()
    return net


@pytest.mark.parametrize("isa_name", _kernels.available_isas())
def test_same_bits_for_any_thread_count(isa_name):
    before = _kernels.current_isa()
    _kernels.use_isa(isa_name)
    nets = [train_some(threads) for threads in (1, 2, 3)]
    _kernels.use_isa(before)
    for net in nets[1:]:
        for a, b in zip(nets[0].layers, net.layers, strict=True):
            np.testing.assert_array_equal(a.connectivity.indices, b.connectivity.indices)
            np.testing.assert_array_equal(a.values.view(np.uint32), b.values.view(np.uint32))
            np.testing.assert_array_equal(a.bias.view(np.uint32), b.bias.view(np.uint32))


def dense_reference_step(weights, biases, slopes, X, y, rate):
    """One plain SGD step of a dense network in float64, gradients taken only where a weight exists."""
    activations, pre = [X.T], []
    for w, b in zip(weights, biases, strict=True):
        pre.append(w @ activations[-1] + b[:, None])
        s = slopes[len(pre) - 1]
        activations.append(pre[-1] if s is None else np.where(pre[-1] > 0, pre[-1], s * pre[-1]))
    p = np.exp(pre[-1] - pre[-1].max(axis=0))
    p /= p.sum(axis=0)
    loss = -np.log(p[y, np.arange(len(y))]).mean()
    delta = (p - np.eye(len(p))[y].T) / len(y)
    for i in reversed(range(len(weights))):
        gradient = (delta @ activations[i].T) * (weights[i] != 0)
        bias_gradient = delta.sum(axis=1)
        if i:
            delta = (weights[i].T @ delta) * np.where(pre[i - 1] > 0, 1, slopes[i - 1])
        weights[i] = weights[i] - rate * gradient
        biases[i] = biases[i] - rate * bias_gradient
    return loss


def test_training_follows_a_dense_reference(rng):
    """Twenty steps of float32 kernels against a dense float64 network with zeros where no connection is."""
    net = ts.SparseMLP((20, 30, 25, 4), epsilon=4, activation=ts.AllReLU(0.5), seed=2)
    weights = [layer.weight.toarray().astype(np.float64) for layer in net.layers]
    biases = [layer.bias.astype(np.float64) for layer in net.layers]
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.1, 0.0))
    for _ in range(20):
        X, y = rng.standard_normal((33, 20)), rng.integers(0, 4, 33)
        expected = dense_reference_step(weights, biases, [-0.5, 0.5, None], X, y, 0.1)
        assert trainer.step(X, y) == pytest.approx(expected, rel=1e-4)
    for layer, w, b in zip(net.layers, weights, biases, strict=True):
        np.testing.assert_allclose(layer.weight.toarray(), w, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(layer.bias, b, rtol=1e-3, atol=1e-5)


def blobs(rng, n=600, features=20, classes=4):
    centres = 3 * rng.standard_normal((classes, features))
    y = rng.integers(0, classes, n)
    return centres[y] + rng.standard_normal((n, features)), y


@pytest.mark.parametrize(
    "optimizer",
    [
        ts.SGD(0.05),
        ts.SGD(0.05, nesterov=True),
        ts.SGD(0.1, 0.0),
        ts.Adam(0.005),
        ts.SGD(0.05, weight_decay=1e-3, weight_decay_mode="direct"),
        ts.SGD(ts.CosineRate(0.05, warmup=1)),
        ts.Adam(ts.StepRate(0.01, every=3, factor=0.5)),
    ],
)
def test_every_optimizer_learns(rng, optimizer):
    X, y = blobs(rng)
    net = ts.SparseMLP((20, 50, 50, 4), epsilon=5, seed=0)
    history = ts.Trainer(net, optimizer=optimizer, evolution=ts.SET(0.2), dropout=0.1, batch_size=64).fit(
        X[:500], y[:500], epochs=10, validation_data=(X[500:], y[500:])
    )
    assert history["val_accuracy"][-1] > 0.95
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert set(history["connections"]) == {net.n_connections}


def test_multi_label_and_regression_learn(rng):
    X = rng.standard_normal((800, 15))
    labels = (X[:, :3] + X[:, 3:6] > 0).astype(int)
    net = ts.SparseMLP((15, 60, 3), epsilon=10, output="sigmoid")
    ts.Trainer(net, optimizer=ts.Adam(0.01), evolution=ts.SET()).fit(X[:600], labels[:600], epochs=30)
    assert ts.evaluate(net, X[600:], labels[600:])["accuracy"] > 0.9
    assert net.predict(X).shape == (800, 3)
    target = X[:, :2] @ [[1.0], [2.0]] + 0.1 * X[:, 2:3] ** 2
    net = ts.SparseMLP((15, 60, 1), epsilon=10, output="identity")
    history = ts.Trainer(net, optimizer=ts.Adam(0.01), evolution=ts.SET()).fit(
        X[:600], target[:600], epochs=40, validation_data=(X[600:], target[600:])
    )
    residual = ((net.predict(X[600:]) - target[600:]) ** 2).sum() / ((target[600:] - target[600:].mean()) ** 2).sum()
    assert history["val_r2"][-1] == pytest.approx(1 - residual, rel=1e-3)
    assert history["val_r2"][-1] > 0.9


def test_the_last_partial_batch_counts(rng):
    X, y = blobs(rng, 130)
    trainer = ts.Trainer(ts.SparseMLP((20, 10, 4)), batch_size=64)
    trainer.fit(X, y, epochs=2)
    assert trainer.step_count == 6


def test_fit_equals_steps_in_its_order(rng):
    X, y = blobs(rng, 100)
    a, b = (ts.Trainer(ts.SparseMLP((20, 15, 4), seed=3), batch_size=32, seed=9) for _ in range(2))
    a.fit(X, y, epochs=1, shuffle=False)
    for start in range(0, 100, 32):
        b.step(X[start : start + 32], y[start : start + 32])
    for p, q in zip(a.net.layers, b.net.layers, strict=True):
        np.testing.assert_array_equal(p.values, q.values)


def test_every_kind_of_x_trains_the_same(rng, tmp_path):
    X = rng.integers(0, 9, (90, 20)).astype(np.uint8)
    y = rng.integers(0, 4, 90)
    np.save(tmp_path / "x.npy", X)
    kinds = [X, X.astype(np.float64), sp.csr_array(X), np.load(tmp_path / "x.npy", mmap_mode="r")]
    results = []
    for kind in kinds:
        net = ts.SparseMLP((20, 15, 4), seed=3)
        ts.Trainer(net, batch_size=32, seed=1).fit(kind, y, epochs=2)
        results.append(net.layers[0].values)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_sample_weights_stand_for_repetition(rng):
    X, y = blobs(rng, 40)
    weight = rng.integers(0, 4, 40)
    trainers = [ts.Trainer(ts.SparseMLP((20, 15, 4), seed=3, dtype="float64"), batch_size=200) for _ in range(2)]
    trainers[0].fit(X, y, epochs=5, sample_weight=weight)
    trainers[1].fit(np.repeat(X, weight, axis=0), np.repeat(y, weight), epochs=5)
    for a, b in zip(*(t.net.layers for t in trainers), strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-9, atol=1e-12)


def test_schedules():
    assert ts.ConstantRate(0.1).at(5, 10) == 0.1
    assert [ts.StepRate(1.0, every=2, factor=0.5).at(e, None) for e in (0, 1.9, 2, 4.5)] == [1, 1, 0.5, 0.25]
    cosine = ts.CosineRate(1.0, warmup=2, final=0.1)
    assert cosine.at(1, 10) == 0.5
    assert cosine.at(2, 10) == 1.0
    assert cosine.at(6, 10) == pytest.approx(0.55)
    assert cosine.at(10, 10) == pytest.approx(0.1)
    with pytest.raises(ts.InputError, match="epochs"):
        cosine.at(1, None)


def test_divergence_is_reported(rng):
    X, y = rng.standard_normal((200, 20)) * 1e3, rng.standard_normal((200, 1))
    net = ts.SparseMLP((20, 50, 1), output="identity", activation="identity")
    with pytest.raises(ts.DivergenceError, match="lower the learning rate"):
        ts.Trainer(net, optimizer=ts.SGD(10.0)).fit(X, y, epochs=100)


def test_from_a_scipy_matrix_with_long_rows_trains(rng):
    """Output neurons with more connections than a segment, through a whole step and evolution."""
    net = ts.SparseMLP((50, 40_000, 2), epsilon=2, seed=0, dtype="float64")
    assert isinstance(net.layers[1].connectivity, Connectivity)
    assert len(net.layers[1].connectivity.by_output.long) == 2
    X, y = blobs(rng, 60, 50, 2)
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.001), evolution=ts.SET())
    history = trainer.fit(X, y, epochs=8)
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 20)), [0, 1, 2], "X has 4 samples, but y has 3"),
        (np.zeros((4, 20)), [0, 1, 2, 4], r"y\[3\] is 4; labels must lie between 0 and 3"),
        (np.zeros((4, 20)), [0, 1, -1, 2], r"y\[2\] is -1"),
        (np.zeros((4, 20)), [0.5, 1, 1, 2], "integer class labels"),
        (np.zeros((4, 20)), [[0], [1], [1], [2]], "1-dimensional"),
        (np.zeros((4, 19)), [0, 1, 2, 3], "19 features"),
        (np.full((4, 20), np.nan), [0, 1, 2, 3], r"X\[0, 0\] is nan"),
    ],
)
def test_bad_data(X, y, message):
    trainer = ts.Trainer(ts.SparseMLP((20, 10, 4)))
    for call in (trainer.step, lambda X, y: trainer.fit(X, y, epochs=1)):
        with pytest.raises(ts.InputError, match=message):
            call(X, y)
    assert trainer.step_count == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(batch_size=0), "batch_size must be at least 1"),
        (dict(dropout=1.0), r"dropout must lie in \[0, 1\)"),
        (dict(dropout=-0.1), "dropout"),
        (dict(loss="hinge"), "loss must be one of"),
        (dict(loss="mean_squared_error"), "belongs to output='identity'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(ts.SparseMLP((20, 10, 4)), **arguments)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ts.SGD(0),
        lambda: ts.SGD(-1),
        lambda: ts.SGD(0.1, 1.0),
        lambda: ts.SGD(0.1, 0.0, nesterov=True),
        lambda: ts.SGD(weight_decay=-1),
        lambda: ts.SGD(weight_decay_mode="x"),
        lambda: ts.Adam(beta1=1),
        lambda: ts.Adam(epsilon=0),
        lambda: ts.StepRate(0.1, every=0),
        lambda: ts.CosineRate(0.1, warmup=-1),
    ],
)
def test_bad_optimizer_settings(make):
    with pytest.raises(ts.InputError):
        make()


@pytest.mark.parametrize(
    ("output", "y", "message"),
    [
        ("sigmoid", [[2.0, 0, 0, 0]] * 4, r"\[0, 1\]"),
        ("identity", [[np.nan, 0, 0, 0]] * 4, r"y\[0, 0\] is nan"),
        ("identity", [[0, 0]] * 4, r"shape \(n_samples, 4\)"),
    ],
)
def test_bad_targets(output, y, message):
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(ts.SparseMLP((20, 10, 4), output=output)).step(np.zeros((4, 20)), y)


def test_another_kind_of_parallel_is_refused():
    with pytest.raises(ts.InputError, match="parallel must be a WASAP, a WASSP or None, not 'wasap'"):
        ts.Trainer(ts.SparseMLP((4, 8, 2)), parallel="wasap")


@pytest.mark.parametrize("parallel", [ts.WASAP(2, phase2_epochs=1), ts.WASSP(2, phase2_epochs=1)])
def test_step_after_phase_2_begins_adam_anew(rng, parallel):
    """Phase 2 ends with averaged weights and zero state: the next update is that of a new trainer."""
    X, y = blobs(rng, 64)
    trainer = ts.Trainer(ts.SparseMLP((20, 15, 4)), optimizer=ts.Adam(0.01), batch_size=16, parallel=parallel)
    trainer.fit(X, y, epochs=2)
    assert trainer.state_updates == 0 < trainer.step_count
    fresh = ts.Trainer(trainer.net.copy(), optimizer=trainer.optimizer, batch_size=16)
    assert trainer.step(X, y) == fresh.step(X, y)
    for a, b in zip(trainer.net.layers, fresh.net.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)


@pytest.mark.parametrize("name", ["optimizer", "loss", "evolution", "callbacks", "optimizer_state"])
@pytest.mark.parametrize("value", [3, 2.5, {}, [1, 2], object(), ts.SET])
def test_trainer_given_an_object_of_another_kind_names_the_argument(name, value):
    with pytest.raises(ts.InputError, match=f"^{name}"):
        ts.Trainer(ts.SparseMLP((4, 6, 3), threads=1), **{name: value})


@pytest.mark.parametrize("weight", [["a"] * 4, [[1], [2, 3]], {}, np.ones(4) * 1j, np.ones(4, "m8[s]"), object()])
def test_sample_weight_that_is_no_number_is_refused(weight):
    trainer = ts.Trainer(ts.SparseMLP((4, 6, 3), threads=1))
    with pytest.raises(ts.InputError, match=r"^sample_weight must be an array of numbers"):
        trainer.step(np.ones((4, 4)), [0, 1, 2, 0], weight)


def test_weights_that_are_read_only_predict_and_are_refused_by_training():
    net = ts.SparseMLP((4, 6, 3), threads=1)
    trainer = ts.Trainer(net)
    X, y = np.ones((2, 4)), [0, 1]
    trainer.step(X, y)
    net.layers[1].values.setflags(write=False)
    net.predict(X)
    for use in (trainer.step, lambda X, y: trainer.fit(X, y, epochs=1)):
        with pytest.raises(ts.InputError, match=r"^layers\[1\] has weights or biases that are read-only"):
            use(X, y)
    ts.Trainer(net.copy()).step(X, y)


@pytest.mark.parametrize("argument", ["validation_data", "resume", "callbacks"])
@pytest.mark.parametrize("value", [3, 2.5, {}, object()])
def test_fit_given_an_object_of_another_kind_names_the_argument(argument, value):
    trainer = ts.Trainer(ts.SparseMLP((4, 6, 3), threads=1))
    with pytest.raises(ts.InputError, match=f"^{argument} must be "):
        trainer.fit(np.ones((2, 4)), [0, 1], epochs=1, **{argument: value})


@pytest.mark.parametrize("optimizer", [ts.SGD(), ts.Adam()], ids=["sgd", "adam"])
def test_a_warm_step_passes_through_few_files(rng, optimizer):
    """A reader of a training step has as many to open; each costs calls."""
    trainer = ts.Trainer(ts.SparseMLP((20, 30, 30, 3), epsilon=3, threads=1), optimizer=optimizer, evolution=ts.SET())
    X, y = rng.standard_normal((32, 20)), rng.integers(0, 3, 32)
    for _ in range(3):
        trainer.step(X, y)
    package, files = os.path.dirname(ts.__file__), set()

    def visit(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(package):
            files.add(frame.f_code.co_filename.removeprefix(package))

    sys.setprofile(visit)
    try:
        trainer.step(X, y)
    finally:
        sys.setprofile(None)
    assert len(files) <= 7, sorted(files)
