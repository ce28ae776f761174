"""Targets of every numeric type, and those that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_expit, log_softmax

import trulysparse as ts
from trulysparse.nn.losses import BinaryCrossEntropy, MeanSquaredError, SoftmaxCrossEntropy, make_loss

TYPES = ["f2", ">f2", "f4", ">f4", "f8", ">f8", "g", "i1", ">i2", "i4", ">i8", "u1", ">u4", "u8", "?"]
X = np.random.default_rng(0).normal(size=(40, 5))


def trained(output: str, y, n_outputs: int) -> tuple[list[float], dict[str, float]]:
    net = ts.SparseMLP((5, 12, n_outputs), output=output, dtype="float64", seed=0)
    trainer = ts.Trainer(net, batch_size=16)
    return [trainer.step(X, y), *trainer.fit(X, y, epochs=2)["loss"]], ts.evaluate(net, X, y)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("output", ["identity", "sigmoid", "softmax"])
def test_targets_of_every_type_train_as_float64(rng, output, name):
    y = rng.integers(0, 2, 40 if output == "softmax" else (40, 3))
    found, wanted = (trained(output, y.astype(dtype), 2 if output == "softmax" else 3) for dtype in (name, "f8"))
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-12)
    assert found[1] == pytest.approx(wanted[1], rel=1e-12)


@pytest.mark.parametrize("name", ["f2", ">f4", "g"])
def test_fractional_targets_keep_their_values(rng, name):
    y = rng.normal(size=(40, 2)).astype(name)
    found, wanted = trained("identity", y, 2), trained("identity", y.astype(np.float64), 2)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-12)


def test_targets_in_any_layout_train_alike(rng):
    y = rng.normal(size=(80, 4))
    packed = np.zeros((80, 17), np.uint8)
    packed[:, 1:] = y[:, ::2].copy().view(np.uint8).reshape(80, 16)
    odd = np.lib.stride_tricks.as_strided(packed[0, 1:9].view(np.float64), (80, 2), (17, 8))
    for view, same in ((y[::-2, ::2], y[::-2, ::2].copy()), (odd[:40], y[:40, ::2].copy())):
        assert trained("identity", view, 2)[0] == trained("identity", same, 2)[0]


@pytest.mark.parametrize("dtype", [object, complex, "U8", "S8", "M8[s]"])
@pytest.mark.parametrize("loss", [MeanSquaredError(), BinaryCrossEntropy(), SoftmaxCrossEntropy()])
def test_targets_that_are_no_numbers_are_refused(loss, dtype):
    y = np.ones(6, int).astype(dtype)
    with pytest.raises(ts.InputError, match="y must hold"):
        loss.check_targets(y if loss.output == "softmax" else y.reshape(6, 1), 2 if loss.output == "softmax" else 1)


@pytest.mark.parametrize("loss", [MeanSquaredError(), SoftmaxCrossEntropy()])
def test_ragged_targets_are_refused(loss):
    with pytest.raises(ts.InputError, match="y must be an array of numbers"):
        loss.check_targets([[1], [1, 2]], 2)


@pytest.mark.parametrize("value", [1e39, -1e300, np.inf, np.nan])
def test_targets_beyond_the_range_of_the_network_are_refused(value):
    y = np.ones((40, 2))
    y[7, 1] = value
    net = ts.SparseMLP((5, 8, 2), output="identity")
    for use in (lambda: ts.Trainer(net).fit(X, y, epochs=1), lambda: ts.evaluate(net, X, y)):
        with pytest.raises(ts.InputError, match=r"y\[7, 1\] is .*; targets must be finite numbers within .* float32"):
            use()
    if np.isfinite(value):
        MeanSquaredError().check_targets(y, 2, np.float64)


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy, BinaryCrossEntropy, MeanSquaredError])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_gradient_match_the_formula_and_central_differences(rng, loss, weighted):
    n, n_outputs, stride = 5, 3, 8
    z = np.zeros((n_outputs, stride))
    z[:, :n] = 2 * rng.normal(size=(n_outputs, n))
    share = np.zeros(stride)
    share[:n] = rng.random(n) if weighted else 1.0
    share /= share.sum()
    y = rng.integers(0, n_outputs, n).astype(np.int32) if loss is SoftmaxCrossEntropy else rng.random((n, n_outputs))

    def formula(z):
        per_sample = {
            SoftmaxCrossEntropy: lambda: -log_softmax(z[:, :n], axis=0)[y, np.arange(n)],
            BinaryCrossEntropy: lambda: -(y.T * log_expit(z[:, :n]) + (1 - y.T) * log_expit(-z[:, :n])).mean(axis=0),
            MeanSquaredError: lambda: ((z[:, :n] - y.T) ** 2).mean(axis=0),
        }[loss]()
        return per_sample @ share[:n]

    gradient = z.copy()
    assert loss().gradient(gradient, y, share, 2) == pytest.approx(formula(z), rel=1e-12)
    for i in range(n_outputs):
        for j in range(n):
            step = np.zeros_like(z)
            step[i, j] = 1e-5
            assert gradient[i, j] == pytest.approx((formula(z + step) - formula(z - step)) / 2e-5, rel=1e-6, abs=1e-9)
    assert not gradient[:, n:].any()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[0], [1]], "one label per sample"),
        ([0.5, 1], "integer class labels"),
        (["a", "b"], "integer class labels"),
        ([0, 3], r"y\[1\] is 3; labels must lie between 0 and 2"),
        ([-1, 0], r"y\[0\] is -1"),
    ],
)
def test_labels_that_name_no_class_are_refused(y, message):
    with pytest.raises(ts.InputError, match=message):
        SoftmaxCrossEntropy().check_targets(y, 3)


def test_make_loss_takes_names_objects_and_none():
    assert isinstance(make_loss(None, "sigmoid"), BinaryCrossEntropy)
    assert isinstance(make_loss("mean_squared_error", "identity"), MeanSquaredError)
    loss = SoftmaxCrossEntropy()
    assert make_loss(loss, "softmax") is loss
    with pytest.raises(ts.InputError, match="loss must be one of"):
        make_loss("hinge", "softmax")
    with pytest.raises(ts.InputError, match="belongs to output='identity'"):
        make_loss("mean_squared_error", "softmax")
