"""Activations against NumPy, and names that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf, expit

import trulysparse as ts
from own_activations import Softsign
from trulysparse._kernels import Activation
from trulysparse.nn.activations import (
    IDENTITY,
    NAMES,
    apply,
    make_activation,
    needs_pre_activation,
    needs_sign,
    on_layer,
    restored_activation,
    settings,
)


def test_all_relu_alternates():
    net = ts.SparseMLP((4, 5, 6, 7, 2), activation=ts.AllReLU(0.6))
    assert [layer.activation for layer in net.layers] == [
        (Activation.LEAKY, -0.6),
        (Activation.LEAKY, 0.6),
        (Activation.LEAKY, -0.6),
        IDENTITY,
    ]


FORMULAS = {
    "all_relu": lambda z: np.where(z > 0, z, -0.6 * z),  # on the first hidden layer
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "tanh": np.tanh,
    "sigmoid": expit,
    "identity": lambda z: z,
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
    "silu": lambda z: z * expit(z),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_layer_and_apply_follow_the_formula(rng, name):
    weight = rng.normal(size=(6, 4))
    net = ts.SparseMLP.from_matrices([weight, np.eye(6)], activation=name, output="identity", dtype="float64")
    X = 3 * rng.normal(size=(9, 4))
    wanted = FORMULAS[name](X @ weight.T)
    np.testing.assert_allclose(net.predict(X), wanted, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(apply(make_activation(name).kernel(1), X @ weight.T), wanted, rtol=1e-12, atol=1e-14)


def test_all_relu_slope_is_that_of_the_paper():
    for alpha in (0.0, 0.25, 1.0):
        for layer in (1, 2, 3, 4):
            kind, slope = ts.AllReLU(alpha).kernel(layer)
            assert kind == Activation.LEAKY
            assert slope == (-1) ** layer * alpha


@pytest.mark.parametrize("name", FORMULAS)
def test_settings_make_the_same_activation(name):
    activation = make_activation(name)
    assert make_activation(**settings(activation)) == activation


def test_every_name_is_tested():
    assert tuple(FORMULAS) == NAMES


def test_settings_of_an_activation_of_the_users_are_its_name():
    own = Softsign()
    assert settings(own) == {"activation": "softsign", "alpha": None}
    assert restored_activation("softsign", None, own) is own
    assert restored_activation("relu", None, own) == ts.ReLU()


@pytest.mark.parametrize("hidden_layer", [1, 2])
def test_on_layer_gives_what_a_layer_applies(hidden_layer):
    assert on_layer(ts.AllReLU(0.3), hidden_layer) == (Activation.LEAKY, (-1) ** hidden_layer * 0.3)
    own = Softsign()
    assert on_layer(own, hidden_layer) is own
    np.testing.assert_allclose(apply(own, np.array([1.0, -3.0])), [0.5, -0.75])


def test_what_derivatives_need():
    kinds = {name: on_layer(make_activation(name), 1) for name in NAMES} | {"own": Softsign()}
    assert {name for name, kind in kinds.items() if needs_pre_activation(kind)} == {"gelu", "silu", "own"}
    assert {name for name, kind in kinds.items() if needs_sign(kind)} == {"all_relu", "relu", "leaky_relu"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ts.AllReLU(1.5), r"alpha must lie in \[0, 1\]"),
        (lambda: ts.LeakyReLU(-0.1), r"alpha must lie in \[0, 1\]"),
        (lambda: make_activation("swish"), "activation must be one of"),
        (lambda: make_activation(3), "or an activation object, not 3"),
        (
            lambda: restored_activation("softsign", None),
            "not 'softsign'; if it is an activation of your own, load with",
        ),
        (lambda: restored_activation("mish", None, Softsign()), "saved with, 'mish', not 'softsign'"),
        (lambda: restored_activation(["relu"], None), "activation must be one of"),
    ],
)
def test_unknown_activation_is_refused(make, message):
    with pytest.raises(ts.InputError, match=message):
        make()
