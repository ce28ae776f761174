"""Ranges of activations against a dense network in float64 and an exhaustive search."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import erf

import trulysparse as ts
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.errors import InputError
from trulysparse.export.calibration import activate, calibrate, least_error_clip
from trulysparse.export.device_network import DeviceNetwork

FUNCTIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "all_relu": lambda z: np.where(z > 0, z, -0.6 * z),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "gelu": lambda z: z * 0.5 * (1 + erf(z / np.sqrt(2))),
    "silu": lambda z: z / (1 + np.exp(-z)),
}
ACTIVATIONS = {
    "relu": ts.ReLU(),
    "all_relu": ts.AllReLU(0.6),
    "tanh": ts.Tanh(),
    "sigmoid": ts.Sigmoid(),
    "gelu": ts.GELU(),
    "silu": ts.SiLU(),
}


def loss(values, clip, function=lambda z: z):
    """What eight bits lose of f(value), all told."""
    step = clip / 127
    return np.sum((function(np.clip(np.rint(values / step), -127, 127) * step) - function(values)) ** 2)


def near_the_best(values, clip, function=lambda z: z):
    """Whether no clip is noticeably better."""
    best = min(loss(values, each, function) for each in np.abs(values).max() * np.exp2(np.linspace(-8, 0, 400)))
    return loss(values, clip, function) <= 1.05 * best


@pytest.mark.parametrize("draw", ["standard_normal", "standard_cauchy", "random", "standard_exponential"])
def test_no_clip_loses_noticeably_less(rng, draw):
    values = getattr(rng, draw)(5000).astype(np.float32)
    values = values[np.abs(values) < 500]  # beyond 1 / 256 of the largest there is no candidate
    clip = least_error_clip(values.astype(float), np.ones(len(values), int))
    assert near_the_best(values.astype(float), clip)
    if draw == "random":  # all values count alike: none is clipped by more than a candidate's distance
        assert clip > 0.94 * values.max()
    if draw == "standard_exponential":
        assert clip < values.max()


def test_values_count_as_often_as_they_occur():
    values, counts = np.array([0.1, 5.0]), np.array([10**6, 1])
    assert least_error_clip(values, counts) < least_error_clip(values, counts[::-1])


def test_only_zeros():
    assert least_error_clip(np.empty(0), np.empty(0, int)) == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_ranges_of_a_network_against_dense_float64(rng, name):
    """All the way: scaling, sums, activations, several batches."""
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4, activation=ACTIVATIONS[name], seed=1, threads=1)
    for layer in net.layers:
        layer.bias[:] = rng.standard_normal(layer.bias.shape)
    X = rng.standard_normal((300, 20)) * 5 + 2
    net.scaling = fit_scaling("standard", as_matrix(X))
    ranges = calibrate(DeviceNetwork.of(net), X)
    assert ranges.n_samples == 300
    values = (X - net.scaling.offset) * net.scaling.factor
    assert near_the_best(values, ranges.inputs)
    for number, layer in enumerate(net.layers[:-1]):
        sums = values @ dense(layer) + layer.bias
        function = FUNCTIONS[name]
        if name == "all_relu" and number == 1:
            function = lambda z: np.where(z > 0, z, 0.6 * z)  # noqa: E731
        values = function(sums)
        assert near_the_best(values, ranges.outputs[number])
        if name in ("relu", "all_relu"):
            assert ranges.sums[number] is None
        else:
            assert near_the_best(sums, ranges.sums[number], function)


def dense(layer):
    """(n_in, n_out) weights of an indexed layer."""
    rows = layer.connectivity.by_output
    weight = np.asarray(layer.values, float)[layer.connectivity.position]
    return sp.csr_array((weight, rows.index, rows.ptr), shape=(layer.n_out, layer.n_in)).toarray().T


@pytest.mark.parametrize("name", FUNCTIONS)
def test_activations(name, rng):
    z = rng.standard_normal(1000) * 4
    expected = FUNCTIONS[name](z)
    np.testing.assert_allclose(activate(z, ACTIVATIONS[name].kernel(1)), expected, atol=1e-12)
    assert activate(z.astype(np.float32), ACTIVATIONS[name].kernel(1)).dtype == np.float32


def test_all_forms_of_samples_say_the_same(rng, tmp_path):
    network = DeviceNetwork.of(ts.SparseMLP((6, 8, 2), epsilon=2, seed=0, threads=1))
    X = (rng.random((40, 6)) * (rng.random((40, 6)) < 0.5)).astype(np.float32)
    expected = calibrate(network, X)
    np.save(tmp_path / "x.npy", X)
    forms = [X.astype(float), X.tolist(), sp.csr_array(X), sp.coo_array(X), pd.DataFrame(X), as_matrix(X)]
    for form in [*forms, np.load(tmp_path / "x.npy", mmap_mode="r")]:
        assert calibrate(network, form) == expected


def test_of_many_samples_some_at_equal_distances(rng):
    network = DeviceNetwork.of(ts.SparseMLP((6, 8, 2), epsilon=2, seed=0, threads=1))
    X = rng.random((1000, 6))
    assert calibrate(network, X, most_samples=10) == calibrate(network, X[::100])


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((3, 5)), "calibrate has 5 features, but the network has 6 inputs"),
        (np.array([[1, 2, 3, 4, np.nan, 6]]), r"calibrate\[0, 4\] is nan"),
        (np.array([[1, 2, 3, 4, 5, np.inf]]), r"calibrate\[0, 5\] is inf"),
        (np.empty((0, 6)), "calibrate"),
        (np.zeros(6), "calibrate"),
        (np.array([["a"] * 6]), "calibrate"),
        (None, "calibrate"),
    ],
)
def test_unusable_samples(samples, message):
    network = DeviceNetwork.of(ts.SparseMLP((6, 8, 2), epsilon=2, seed=0, threads=1))
    with pytest.raises(InputError, match=message):
        calibrate(network, samples)


def test_values_beyond_float32(rng):
    net = ts.SparseMLP((6, 8, 2), epsilon=2, activation=ts.Identity(), seed=0, threads=1)
    net.layers[0].values[:] = 1e38
    with pytest.raises(InputError, match=r"calibrate makes values of layers\[0\] that are not finite"):
        calibrate(DeviceNetwork.of(net), np.full((3, 6), 1e6))
