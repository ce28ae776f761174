"""Encoder, decoder and errors against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.unsupervised._halves import decoder, encoder, errors, reconstructed

N, FEATURES = 300, 7  # more samples than a tile has


@pytest.fixture
def X(rng):
    X = 4 + 3 * rng.standard_normal((N, FEATURES)) * (rng.random((N, FEATURES)) < 0.5)
    X[:, 2] = 5  # constant
    return X


def network(X, *, output="identity", kind="standard", dtype="float64"):
    net = ts.SparseMLP(
        (FEATURES, 9, 4, 9, FEATURES), epsilon=3, activation="tanh", output=output, dtype=dtype, seed=0, threads=1
    )
    for layer in net.layers:
        layer.bias[:] = np.linspace(-0.5, 0.5, layer.n_out)
    net.scaling = net.target_scaling = fit_scaling(kind, as_matrix(X))
    return net


def naive(net, X):
    """(scaled samples, codes, outputs before their activation), layer by layer."""
    scaled = x = X if net.scaling is None else (X - net.scaling.offset) * net.scaling.factor
    for number, layer in enumerate(net.layers):
        x = x @ layer.weight.toarray().astype(np.float64).T + layer.bias
        if number < len(net.layers) - 1:
            x = np.tanh(x)
        if number == 1:
            codes = x
    return scaled, codes, x


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_halves_and_errors_of_squares(X, form):
    net, samples = network(X), as_matrix(form(X))
    scaled, codes, z = naive(net, X)
    np.testing.assert_allclose(encoder(net, 2).predict(samples), codes, rtol=1e-10, atol=1e-12)
    unit = np.divide(1, net.scaling.factor, where=net.scaling.factor > 0, out=np.zeros(FEATURES))
    wanted = z * unit + net.scaling.offset
    np.testing.assert_allclose(reconstructed(net, samples), wanted, rtol=1e-10)
    assert set(reconstructed(net, samples)[:, 2]) == {5}
    np.testing.assert_allclose(reconstructed(decoder(net, 2), as_matrix(form(codes))), wanted, rtol=1e-10)
    np.testing.assert_allclose(errors(net, samples), np.square(z - scaled).mean(axis=1), rtol=1e-10)


@pytest.mark.parametrize("kind", ["minmax", "none"])
def test_halves_and_errors_of_probabilities(X, kind):
    X = X if kind == "minmax" else (X > 4).astype(float)
    net = network(X, output="sigmoid", kind=kind)
    scaled, codes, z = naive(net, X)
    p = 1 / (1 + np.exp(-z))
    wanted = p
    if kind == "minmax":
        low, high = X.min(axis=0), X.max(axis=0)
        wanted = low + p * (high - low)
    np.testing.assert_allclose(reconstructed(net, as_matrix(X)), wanted, rtol=1e-10)
    np.testing.assert_allclose(reconstructed(decoder(net, 2), as_matrix(codes)), wanted, rtol=1e-10)
    entropy = -(scaled * np.log(p) + (1 - scaled) * np.log(1 - p)).mean(axis=1)
    np.testing.assert_allclose(errors(net, as_matrix(X)), entropy, rtol=1e-9)


def test_halves_share_the_arrays(X):
    net = network(X)
    assert encoder(net, 2).layers[0].values is net.layers[0].values
    assert decoder(net, 2).layers[-1].values is net.layers[-1].values
    assert net.scaling is not None
    assert net.output == "identity"
    assert net.layer_sizes == (FEATURES, 9, 4, 9, FEATURES)


def test_errors_in_single_precision(X):
    net = network(X, dtype="float32")
    scaled, _, z = naive(net, X)
    np.testing.assert_allclose(errors(net, as_matrix(X)), np.square(z - scaled).mean(axis=1), rtol=1e-4)
    assert reconstructed(net, as_matrix(X)).dtype == np.float32


def test_values_beyond_the_type_are_refused():
    X = np.linspace(1e38, 1e39, 10).reshape(-1, 1)
    net = ts.SparseMLP((1, 4, 1), epsilon=2, output="identity", seed=0, threads=1)
    net.scaling = net.target_scaling = fit_scaling("standard", as_matrix(X))
    with pytest.raises(ts.InputError, match=r"reconstruction of X\[\d\] is beyond the range of float32"):
        reconstructed(net, as_matrix(X))
