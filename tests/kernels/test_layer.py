"""Forward and backward kernels against a float64 reference in NumPy and SciPy."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, ndtr

from conftest import random_connectivity
from trulysparse import _kernels
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.optim import OptimizerState

ACTIVATIONS = [(0, 0.0), (1, 0.0), (1, -0.6), (1, 0.6), (2, 0.0), (3, 0.0), (4, 0.0), (5, 0.0)]
BATCHES = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 64, 100, 128, 129, 300]
SHAPES = [(1, 1, 1.0), (5, 3, 0.5), (40, 60, 0.1), (200, 150, 0.05), (7, 300, 0.3), (300, 7, 0.3)]


def apply(activation, z):
    kind, slope = activation
    return [z, np.where(z > 0, z, slope * z), np.tanh(z), expit(z), z * ndtr(z), z * expit(z)][kind]


def derivative(activation, z):
    kind, slope = activation
    if kind < 2:
        return np.where(z > 0, 1.0, slope if kind else 1.0)
    sigmoid, density = expit(z), np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    silu = sigmoid * (1 + z * (1 - sigmoid))
    return [1 - np.tanh(z) ** 2, sigmoid * (1 - sigmoid), ndtr(z) + z * density, silu][kind - 2]


def make_layer(rng, n_in, n_out, density, dtype, activation, con=None):
    """con: instead of one that is drawn."""
    con = con or random_connectivity(rng, n_in, n_out, density)
    values = rng.standard_normal(con.n_connections).astype(dtype)
    return IndexedLayer(con, values, rng.standard_normal(n_out).astype(dtype), activation)


def padded(rng, n, batch, dtype):
    """A n x stride array, zeros in the padding."""
    out = np.zeros((n, _kernels.padded_batch(batch)), dtype)
    out[:, :batch] = rng.standard_normal((n, batch))
    return out


def signal(n, stride, dtype, activation=(0, 0.0), keep=1.0):
    bits = n * _kernels.bit_stride(stride)
    return Activations(
        np.full((n, stride), np.nan, dtype),
        activation,
        np.zeros(bits, np.uint8) if activation[0] == 1 else None,
        np.zeros(bits, np.uint8) if keep < 1 else None,
        keep,
        np.full((n, stride), np.nan, dtype) if activation[0] > 3 else None,
    )


def bits_of(array, n, stride):
    return np.unpackbits(array.reshape(n, -1), axis=1, bitorder="little")[:, :stride].astype(bool)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_forward_matches_scipy(isa, rng, shape, dtype):
    con = random_connectivity(rng, *shape)
    for batch in BATCHES:
        for activation in ACTIVATIONS:
            layer = make_layer(rng, *shape, dtype, activation, con)
            x = padded(rng, shape[0], batch, dtype)
            y = signal(shape[1], x.shape[1], dtype, activation)
            layer.forward(Activations(x), y, 0, 2)
            z = layer.weight.astype(np.float64) @ x.astype(np.float64) + layer.bias[:, None]
            tolerance = 2e-5 if dtype is np.float32 else 1e-12
            np.testing.assert_allclose(
                y.values[:, :batch], apply(activation, z)[:, :batch], rtol=tolerance, atol=tolerance
            )
            if activation[0] == 1:
                np.testing.assert_array_equal(
                    bits_of(y.sign_bits, shape[1], x.shape[1])[:, :batch], y_positive(y, z, batch)
                )


def y_positive(y, z, batch):
    """Signs of the pre-activation, undecided ones (within rounding of zero) taken from the kernel."""
    stride = y.values.shape[1]
    given_bits = bits_of(y.sign_bits, len(z), stride)[:, :batch]
    return np.where(np.abs(z[:, :batch]) < 1e-5, given_bits, z[:, :batch] > 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_backward_gradients_match_scipy(isa, rng, shape, dtype):
    n_in, n_out, _ = shape
    con = random_connectivity(rng, *shape)
    for batch in BATCHES:
        for activation in ACTIVATIONS:
            layer = make_layer(rng, *shape, dtype, (0, 0.0), con)
            z = padded(rng, n_in, batch, dtype)
            x = Activations(apply(activation, z.astype(np.float64)).astype(dtype), activation)
            if activation[0] == 1:
                bits = np.packbits(z > 0, axis=1, bitorder="little").reshape(-1)
                x.sign_bits = np.ascontiguousarray(bits)
            if activation[0] > 3:
                x.pre_activation = z
            dy = padded(rng, n_out, batch, dtype)
            before = x.values.copy()
            weight_gradient, bias_gradient = layer.gradients(dy, x, x.values, 2)
            wide = dy.astype(np.float64)
            coo = layer.weight.tocoo()
            expected_weight = (wide[coo.row] * before[coo.col].astype(np.float64)).sum(axis=1)
            expected_dx = (layer.weight.astype(np.float64).T @ wide) * derivative(activation, z.astype(np.float64))
            tolerance = 1e-4 if dtype is np.float32 else 1e-11
            np.testing.assert_allclose(
                weight_gradient[layer.connectivity.position], expected_weight, rtol=tolerance, atol=tolerance
            )
            np.testing.assert_allclose(bias_gradient, wide.sum(axis=1), rtol=tolerance, atol=tolerance)
            np.testing.assert_allclose(x.values[:, :batch], expected_dx[:, :batch], rtol=tolerance, atol=tolerance)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.0, 1.0), st.integers(1, 140), st.integers(0, 2**31))
def test_any_shape(n_in, n_out, density, batch, seed):
    rng = np.random.default_rng(seed)
    layer = make_layer(rng, n_in, n_out, density, np.float64, (2, 0.0))
    x = padded(rng, n_in, batch, np.float64)
    y = signal(n_out, x.shape[1], np.float64, (2, 0.0))
    layer.forward(Activations(x), y, 0, 1)
    np.testing.assert_allclose(y.values, np.tanh(layer.weight @ x + layer.bias[:, None]), rtol=1e-11, atol=1e-11)
    dy = padded(rng, n_out, batch, np.float64)
    weight_gradient, _ = layer.gradients(dy, Activations(x), None, 1)
    coo = layer.weight.tocoo()
    np.testing.assert_allclose(
        weight_gradient[layer.connectivity.position], (dy[coo.row] * x[coo.col]).sum(axis=1), rtol=1e-9, atol=1e-9
    )


def test_rows_longer_than_a_segment(isa, rng):
    """A neuron with tens of thousands of connections is cut into segments; the sums stay right, and the same
    for any number of threads."""
    n = 70_000
    for n_in, n_out in ((n, 3), (3, n)):
        weight = sp.csr_array(rng.standard_normal((n_out, n_in)))
        weight.sort_indices()
        from trulysparse.connectivity import Connectivity

        con, order = Connectivity.from_outputs(
            n_in, n_out, weight.indptr.astype(np.int64), weight.indices.astype(np.int32), 1
        )
        layer = IndexedLayer(con, weight.data[order], rng.standard_normal(n_out), (1, -0.5))
        assert len(con.by_output.long) or len(con.by_input.long)
        x, results = padded(rng, n_in, 20, np.float64), []
        dy = padded(rng, n_out, 20, np.float64)
        for threads in (1, 2, 3):
            y = signal(n_out, x.shape[1], np.float64, (1, -0.5))
            layer.forward(Activations(x), y, 0, threads)
            inner = Activations(x.copy())
            gradient, _ = layer.gradients(dy, inner, inner.values, threads)
            results.append((y.values.copy(), inner.values, gradient))
        np.testing.assert_allclose(
            results[0][0], apply((1, -0.5), weight @ x + layer.bias[:, None]), rtol=1e-9, atol=1e-9
        )
        np.testing.assert_allclose(results[0][1], weight.T @ dy, rtol=1e-9, atol=1e-9)
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("keep", [0.7, 0.25])
@pytest.mark.parametrize("batch", [1, 5, 8, 128, 300])
@pytest.mark.parametrize("activation", [(2, 0.0), (4, 0.0), (5, 0.0)])
def test_dropout(isa, rng, activation, keep, batch):
    """Dropped outputs are zero, the others scaled; the backward pass uses the same bits; rates are right."""
    n_in, n_out = 50, 400
    layer = make_layer(rng, n_in, n_out, 0.2, np.float64, activation)
    x = padded(rng, n_in, batch, np.float64)
    y = signal(n_out, x.shape[1], np.float64, activation, keep)
    layer.forward(Activations(x), y, 1234, 2)
    kept = bits_of(y.dropout_bits, n_out, x.shape[1])[:, :batch]
    z = (layer.weight @ x + layer.bias[:, None])[:, :batch]
    wanted = np.where(kept, apply(activation, z) / keep, 0)
    np.testing.assert_allclose(y.values[:, :batch], wanted, rtol=1e-10, atol=1e-12)
    deviation = np.sqrt(keep * (1 - keep) / kept.size)
    assert abs(kept.mean() - keep) < 5 * deviation
    above = make_layer(rng, n_out, 30, 0.2, np.float64, (0, 0.0))
    dy = padded(rng, 30, batch, np.float64)
    above.gradients(dy, y, y.values, 2)
    expected = (above.weight.T @ dy)[:, :batch] * np.where(kept, derivative(activation, z) / keep, 0)
    np.testing.assert_allclose(y.values[:, :batch], expected, rtol=1e-9, atol=1e-10)


def test_dropout_bits_do_not_repeat(rng):
    """Rows, columns and keys are independent: no neighbouring pair agrees more often than chance."""
    layer = make_layer(rng, 20, 600, 0.5, np.float32, (2, 0.0))
    x = padded(rng, 20, 256, np.float32)
    masks = []
    for key in (1, 2):
        y = signal(600, 256, np.float32, (2, 0.0), 0.5)
        layer.forward(Activations(x), y, key, 2)
        masks.append(bits_of(y.dropout_bits, 600, 256))
    pairs = [(masks[0], masks[1]), (masks[0][1:], masks[0][:-1]), (masks[0][:, 1:], masks[0][:, :-1])]
    for a, b in pairs:
        assert abs((a == b).mean() - 0.5) < 5 * 0.5 / np.sqrt(a.size)


def reference_step(kind, w, g, state, rule):
    """One step of each rule, written as its source does."""
    g = g + rule.l2 * w
    if kind == 2:
        state[0] = rule.momentum * state[0] - rule.learning_rate * g
        return w - rule.decay * w + state[0]
    if kind == 3:
        state[0] = rule.momentum * state[0] - rule.learning_rate * g
        return w - rule.decay * w + rule.momentum * state[0] - rule.learning_rate * g
    state[0] = rule.beta1 * state[0] + (1 - rule.beta1) * g
    state[1] = rule.beta2 * state[1] + (1 - rule.beta2) * g**2
    m, v = state[0] / rule.correction1, state[1] / rule.correction2
    return w - rule.decay * w - rule.learning_rate * m / (np.sqrt(v) + rule.epsilon)


@pytest.mark.parametrize("kind", [2, 3, 4])
def test_fused_update_equals_gradient_then_rule(isa, rng, kind):
    layer = make_layer(rng, 90, 70, 0.3, np.float64, (0, 0.0))
    rule = _kernels.UpdateRule()
    rule.kind, rule.learning_rate, rule.momentum, rule.l2, rule.decay = kind, 0.05, 0.9, 0.01, 0.002
    rule.beta1, rule.beta2, rule.epsilon, rule.correction1, rule.correction2 = 0.9, 0.99, 1e-8, 0.1, 0.01
    n = 2 if kind == 4 else 1
    optimizer_state = OptimizerState(
        [rng.random(layer.n_connections) for _ in range(n)], [rng.random(70) for _ in range(n)]
    )
    x, dy = padded(rng, 90, 40, np.float64), padded(rng, 70, 40, np.float64)
    weight_gradient, bias_gradient = layer.gradients(dy, Activations(x), None, 2)
    expected_weight = reference_step(
        kind, layer.values, weight_gradient, [s.copy() for s in optimizer_state.weight], rule
    )
    plain = _kernels.UpdateRule()
    for name in ("kind", "learning_rate", "momentum", "beta1", "beta2", "epsilon", "correction1", "correction2"):
        setattr(plain, name, getattr(rule, name))
    expected_bias = reference_step(kind, layer.bias, bias_gradient, [s.copy() for s in optimizer_state.bias], plain)
    layer.backward(dy, Activations(x), None, optimizer_state, rule, 2)
    np.testing.assert_allclose(layer.values, expected_weight, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(layer.bias, expected_bias, rtol=1e-12, atol=1e-14)


def test_mismatched_arrays_are_refused(rng):
    layer = make_layer(rng, 10, 8, 0.5, np.float32, (0, 0.0))
    with pytest.raises(ValueError, match="outputs x stride"):
        layer.forward(Activations(np.zeros((10, 16), np.float32)), Activations(np.zeros((9, 16), np.float32)), 0, 1)
    with pytest.raises(ValueError, match="padded batch"):
        layer.forward(Activations(np.zeros((10, 17), np.float32)), Activations(np.zeros((8, 17), np.float32)), 0, 1)
    with pytest.raises(TypeError):
        layer.forward(Activations(np.zeros((10, 16))), Activations(np.zeros((8, 16), np.float32)), 0, 1)


@pytest.mark.parametrize("kept", [0, 1 << 20])
def test_calls_follow_their_arrays(rng, monkeypatch, kept):
    """Whatever array of a layer is replaced, the next pass uses the new one; large layers' arrays are not held."""
    monkeypatch.setattr("trulysparse.nn.activations_buffer.PREPARED_CONNECTIONS", kept)
    layer = make_layer(rng, 30, 20, 0.3, np.float64, (1, -0.5))
    x, y = Activations(padded(rng, 30, 8, np.float64)), signal(20, 8, np.float64, (1, -0.5))
    optimizer_state = OptimizerState([np.zeros(layer.n_connections)], [np.zeros(20)])
    rule = _kernels.UpdateRule()
    rule.kind, rule.learning_rate, rule.momentum = 2, 0.1, 0.5

    def check():
        layer.forward(x, y, 0, 1)
        z = layer.weight @ x.values + layer.bias[:, None]
        np.testing.assert_allclose(y.values, apply((1, -0.5), z), rtol=1e-12)
        dy = padded(rng, 20, 8, np.float64)
        before, speed = layer.weight.toarray(), layer.to_csr(layer.in_order(optimizer_state.weight[0])).toarray()
        there = layer.to_csr(np.ones(layer.n_connections)).toarray()
        layer.backward(dy, x, None, optimizer_state, rule, 1)
        expected = before + 0.5 * speed - 0.1 * there * (dy @ x.values.T)
        np.testing.assert_allclose(layer.weight.toarray(), expected, rtol=1e-12, atol=1e-14)

    check()
    check()
    layer.values = rng.standard_normal(layer.n_connections)
    check()
    layer.bias = rng.standard_normal(20)
    check()
    optimizer_state.weight[0] = rng.standard_normal(layer.n_connections)
    check()
    layer.connectivity = random_connectivity(rng, 30, 20, 0.5)
    layer.values = rng.standard_normal(layer.n_connections)
    optimizer_state.weight[0] = np.zeros(layer.n_connections)
    check()
    assert bool(x._calls) == bool(y._calls) == bool(kept)
    twin = pickle.loads(pickle.dumps(y))
    for each in (y, twin):
        layer.forward(x, each, 0, 1)
    np.testing.assert_array_equal(twin.values, y.values)


@pytest.mark.parametrize("shape", [(3000, 3, 1.0), (4000, 5, 0.7), (50, 400, 0.02)])
def test_rows_of_every_length_beside_each_other(isa, rng, shape):
    """Weights are copied ahead of their use: across rows that are empty, short, and longer than the window."""
    n_in, n_out, density = shape
    con = random_connectivity(rng, n_in, n_out, density)
    values = rng.standard_normal(con.n_connections)
    layer = IndexedLayer(con, values, rng.standard_normal(n_out), (0, 0.0))
    for batch in (1, 8, 128):
        x, y = Activations(padded(rng, n_in, batch, np.float64)), signal(n_out, batch, np.float64)
        for threads in (1, 3):
            layer.forward(x, y, 0, threads)
            expected = layer.weight @ x.values + layer.bias[:, None]
            np.testing.assert_allclose(y.values, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(30, 20, 0.3), (2, 40_000, 1.0), (40_000, 2, 1.0)])
def test_gradients_are_added_to_those_of_earlier_parts(isa, rng, shape, threads):
    """With rows that are cut into segments, too; and an update takes the sum."""
    n_in, n_out, density = shape
    layer = make_layer(rng, n_in, n_out, density, np.float64, (1, -0.5))
    x = signal(n_in, 8, np.float64, (1, -0.5))
    x.values[:] = padded(rng, n_in, 8, np.float64)
    x.sign_bits[:] = rng.integers(0, 256, x.sign_bits.shape)
    dy, dx = padded(rng, n_out, 8, np.float64), np.empty((n_in, 8))
    own = layer.gradients(dy, x, None, threads)
    earlier = rng.standard_normal(layer.n_connections), rng.standard_normal(n_out)
    sums = tuple(array.copy() for array in earlier)
    layer.gradients(dy, x, dx, threads, sums, add=True)
    for total, first, second in zip(sums, earlier, own, strict=True):
        np.testing.assert_allclose(total, first + second, rtol=1e-12, atol=1e-12)
    rule = _kernels.UpdateRule()
    rule.kind, rule.learning_rate, rule.add = _kernels.Update.SGD, 0.1, True
    values, bias = layer.values.copy(), layer.bias.copy()
    layer.backward(dy, x, None, OptimizerState([], []), rule, threads, earlier)
    np.testing.assert_allclose(layer.values, values - 0.1 * sums[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.bias, bias - 0.1 * sums[1], rtol=1e-12, atol=1e-12)


# A first layer of few inputs goes output by output: wide batches, and rows that are empty, short, and longer than a
# chunk of 64 connections. The last is too small, and goes by input either way.
FIRST_LAYERS = [(23, 256, 0.2, 256), (17, 300, 0.02, 130), (90, 600, 0.8, 100), (3, 4000, 0.5, 16), (20, 30, 0.5, 32)]


def rules():
    """Every rule, adding to earlier gradients and not, with how many arrays of state it has."""
    for kind, n in (("GRADIENT", 0), ("SGD", 0), ("SGD", 1), ("NESTEROV", 1), ("ADAM", 2)):
        for add in (False, True):
            rule = _kernels.UpdateRule()
            rule.kind, rule.learning_rate, rule.momentum, rule.l2 = getattr(_kernels.Update, kind), 0.05, 0.9, 0.01
            rule.beta1, rule.beta2, rule.epsilon, rule.correction1, rule.correction2 = 0.9, 0.99, 1e-8, 0.1, 0.01
            rule.add = add
            yield rule, n


def first_layer_call(layer, x, dy, state, into, by_output):
    """Its backward pass without the gradient at its input; by_output: an index that the kernels may use."""
    rows = layer.connectivity.by_input
    return _kernels.backward(
        ptr=rows.ptr,
        index=rows.index,
        weight=layer.values,
        state=state.weight,
        gradient=into[0],
        bias=layer.bias,
        bias_state=state.bias,
        bias_gradient=into[1],
        dy=dy,
        x=x,
        dx=None,
        long_rows=rows.long,
        activation=(0, 0.0),
        positive=None,
        kept=None,
        keep_probability=1.0,
        by_output=by_output,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", FIRST_LAYERS)
def test_a_first_layer_gets_the_same_bits_by_input_and_by_output(isa, rng, shape, dtype):
    n_in, n_out, density, batch = shape
    given = make_layer(rng, n_in, n_out, density, dtype, (0, 0.0))
    x, dy = padded(rng, n_in, batch, dtype), padded(rng, n_out, batch, dtype)
    coo = given.weight.tocoo()
    expected = (dy.astype(np.float64)[coo.row] * x.astype(np.float64)[coo.col]).sum(axis=1)
    gradient, _ = given.gradients(dy, Activations(x), None, 1)
    tolerance = 1e-4 if dtype is np.float32 else 1e-11
    con = given.connectivity
    np.testing.assert_allclose(gradient[con.position], expected, rtol=tolerance, atol=tolerance)
    index = con.by_output.ptr, con.by_output.index, con.position
    sizes = given.n_connections, n_out
    for rule, n in rules():
        start = [[rng.random(size).astype(dtype) for _ in range(n)] for size in sizes]
        earlier = [rng.standard_normal(size).astype(dtype) for size in sizes]
        results = []
        for by_output, threads in ((None, 1), (index, 1), (index, 3)):
            layer, state = given.copy(), OptimizerState(*([each.copy() for each in part] for part in start))
            sums = [each.copy() for each in earlier]
            first_layer_call(layer, x, dy, state, sums, by_output)(rule, threads)
            arrays = [layer.values, layer.bias, *sums, *state.weight, *state.bias]
            results.append([array.tobytes() for array in arrays])
        assert results[0] == results[1] == results[2]
        assert rule.kind == _kernels.Update.GRADIENT or results[0][0] != given.values.tobytes()


def test_an_index_by_output_that_does_not_fit_is_refused(rng):
    layer = make_layer(rng, 10, 80, 0.5, np.float32, (0, 0.0))
    x, dy = np.zeros((10, 16), np.float32), np.zeros((80, 16), np.float32)
    con, other = layer.connectivity, random_connectivity(rng, 10, 80, 0.2)
    outputs = con.by_output
    for wrong, message in (
        ((other.by_output.ptr, other.by_output.index, other.position), "the same connections"),
        ((outputs.ptr[:-1], outputs.index[: outputs.ptr[-2]], con.position), "other rows than dy"),
        ((outputs.ptr[:-1], outputs.index[:-1], con.position), "span the indices|other rows than dy"),
        ((outputs.ptr, outputs.index, con.position[:-1]), "one per connection"),
    ):
        with pytest.raises(ValueError, match=message):
            first_layer_call(layer, x, dy, OptimizerState([], []), layer.new_gradient(), wrong)


def test_a_layer_without_biases_has_none_and_gets_none(isa, rng):
    con = random_connectivity(rng, 30, 20, 0.3)
    values = rng.standard_normal(con.n_connections)
    layer = IndexedLayer(con, values, np.zeros(0), (0, 0.0))
    x, y = Activations(padded(rng, 30, 8, np.float64)), signal(20, 8, np.float64)
    layer.forward(x, y, 0, 2)
    np.testing.assert_allclose(y.values, layer.weight @ x.values, rtol=1e-12)
    weight, bias = layer.gradients(padded(rng, 20, 8, np.float64), x, None, 2)
    assert weight.shape == (con.n_connections,)
    assert bias.shape == (0,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [*SHAPES, (40_000, 2, 1.0), (2, 20_000, 1.0)])
def test_products_are_added_to_what_is_there(isa, rng, shape, dtype):
    """A skip layer, forward and backward; the padding keeps what it holds."""
    n_in, n_out, _ = shape
    tolerance = 1e-3 if dtype is np.float32 else 1e-10
    for batch in (1, 3, 8, 17, 128) if n_in * n_out < 80_000 else (5,):
        layer = make_layer(rng, *shape, dtype, (0, 0.0))
        layer.bias = np.zeros(0, dtype)
        x, dy = padded(rng, n_in, batch, dtype), padded(rng, n_out, batch, dtype)
        results = []
        for threads in (1, 3):
            y, dx = (np.full((n, x.shape[1]), 0.5, dtype) for n in (n_out, n_in))
            layer.forward(Activations(x), Activations(y), 0, threads, add=True)
            layer.input_gradient(dy, Activations(x), dx, threads, add=True)
            results += [y, dx]
        weight = layer.weight.astype(np.float64)
        np.testing.assert_allclose(results[0], weight @ x + 0.5, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(results[1], weight.T @ dy + 0.5, rtol=tolerance, atol=tolerance)
        for one, three in zip(results[:2], results[2:], strict=True):
            np.testing.assert_array_equal(one, three)


def test_what_adds_is_plain(rng):
    layer = make_layer(rng, 5, 3, 0.5, np.float32, (0, 0.0))
    x, dy = padded(rng, 5, 8, np.float32), padded(rng, 3, 8, np.float32)
    with pytest.raises(ValueError, match="neither biases nor an activation"):
        layer.forward(Activations(x), signal(3, 8, np.float32), 0, 1, add=True)
    with pytest.raises(ValueError, match="an input without an activation"):
        layer.input_gradient(dy, Activations(x, (2, 0.0)), np.zeros_like(x), 1, add=True)
