"""Weighted losses and r2 against scikit-learn and against each other."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import mean_absolute_error, r2_score

import trulysparse as ts
from sample_files import Counted
from trulysparse.data import check_labels, fit_target_scaling
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.target_scaling import standardised
from trulysparse.nn.losses import make_loss
from trulysparse.training.fit_data import FitData
from trulysparse.training.metrics import score_name, scores


class _Fixed(ts.Callback):
    """Takes every update back: the recorded loss is then that of fixed parameters."""

    def on_fit_start(self, trainer, epochs, steps):
        self.kept = [(layer.values.copy(), layer.bias.copy()) for layer in trainer.net.layers]

    def on_step_end(self, trainer, loss):
        for layer, (values, bias) in zip(trainer.net.layers, self.kept, strict=True):
            layer.values[:], layer.bias[:] = values, bias


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("micro_batch_size", [None, 5])
def test_recorded_loss_is_the_weighted_mean_of_evaluate(rng, output, micro_batch_size):
    X = rng.normal(size=(90, 6))
    y = rng.integers(0, 2, 90) if output == "softmax" else rng.integers(0, 2, (90, 2))
    weight = rng.random(90) * (rng.random(90) < 0.7)
    weight[:16] = 0  # a batch may weigh nothing
    net = ts.SparseMLP((6, 20, 2), output=output, dtype="float64", seed=0)
    trainer = ts.Trainer(net, batch_size=16, micro_batch_size=micro_batch_size)
    history = trainer.fit(X, y, epochs=2, sample_weight=weight, callbacks=[_Fixed()], shuffle=False)
    wanted = ts.evaluate(net, X, y, sample_weight=weight)["loss"]
    np.testing.assert_allclose(history["loss"], wanted, rtol=1e-10)
    assert abs(wanted / ts.evaluate(net, X, y)["loss"] - 1) > 1e-3


@pytest.mark.parametrize("plan", [ts.WASSP(3, phase2_epochs=0), ts.WASSP(3, phase1_epochs=0)], ids=["phase1", "phase2"])
def test_recorded_loss_of_workers_is_a_weighted_mean(rng, plan):
    X, y = rng.normal(size=(100, 6)), rng.integers(0, 2, 100)
    weight = rng.random(100) * 10 ** rng.integers(0, 3, 100)
    net = ts.SparseMLP((6, 20, 2), dtype="float64", seed=0)
    wanted = ts.evaluate(net, X, y, sample_weight=weight)["loss"]
    trainer = ts.Trainer(net, optimizer=ts.SGD(1e-9), batch_size=16, parallel=plan)
    history = trainer.fit(X, y, epochs=1, sample_weight=weight)
    np.testing.assert_allclose(history["loss"], wanted, rtol=1e-5)


def predicting(values) -> ts.SparseMLP:
    """A network that always predicts these values."""
    net = ts.SparseMLP((2, 3, len(values)), output="identity", dtype="float64", seed=0)
    net.layers[-1].values[:] = 0
    net.layers[-1].bias[:] = values
    return net


@pytest.mark.parametrize("constant", [0.0, 0.1, 7.25, 1e6 + 0.1, 1e-200, 1e100])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("met", [False, True])
def test_r2_of_a_constant_target_is_one_if_met_and_zero_if_not(rng, constant, weighted, met):
    net = predicting([constant if met else constant + max(1.0, constant)])
    y, X = np.full(700, constant), np.zeros((700, 2))
    weight = rng.random(700) if weighted else None
    if weight is not None:
        y[weight < 0.2], weight[weight < 0.2] = 3.0, 0.0  # they do not count
    assert ts.evaluate(net, X, y, sample_weight=weight)["r2"] == (1.0 if met else 0.0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("constant", [[], [1], [0, 1, 2]])
def test_r2_of_several_targets_is_that_of_scikit_learn(rng, weighted, constant):
    X, y = rng.normal(size=(500, 2)), rng.normal(size=(500, 3)) * [1, 10, 0.1] + [0, 5, 1e6]
    y[:, constant] = [0.5, 4.0, 1e6][: len(constant)] if len(constant) == 3 else 0.5
    net = predicting([0.5, 4.0, 1e6 + 0.01])
    weight = rng.random(500) if weighted else None
    found = ts.evaluate(net, X, y, sample_weight=weight)["r2"]
    if len(constant) == 3:  # scikit-learn's weighted mean of a constant is off by rounding; weights change nothing
        weight = None
    wanted = r2_score(y, net.predict(X), sample_weight=weight, multioutput="variance_weighted")
    assert found == pytest.approx(wanted, rel=1e-7)


FORMS = {
    "csr": sp.csr_array,
    "stream": lambda y: StreamMatrix(Counted(y, 60)),
    "frame": lambda y: pytest.importorskip("pandas").DataFrame(y),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("output", ["identity", "sigmoid"])
@pytest.mark.parametrize("weighted", [False, True])
def test_values_in_every_form_score_as_dense_ones(rng, form, output, weighted):
    """Batch by batch, with the precision of the targets and not of the network."""
    X = rng.normal(size=(500, 4))
    y = np.where(rng.random((500, 3)) < 0.4, rng.random((500, 3)), 0)
    if output == "identity":
        y[:, 2] += 1e6
    weight = rng.random(500) if weighted else None
    net = ts.SparseMLP((4, 9, 3), epsilon=3, output=output, seed=0)
    wanted = ts.evaluate(net, X, y, sample_weight=weight)
    assert ts.evaluate(net, X, FORMS[form](y), sample_weight=weight) == wanted
    if output == "identity":
        exact = r2_score(y, net.predict(X), sample_weight=weight, multioutput="variance_weighted")
        assert wanted["r2"] == pytest.approx(exact, rel=1e-7)


def test_values_of_a_file_that_cannot_be_used_are_refused(rng):
    X, y = rng.normal(size=(500, 4)), rng.random((500, 3))
    y[411, 1] = 1e39
    net = ts.SparseMLP((4, 9, 3), output="identity")
    with pytest.raises(ts.InputError, match=r"y\[411, 1\] is 1e\+39; targets must be finite .* range of float32"):
        ts.evaluate(net, X, StreamMatrix(Counted(y, 60)))


class Ranking:
    """Of the label's output before all others, by the margin; for any output activation."""

    def check_targets(self, y, n_outputs, dtype):
        return check_labels(y, n_outputs)

    def value_and_gradient(self, z, targets, weight):
        at = targets, np.arange(len(targets))
        behind = np.maximum(0, 1 + z - z[at])
        behind[at] = 0
        slope = (behind > 0).astype(z.dtype)
        slope[at] = -slope.sum(axis=0)
        return (weight * behind).sum(), weight * slope


class Soft:
    """Cross-entropy with shares of classes as targets."""

    outputs = ("softmax",)

    def value_and_gradient(self, z, targets, weight):
        p = np.exp(z - z.max(axis=0))
        p /= p.sum(axis=0)
        return -(weight * targets * np.log(p)).sum(), weight * (p * targets.sum(axis=0) - targets)


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_labels_are_scored_by_accuracy_whatever_the_output(rng, output):
    X = rng.normal(size=(300, 4))
    y = X[:, :3].argmax(axis=1)
    net = ts.SparseMLP((4, 20, 3), epsilon=5, output=output, seed=0)
    stopping = ts.EarlyStopping("val_accuracy", patience=100)
    trainer = ts.Trainer(net, loss=Ranking(), optimizer=ts.Adam(0.01), batch_size=20, callbacks=[stopping])
    history = trainer.fit(X, y, epochs=20, validation_data=(X, y))
    found = ts.evaluate(net, X, y, loss=Ranking())
    assert found["accuracy"] == (net.decision_function(X).argmax(axis=1) == y).mean() == max(history["val_accuracy"])
    assert found["accuracy"] > 0.8
    with pytest.raises(ts.InputError, match="the score is 'val_accuracy'"):
        trainer.fit(X, y, epochs=1, validation_data=(X, y), callbacks=[ts.EarlyStopping("val_r2")])


def test_shares_of_classes_are_scored_by_the_largest(rng):
    X = rng.normal(size=(300, 4))
    y = rng.dirichlet(np.ones(3), 300)
    net = ts.SparseMLP((4, 20, 3), epsilon=5, seed=0)
    accuracy = ts.evaluate(net, X, y, loss=Soft())["accuracy"]
    assert accuracy == pytest.approx((net.predict(X) == y.argmax(axis=1)).mean(), rel=1e-12)
    labels = rng.integers(0, 3, 300)
    hard = ts.evaluate(net, X, np.eye(3)[labels], loss=Soft())
    assert hard == pytest.approx(ts.evaluate(net, X, labels), rel=1e-5)


def test_scores_of_checked_samples_are_those_of_evaluate(rng):
    X, y = rng.normal(size=(30, 4)), rng.random((30, 3))
    net = ts.SparseMLP((4, 9, 3), output="identity", seed=0)
    loss = make_loss("huber", "identity")
    data = FitData.checked(net, loss, X, y)
    assert scores(net, loss, data) == ts.evaluate(net, X, y, loss="huber")
    assert score_name(net.output, data) == "r2"


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("batch_size", [7, 256])
def test_errors_are_in_the_unit_of_the_targets(rng, weighted, scaled, batch_size):
    X, y = rng.standard_normal((50, 4)), rng.standard_normal((50, 3)) * [1e6, 1.0, 1e-6] + [0, 1e3, 0]
    weight = rng.random(50) * (rng.random(50) < 0.7) if weighted else None
    net = ts.SparseMLP((4, 10, 3), epsilon=4, output="identity", dtype="float64")
    net.target_scaling = fit_target_scaling(y) if scaled else None
    found = ts.evaluate(net, X, y, sample_weight=weight, batch_size=batch_size)
    values = net.predict(X)
    assert found["mae"] == pytest.approx(mean_absolute_error(y, values, sample_weight=weight), rel=1e-9)
    wanted = r2_score(y, values, sample_weight=weight, multioutput="variance_weighted")
    assert found["r2"] == pytest.approx(wanted, rel=1e-9)
    assert set(found) == {"loss", "r2", "mae"}


def test_loss_is_that_of_standardised_targets(rng):
    X, y = rng.standard_normal((50, 4)), rng.standard_normal((50, 1)) * 1e6
    net = ts.SparseMLP((4, 10, 1), epsilon=4, output="identity", dtype="float64")
    plain = net.copy()
    net.target_scaling = fit_target_scaling(y)
    wanted = ts.evaluate(plain, X, standardised(y, net.target_scaling))
    assert ts.evaluate(net, X, y)["loss"] == pytest.approx(wanted["loss"], rel=1e-12)


@pytest.mark.parametrize("unit", [1e-150, 1e150, 1e290])
def test_errors_of_targets_of_any_unit(rng, unit):
    X, y = rng.standard_normal((50, 4)), rng.standard_normal((50, 2))
    nets = [ts.SparseMLP((4, 10, 2), epsilon=4, output="identity", dtype="float64") for _ in range(2)]
    nets[0].target_scaling, nets[1].target_scaling = fit_target_scaling(y * unit), fit_target_scaling(y)
    found, wanted = ts.evaluate(nets[0], X, y * unit), ts.evaluate(nets[1], X, y)
    assert found["r2"] == pytest.approx(wanted["r2"], rel=1e-9)
    assert found["mae"] / unit == pytest.approx(wanted["mae"], rel=1e-9)


def test_samples_without_weight_have_no_error(rng):
    net = predicting([1.0])
    assert ts.evaluate(net, np.ones((3, 2)), [1.0, 2, 3], sample_weight=[0, 0, 0]) == {"loss": 0, "r2": 0, "mae": 0}


def test_validation_records_have_the_error(rng):
    X, y = rng.standard_normal((50, 4)), rng.standard_normal((50, 1))
    net = ts.SparseMLP((4, 10, 1), epsilon=4, output="identity")
    history = ts.Trainer(net).fit(X, y, epochs=2, validation_data=(X, y))
    assert history["val_mae"][-1] == pytest.approx(mean_absolute_error(y, net.predict(X)), rel=1e-5)


def test_values_of_many_outputs_are_scored_in_smaller_parts(rng, monkeypatch):
    X, y = rng.standard_normal((30, 5)), rng.standard_normal((30, 4))
    net = ts.SparseMLP((5, 8, 4), epsilon=3, output="identity", dtype="float64", seed=0)
    sizes, whole = [], ts.evaluate(net, X, y)
    batches = type(net).output_batches

    def noted(self, X, batch_size, **settings):
        sizes.append(batch_size)
        return batches(self, X, batch_size, **settings)

    monkeypatch.setattr(type(net), "output_batches", noted)
    monkeypatch.setattr("trulysparse.training.metrics._VALUE_BYTES", 7 * 4 * 8)
    assert ts.evaluate(net, X, y) == pytest.approx(whole, rel=1e-12)
    assert sizes == [7]
