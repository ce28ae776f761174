"""Losses of users' own, in both forms: they train as built-in ones do, and what they return is checked."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.special import softmax

import trulysparse as ts
from trulysparse.data import check_labels
from trulysparse.nn.losses import CustomLoss


class Squared:
    """The built-in mean squared error as a formula."""

    outputs = ("identity",)

    def value_and_gradient(self, z, targets, weight):
        error, share = z - targets, (weight * z.dtype.type(1 / len(z))).astype(z.dtype)
        value = (share.astype(np.float64) * error.astype(np.float64) ** 2).sum()
        return value, 2 * error * share


class SquaredInPlace:
    outputs = "identity"
    name = "squared"

    def gradient(self, z, targets, weight, threads):
        assert threads >= 1
        value, z[:] = Squared().value_and_gradient(z, targets, weight)
        return value


class CrossEntropy:
    """The built-in softmax cross-entropy as a formula."""

    def check_targets(self, y, n_outputs, dtype):
        return check_labels(y, n_outputs)

    def value_and_gradient(self, z, targets, weight):
        at = targets, np.arange(len(targets))
        p = softmax(z, axis=0)
        value = -(weight * np.log(p[at])).sum()
        p[at] -= 1
        return value, weight * p


class CrossEntropyInPlace(CrossEntropy):
    value_and_gradient = None

    def gradient(self, z, targets, weight, threads):
        n = len(targets)
        value, z[:, :n] = CrossEntropy().value_and_gradient(z[:, :n], targets, weight[:n])
        z[:, n:] = 0
        return value


class LogCosh:
    """Of any output, with a value for padding that must not matter."""

    def value_and_gradient(self, z, targets, weight):
        assert (weight != 0).any()
        error = z - targets
        with np.errstate(divide="ignore"):
            unused = 0 * np.log(np.abs(targets)) if self.singular else 0  # NaN where a target is 0, as in the padding
        return (weight * (np.log(np.cosh(error)) + unused)).sum(), weight * (np.tanh(error) + unused)

    singular = False


def problem(rng, loss, n=83):
    X = rng.normal(size=(n, 6))
    output = "softmax" if isinstance(loss, CrossEntropy) else "identity"
    return X, (rng.integers(0, 3, n) if output == "softmax" else rng.normal(size=(n, 3))), output


def network(output, **options):
    return ts.SparseMLP((6, 12, 3), epsilon=3, output=output, seed=0, threads=2, **options)


def trained(loss, X, y, output, weight, **options):
    net = network(output, dtype="float64")
    trainer = ts.Trainer(net, loss=loss, optimizer=ts.SGD(0.05), batch_size=16, **options)
    history = trainer.fit(X, y, epochs=3, sample_weight=weight, validation_data=(X[:30], y[:30]))
    return history, net


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("micro_batch_size", [None, 5])
@pytest.mark.parametrize(
    ("own", "built_in"),
    [
        (Squared(), ts.MeanSquaredError()),
        (SquaredInPlace(), ts.MeanSquaredError()),
        (CrossEntropy(), ts.SoftmaxCrossEntropy()),
        (CrossEntropyInPlace(), ts.SoftmaxCrossEntropy()),
    ],
    ids=["squared", "squared-in-place", "cross-entropy", "cross-entropy-in-place"],
)
def test_formulas_of_built_in_losses_train_as_they_do(rng, own, built_in, weighted, micro_batch_size):
    X, y, output = problem(rng, own)
    weight = rng.random(83) * (rng.random(83) < 0.7) if weighted else None
    runs = [trained(loss, X, y, output, weight, micro_batch_size=micro_batch_size) for loss in (own, built_in)]
    for key in runs[0][0].records[0].keys() - {"seconds"}:
        np.testing.assert_allclose(runs[0][0][key], runs[1][0][key], rtol=1e-9, err_msg=key)
    for a, b in zip(runs[0][1].layers, runs[1][1].layers, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("own", [Squared(), SquaredInPlace()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_has_the_bits_of_the_kernel(rng, own, dtype):
    z, targets, weight = rng.normal(size=(4, 16)).astype(dtype), np.zeros((4, 16), dtype), np.zeros(16, dtype)
    targets[:, :13] = rng.normal(size=(4, 13))
    weight[:13] = 1 / 13
    found, wanted = z.copy(), z.copy()
    value = CustomLoss(own).gradient(found, targets, weight, 2)
    assert value == pytest.approx(ts.MeanSquaredError().gradient(wanted, targets, weight, 2), rel=1e-6)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("singular", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_agree_with_central_differences(rng, singular, weighted):
    """Of every weight and bias; 11 samples, so that there is padding."""
    net = network("identity", dtype="float64")
    loss = LogCosh()
    loss.singular = singular
    X, y, _ = problem(rng, loss, 11)
    weight = rng.random(11) if weighted else None
    trainer = ts.Trainer(net, loss=loss)
    for layer, (gradient, bias) in zip(net.layers, trainer.gradients(X, y, weight)[1], strict=True):
        along_values = np.empty(layer.n_connections)
        along_values[layer.connectivity.position] = gradient.data
        for array, found in ((layer.values, along_values), (layer.bias, bias)):
            expected = np.empty_like(array)
            for i, kept in enumerate(array.copy()):
                sides = []
                for step in (1e-6, -1e-6):
                    array[i] = kept + step
                    sides.append(trainer.gradients(X, y, weight)[0])
                array[i] = kept
                expected[i] = (sides[0] - sides[1]) / 2e-6
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)


def test_samples_of_no_weight_at_the_end_are_left_out():
    class Watch:
        def value_and_gradient(self, z, targets, weight):
            seen.append((z.shape, targets.shape, weight.tolist()))
            return 1.0, np.ones_like(z)

    seen, loss = [], CustomLoss(Watch())
    for targets in (np.zeros((2, 4)), np.zeros(3, np.int32)):
        z = np.full((2, 4), 7.0)
        assert loss.gradient(z, targets, np.array([0.0, 0.5, 0.0, 0.0]), 1) == 1.0
        assert z.tolist() == [[1, 1, 0, 0]] * 2
    assert seen == [((2, 2), (2, 2), [0.0, 0.5]), ((2, 2), (2,), [0.0, 0.5])]
    z = np.full((2, 4), 7.0)
    assert loss.gradient(z, np.zeros((2, 4)), np.zeros(4), 1) == 0.0
    assert not z.any()
    assert len(seen) == 2


class Returns:
    def __init__(self, value, name="value_and_gradient"):
        self.value = value
        setattr(self, name, lambda *arguments: self.value)


GOOD = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, r"value_and_gradient must return a pair \(value, gradient\), not None"),
        (GOOD, "must return a pair"),
        ((1.0, GOOD, 3), "must return a pair"),
        (("a", GOOD), "its value must be a number, not 'a'"),
        ((GOOD, GOOD), "its value must be a number, not "),
        ((None, GOOD), "its value must be a number, not None"),
        ((1j, GOOD), "its value must be a number"),
        ((1.0, GOOD.T), r"the gradient must be an array of numbers of shape \(2, 3\), as z, not float64 \(3, 2\)"),
        ((1.0, GOOD[:1]), r"of shape \(2, 3\), as z, not float64 \(1, 3\)"),
        ((1.0, GOOD.astype(complex)), "the gradient must be an array of numbers .* not complex128"),
        ((1.0, GOOD.tolist()), "the gradient must be an array of numbers"),
        ((1.0, None), "the gradient must be an array of numbers .* not None"),
        (
            (1.0, np.array([[0, 0, 0], [0, np.nan, 0]])),
            "its value is 1, but its gradient at output 1 of sample 1 .* nan",
        ),
        ((1.0, np.full((2, 3), 1e300)), "its gradient at output 0 of sample 0 of the batch is inf"),
    ],
)
def test_what_is_no_loss_and_gradient_is_refused_by_name(returned, message):
    loss = CustomLoss(Returns(returned))
    with pytest.raises(ts.InputError, match=f"^loss Returns: .*{message}"):
        loss.gradient(np.zeros((2, 4), np.float32), np.zeros((2, 4), np.float32), np.array([1, 1, 1, 0], "f4") / 3, 1)


@pytest.mark.parametrize("value", [None, "a", GOOD, True, 1j])
def test_value_in_place_that_is_no_number_is_refused_by_name(value):
    with pytest.raises(ts.InputError, match=r"^loss Returns: its value must be a number, not "):
        CustomLoss(Returns(value, "gradient")).gradient(np.zeros((2, 4)), np.zeros((2, 4)), np.ones(4), 1)


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.array(2.0), np.int64(2)])
def test_every_kind_of_number_is_a_value(value):
    for returned, name in (((value, GOOD), "value_and_gradient"), (value, "gradient")):
        found = CustomLoss(Returns(returned, name)).gradient(np.zeros((2, 3)), GOOD, np.ones(3), 1)
        assert found == 2.0
        assert type(found) is float


def test_training_that_a_loss_refuses_changes_nothing(rng):
    X, y, output = problem(rng, None)
    net = network(output)
    kept = [layer.values.copy() for layer in net.layers]
    trainer = ts.Trainer(net, loss=Returns((1.0, GOOD)))
    with pytest.raises(ts.InputError, match="loss Returns: the gradient"):
        trainer.step(X, y)
    assert trainer.step_count == 0
    for layer, values in zip(net.layers, kept, strict=True):
        np.testing.assert_array_equal(layer.values, values)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_loss_that_is_not_finite_is_a_divergence(rng, value):
    class Diverged:
        def value_and_gradient(self, z, targets, weight):
            return value, np.full_like(z, np.nan)

    X, y, output = problem(rng, None)
    with pytest.raises(ts.DivergenceError, match=f"the loss is {value} at step 0"):
        ts.Trainer(network(output), loss=Diverged()).step(X, y)


def _with(**attributes):
    return type("Own", (), {"value_and_gradient": lambda self, z, t, w: (0.0, z), **attributes})()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (_with(value_and_gradient=None), "loss Own must have one of the methods .* not neither"),
        (_with(gradient=lambda *_: 0.0), "loss Own must have one of the methods .* not both"),
        (_with(outputs=("linear",)), "loss Own: outputs must be one of softmax, sigmoid, identity, not 'linear'"),
        (_with(outputs=3), "outputs must be a sequence of names, not 3"),
        (_with(check_targets=3, name="mine"), "loss mine: check_targets must be a method, not 3"),
    ],
)
def test_object_that_is_half_a_loss_is_refused(loss, message):
    with pytest.raises(ts.InputError, match=message):
        CustomLoss(loss)


def test_what_is_left_out_has_a_default():
    loss = CustomLoss(LogCosh())
    assert (loss.name, loss.outputs) == ("LogCosh", ("softmax", "sigmoid", "identity"))
    with pytest.raises(ts.InputError, match=r"y must have shape \(n_samples, 3\)"):
        loss.check_targets(np.zeros((4, 2)), 3)
    with pytest.raises(ts.InputError, match=r"y\[1, 0\] is nan; targets must be finite"):
        loss.check_targets(np.array([[0.0], [np.nan]]), 1)
    assert (CustomLoss(SquaredInPlace()).name, CustomLoss(SquaredInPlace()).outputs) == ("squared", ("identity",))


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_loss_without_outputs_goes_with_every_output(rng, output):
    X, _, _ = problem(rng, None)
    y = X[:, :3] - X[:, 3:]
    net = network(output)
    trainer = ts.Trainer(net, loss=LogCosh(), optimizer=ts.SGD(0.02), batch_size=16)
    history = trainer.fit(X, y, epochs=5, validation_data=(X, y))
    assert history["loss"][-1] < history["loss"][0]
    assert f"val_{'r2' if output == 'identity' else 'accuracy'}" in history.records[0]
    assert ts.evaluate(net, X, y, loss=LogCosh())["loss"] == history["val_loss"][-1]


def test_checked_targets_of_a_loss_may_be_its_own(rng):
    """Names of classes as labels; values made of what was given."""

    class ByName(CrossEntropy):
        def check_targets(self, y, n_outputs, dtype):
            return check_labels([{"a": 0, "b": 1, "c": 2}.get(each, each) for each in y], n_outputs)

    class OneColumn(Squared):
        def check_targets(self, y, n_outputs, dtype):
            return np.repeat(np.asarray(y).reshape(len(y), -1)[:, :1], n_outputs, axis=1)

    X, labels, _ = problem(rng, CrossEntropy())
    named = np.array(["a", "b", "c"])[labels]
    found, wanted = (trained(ByName(), X, y, "softmax", None)[0]["val_loss"] for y in (named, labels))
    assert found == wanted
    y = rng.normal(size=83)
    found, wanted = (
        trained(loss, X, targets, "identity", None)[0]["val_loss"]
        for loss, targets in ((OneColumn(), y), (Squared(), np.repeat(y[:, None], 3, axis=1)))
    )
    assert found == wanted


@pytest.mark.parametrize("plan", [ts.WASSP(2, phase2_epochs=1), ts.WASAP(2, phase2_epochs=1)])
def test_workers_train_with_it(rng, plan):
    X, y, output = problem(rng, None, 200)
    y = X[:, :3] - X[:, 3:]
    net = network(output)
    history = ts.Trainer(net, loss=Squared(), batch_size=16, parallel=plan).fit(X, y, epochs=3)
    assert history["loss"][-1] < history["loss"][0]


def test_it_travels():
    loss = pickle.loads(pickle.dumps(CustomLoss(Squared())))
    z = np.array([[3.0]])
    assert loss.gradient(z, np.array([[1.0]]), np.ones(1), 1) == 4.0
    assert repr(loss).startswith("CustomLoss(<")
