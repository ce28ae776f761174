"""The built-in losses: formulas, gradients, targets of every numeric type, and those that are refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.special import log_expit, log_softmax

import trulysparse as ts
from trulysparse.nn.losses import BinaryCrossEntropy, Huber, MeanSquaredError, SoftmaxCrossEntropy

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
    y, n_outputs = np.ones(6, int).astype(dtype), 2
    if loss.outputs != ("softmax",):
        y, n_outputs = y.reshape(6, 1), 1
    with pytest.raises(ts.InputError, match="y must hold"):
        loss.check_targets(y, n_outputs)


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


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy, BinaryCrossEntropy, MeanSquaredError, Huber])
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
            Huber: lambda: huber(z[:, :n] - y.T, 1.0).mean(axis=0),
        }[loss]()
        return per_sample @ share[:n]

    gradient = z.copy()
    if loss is SoftmaxCrossEntropy:
        targets = y
    else:
        targets = np.zeros_like(z)
        targets[:, :n] = y.T
    assert loss().gradient(gradient, targets, share, 2) == pytest.approx(formula(z), rel=1e-12)
    for i in range(n_outputs):
        for j in range(n):
            step = np.zeros_like(z)
            step[i, j] = 1e-5
            assert gradient[i, j] == pytest.approx((formula(z + step) - formula(z - step)) / 2e-5, rel=1e-6, abs=1e-9)
    assert not gradient[:, n:].any()


def huber(error, delta):
    """As it is written in the paper."""
    far = np.abs(error) > delta
    return np.where(far, delta * (np.abs(error) - delta / 2), 0.5 * error**2)


@pytest.mark.parametrize("delta", [0.01, 0.5, 1.0, 7.0, 1e39])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huber_is_a_square_near_the_target_and_linear_beyond(rng, delta, dtype):
    error = np.array([0.0, 0.1, -0.1, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 50.0, -50.0, 1e6], dtype)[:, None]
    targets = rng.integers(-3, 3, error.shape).astype(dtype)
    z, share = targets + error, np.ones(1, dtype)
    wide, size = z.astype(np.float64) - targets, len(error)
    found = Huber(delta).gradient(z, targets, share, 1)
    tolerance = 1e-6 if dtype is np.float32 else 1e-13
    assert found == pytest.approx(huber(wide, delta).sum() / size, rel=tolerance)
    np.testing.assert_allclose(z * size, np.clip(wide, -delta, delta), rtol=tolerance)


def test_huber_far_and_near_are_absolute_and_squared_errors(rng):
    z, targets, share = rng.normal(size=(3, 8)), rng.normal(size=(3, 8)), np.full(8, 1 / 8)
    far, near, squared = z.copy(), z.copy(), z.copy()
    assert Huber(1e-9).gradient(far, targets, share, 1) == pytest.approx(1e-9 * np.abs(z - targets).mean(), rel=1e-6)
    assert Huber(1e9).gradient(near, targets, share, 1) == pytest.approx(
        MeanSquaredError().gradient(squared, targets, share, 1) / 2, rel=1e-14
    )
    np.testing.assert_allclose(near, squared / 2, rtol=1e-14)


def test_huber_does_not_follow_an_outlier(rng):
    """Predictions of the other samples stay near their targets."""
    X = rng.normal(size=(200, 5))
    y = X[:, :1] - X[:, 1:2]
    spoiled = y.copy()
    spoiled[::10] += 100
    errors = []
    for loss in ("huber", ts.Huber(0.1), "mean_squared_error"):
        net = ts.SparseMLP((5, 20, 1), epsilon=5, output="identity", seed=0)
        ts.Trainer(net, loss=loss, optimizer=ts.Adam(0.01), batch_size=20).fit(X, spoiled, epochs=60)
        errors.append(np.median(np.abs(net.predict(X) - y)))
    assert max(errors[:2]) < 0.5
    assert errors[2] > 2


@pytest.mark.parametrize("delta", [0, -1.0, np.nan, np.inf, "1", None, True])
def test_huber_refuses_a_delta_that_is_no_length(delta):
    with pytest.raises(ts.InputError, match=r"^delta must "):
        Huber(delta)


def test_nan_reaches_the_loss(rng):
    """It must not be clipped away: training has diverged."""
    for loss in (Huber(), MeanSquaredError()):
        z = np.array([[np.nan, 0.0]])
        assert np.isnan(loss.gradient(z, np.zeros((1, 2)), np.ones(2) / 2, 1))
        assert np.isnan(z[0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", [MeanSquaredError, BinaryCrossEntropy])
def test_the_sum_is_over_outputs_and_the_mean_over_samples(rng, loss, dtype):
    n_outputs, n, stride = 7, 5, 8
    z, targets = (np.zeros((n_outputs, stride), dtype) for _ in range(2))
    share = np.zeros(stride, dtype)
    z[:, :n], targets[:, :n], share[:n] = rng.normal(size=(n_outputs, n)), rng.random((n_outputs, n)), 1 / n
    wide, t = z[:, :n].astype(np.float64), targets[:, :n].astype(np.float64)
    if loss is MeanSquaredError:
        value, gradient = ((wide - t) ** 2).sum(axis=0).mean(), 2 * (wide - t) / n
    else:
        value = -(t * log_expit(wide) + (1 - t) * log_expit(-wide)).sum(axis=0).mean()
        gradient = (1 / (1 + np.exp(-wide)) - t) / n
    assert loss("sum").gradient(z, targets, share, 1) == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(z[:, :n], gradient, rtol=1e-5, atol=1e-7)
    assert not z[:, n:].any()


@pytest.mark.parametrize("kind", [MeanSquaredError, BinaryCrossEntropy])
def test_a_loss_is_its_reduction(kind):
    assert kind() == kind("mean") != kind("sum")
    assert kind().name != kind("sum").name
    assert pickle.loads(pickle.dumps(kind("sum"))) == kind(reduction="sum")
    with pytest.raises(ts.InputError, match="reduction must be one of mean, sum, not 'total'"):
        kind("total")


def test_a_network_trains_on_the_sum_as_on_the_mean_at_another_rate(rng):
    """Of SGD without momentum: the rate times the outputs."""
    y, found = rng.normal(size=(40, 4)), []
    for loss, rate in (("sum_squared_error", 0.01), (MeanSquaredError(), 0.04)):
        net = ts.SparseMLP((5, 12, 4), output="identity", dtype="float64", seed=0)
        ts.Trainer(net, optimizer=ts.SGD(rate, momentum=0), loss=loss, batch_size=16).fit(X, y, epochs=3)
        found.append(net.predict(X))
    np.testing.assert_allclose(*found, rtol=1e-12)
