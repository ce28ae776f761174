"""Activations that users write: through whole networks, and what is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import trulysparse as ts
from own_activations import Leaky, OwnAllReLU, OwnGELU, OwnSiLU, Softsign
from trulysparse.nn.activation_function import evaluate, function_of
from trulysparse.nn.activations import NAMES, make_activation
from trulysparse.training.passes import BatchPasses, checked_batch

SIZES = (12, 40, 30, 20, 3)
FORMS = {
    "float32": {},
    "float64": {"dtype": "float64"},
    "compact": {"storage": "compact"},
    "bfloat16": {"storage": "compact", "weights": "bfloat16", "signals": "bfloat16"},
}
PAIRS = [(OwnGELU(), ts.GELU()), (OwnSiLU(), ts.SiLU()), (OwnAllReLU(), ts.AllReLU(0.5))]


def network(activation, form="float32", **settings):
    return ts.SparseMLP(SIZES, epsilon=5, activation=activation, seed=3, **{**FORMS[form], **settings})


def samples(n=50):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 12)), rng.integers(0, 3, n)


def close(a, b, form):
    tolerance = {"float64": 1e-10, "bfloat16": 3e-2}.get(form, 2e-4)
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("own", "built_in"), PAIRS)
def test_own_formula_of_a_built_in_activation_computes_the_same(own, built_in, form):
    """Predictions, and training with dropout and recomputation: the bits of dropout are the same."""
    X, y = samples()
    predictions, losses = [], []
    for activation in (own, built_in):
        net = network(activation, form)
        predictions.append(net.decision_function(X))
        trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), dropout=0.3, recompute=2, batch_size=20, seed=5)
        losses.append([trainer.step(X[:20], y[:20]) for _ in range(6)])
    close(*predictions, form)
    close(*losses, form)


KINKED = ("all_relu", "relu", "leaky_relu", OwnAllReLU())  # the steps that float32 needs would cross the kinks
SMOOTH = (*(name for name in NAMES if name not in KINKED), Softsign())


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize(
    ("activation", "form"),
    [*((each, "float64") for each in (*KINKED, *SMOOTH)), *((each, "compact") for each in SMOOTH)],
)
def test_training_gradients_agree_with_central_differences(activation, dropout, form):
    """Of the loss with the zeros of one dropout key, in both forms of storage."""
    net, rng = network(activation, form, fan="sparse"), np.random.default_rng(1)
    for layer in net.layers:
        layer.bias[:] = 0.3 * rng.standard_normal(layer.n_out)  # at zero, rectifiers have no derivative
    batch = checked_batch(net, ts.SoftmaxCrossEntropy(), *samples(13))
    passes = BatchPasses(net, dropout=dropout)
    gradients = [(weight.copy(), bias.copy()) for weight, bias in passes.gradients(batch, 7)[1]]
    step, tolerance = (1e-6, 1e-6) if form == "float64" else (1e-2, 3e-4)
    for layer, found in zip(net.layers, gradients, strict=True):
        for array, gradient in zip((layer.values, layer.bias), found, strict=True):
            for at in rng.integers(len(array), size=4):
                before, losses = array[at], []
                for sign in (1, -1):
                    array[at] = before + sign * step
                    losses.append(passes.gradients(batch, 7)[0])
                array[at] = before
                assert gradient[at] == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-4, abs=tolerance)


@pytest.mark.parametrize("form", FORMS)
def test_same_bits_for_any_number_of_threads_and_with_recomputation(form):
    X, y = samples()
    results = []
    for threads, recompute in ((1, 1), (2, 1), (2, 3)):
        net = network(Softsign(), form, threads=threads)
        ts.Trainer(net, dropout=0.2, recompute=recompute, batch_size=16, seed=1).fit(X, y, epochs=2)
        results.append(net.decision_function(X))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("activation", [Softsign(), "gelu", "silu"])
def test_prediction_is_the_forward_pass_of_training(activation, form):
    X, _ = samples()
    net = network(activation, form)
    np.testing.assert_array_equal(net.decision_function(X), net.forward(X, training=True).output)


def test_it_learns_as_part_of_an_estimator_and_in_parallel():
    X, _ = samples(300)
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    model = ts.SparseMLPClassifier((40, 40), activation=Softsign(), epochs=15, random_state=0, n_jobs=1).fit(X, y)
    assert model.score(X, y) > 0.9
    net = ts.SparseMLP((12, 40, 40, 2), activation=Softsign(), seed=0)
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), parallel=ts.WASAP(2, phase2_epochs=2), batch_size=16, seed=0)
    trainer.fit(X, y, epochs=10)
    assert ts.evaluate(trainer.net, X, y)["accuracy"] > 0.9


def test_copies_keep_it():
    X, _ = samples()
    net = network(OwnGELU(), "compact")
    wanted = net.decision_function(X)
    for twin in (net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(twin.decision_function(X), wanted)
    np.testing.assert_allclose(net.indexed().decision_function(X), wanted, rtol=1e-4, atol=1e-5)


def test_a_function_may_differ_from_layer_to_layer():
    net = network(OwnAllReLU())
    assert [layer.activation.slope for layer in net.layers[:-1]] == [-0.5, 0.5, -0.5]
    assert function_of(OwnAllReLU(), 2).slope == 0.5


def test_freezing_is_refused():
    with pytest.raises(ts.InputError, match="a frozen network has built-in activations only, not Softsign"):
        network(Softsign()).freeze()


def test_what_is_handed_over_cannot_be_written_to():
    class Greedy(Softsign):
        def forward(self, z):
            z[:] = 0
            return z

    with pytest.raises(ts.InputError, match=r"Greedy.forward failed on an array \(2, 8\): ValueError"):
        make_activation(Greedy())


def own(name="own", forward=None, derivative=None, **more):
    """An object with these attributes."""
    given = {"name": name, "forward": forward or np.tanh, "derivative": derivative or (lambda z: 1 - np.tanh(z) ** 2)}
    return type("Own", (), {key: staticmethod(value) if callable(value) else value for key, value in given.items()})()


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (Softsign, "activation must be one of .* or an activation object, not <class"),
        (object(), "or an activation object, not <object"),
        (own(name=""), "Own.name must be a text, not ''"),
        (own(name=3), "Own.name must be a text, not 3"),
        (own(name="gelu"), "Own.name must not be that of a built-in one"),
        (type("Half", (), {"name": "half", "forward": np.tanh})(), r"Half must have a method derivative\(z\)"),
        (type("Odd", (), {"name": "odd", "for_layer": 3})(), "Odd.for_layer must be a method"),
        (
            type("Odd", (), {"name": "odd", "for_layer": lambda self, number: number})(),
            r"int must have a method forward\(z\)",
        ),
        (own(forward=lambda z: z.sum()), r"Own.forward must return float64 \(2, 8\) for z, not float64"),
        (own(forward=lambda z: z[:, :4]), r"must return float64 \(2, 8\) for z, not float64 \(2, 4\)"),
        (own(derivative=lambda z: 1.0), r"Own.derivative must return float64 \(2, 8\) for z, not float"),
        (own(derivative=lambda z: z + 1j), r"Own.derivative must return float64 \(2, 8\) for z, not complex128"),
        (own(forward=lambda z: z / z.max(axis=1, keepdims=True)), "Own.forward must treat every value of z on its own"),
        (own(forward=lambda z: np.where(z < 3, z, np.inf)), "Own.forward must be finite where z is"),
        (own(forward=lambda z, slope: z), "Own.forward failed on an array"),
    ],
)
def test_objects_that_cannot_be_activations_are_refused(activation, message):
    for use in (make_activation, lambda each: ts.SparseMLP((4, 8, 2), activation=each)):
        with pytest.raises(ts.InputError, match=message):
            use(activation)


def test_a_function_that_overflows_at_the_start_is_refused():
    steep = own(forward=lambda z: np.exp(np.minimum(200 * np.abs(z), 709.9)))  # squared: infinite
    with pytest.raises(ts.InputError, match="activation must be finite between"), np.errstate(over="ignore"):
        ts.SparseMLP((4, 8, 2), activation=steep)


def test_results_are_checked_at_each_call():
    good = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(evaluate(Leaky(0.5), "forward", -good), -0.5 * good)
    with pytest.raises(ts.InputError, match=r"Own.forward must return float32 \(2, 3\) for z, not list"):
        evaluate(own(forward=list), "forward", good)
