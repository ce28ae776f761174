"""Tapes: forward passes of any number of samples, and gradients taken back through them, against dense NumPy."""

from __future__ import annotations

import copy
import gc
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse._core.arrays import widened

STORAGES = {
    "indexed": {},
    "float64": {"dtype": "float64"},
    "compact": {"storage": "compact"},
    "bfloat16": {"storage": "compact", "weights": "bfloat16", "signals": "bfloat16"},
}
# Samples: one, a few, a tile, and several tiles of a network that takes 128 at a time.
COUNTS = [1, 5, 128, 300]


def network(storage="indexed", output="identity", **options):
    options = {"activation": ts.AllReLU(0.5), "epsilon": 5, "seed": 3} | STORAGES[storage] | options
    return ts.SparseMLP((12, 700, 400, 3), output=output, **options)


def small(**options):
    return ts.SparseMLP((5, 9, 7, 3), **({"epsilon": 3, "output": "identity", "dtype": "float64", "seed": 1} | options))


def states_of(net, optimizer):
    return [layer.new_state(optimizer) for layer in net.layers]


def dense_forward(net, X):
    """Pre-activations and activations of each layer in float64."""
    a, zs, values = np.asarray(X, np.float64), [], []
    for number, layer in enumerate(net.layers):
        z = a @ layer.weight.toarray().astype(np.float64).T
        if layer.bias.size:
            z = z + widened(layer.bias).astype(np.float64)
        slope = 1.0 if number == len(net.layers) - 1 else layer.activation[1]
        a = np.where(z > 0, z, slope * z)
        zs.append((z, slope))
        values.append(a)
    return zs, values


def dense_backward(net, X, dY):
    """Gradients by the definition: ([(weights, biases) of each layer], of the input)."""
    zs, values = dense_forward(net, X)
    inputs, dy, found = [np.asarray(X, np.float64), *values[:-1]], np.asarray(dY, np.float64), []
    for layer, (z, slope), x in zip(net.layers[::-1], zs[::-1], inputs[::-1], strict=True):
        dy = dy * np.where(z > 0, 1.0, slope)
        matrix = layer.weight.toarray()
        found.append((dy.T @ x * (matrix != 0), dy.sum(axis=0)))
        dy = dy @ matrix.astype(np.float64)
    return found[::-1], dy


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("storage", STORAGES)
def test_output_and_hidden_values_are_those_of_a_dense_pass(rng, storage, n):
    net, X = network(storage), rng.standard_normal((n, 12))
    tape = net.forward(X, training=True)
    tolerance = 5e-2 if storage == "bfloat16" else 1e-4
    _, values = dense_forward(net, X)
    assert len(tape.hidden) == 2
    for given, wanted in zip([*tape.hidden, tape.output], values, strict=True):
        assert given.shape == wanted.shape
        np.testing.assert_allclose(given, wanted, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(tape.output, net.decision_function(X), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("storage", ["indexed", "float64", "compact"])
def test_gradients_are_those_of_the_definition(rng, storage, n):
    net, X, dY = network(storage), rng.standard_normal((n, 12)), rng.standard_normal((n, 3))
    found = net.forward(X).gradients(dY, input_gradient=True)
    wanted, wanted_input = dense_backward(net, X, dY)
    np.testing.assert_allclose(found.input, wanted_input, rtol=1e-3, atol=1e-3)
    for layer, (weight, bias), (weight_wanted, bias_wanted) in zip(net.layers, found.parameters, wanted, strict=True):
        np.testing.assert_allclose(layer.to_csr(layer.in_order(weight)).toarray(), weight_wanted, rtol=1e-3, atol=2e-3)
        np.testing.assert_allclose(bias, bias_wanted, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("n", [7, 300])
@pytest.mark.parametrize("storage", ["indexed", "float64", "compact"])
@pytest.mark.parametrize("optimizer", [ts.SGD(0.1, 0.9), ts.Adam(0.01)], ids=["sgd", "adam"])
def test_backward_takes_the_step_of_the_gradients(rng, storage, optimizer, n):
    net, X, dY = network(storage), rng.standard_normal((n, 12)), rng.standard_normal((n, 3)) / n
    twin, state, twin_state = net.copy(), states_of(net, optimizer), states_of(net, optimizer)
    for step in range(2):
        gradient = twin.forward(X).gradients(dY, input_gradient=True)
        dX = net.forward(X).backward(dY, state, optimizer.rule(step, 0.0, None), input_gradient=True)
        twin.update(gradient.parameters, twin_state, optimizer.rule(step, 0.0, None))
        np.testing.assert_allclose(dX, gradient.input, rtol=1e-5, atol=1e-6)
        for a, b in zip(net.layers, twin.layers, strict=True):
            np.testing.assert_allclose(a.values, b.values, rtol=1e-4, atol=2e-5)
            np.testing.assert_allclose(a.bias, b.bias, rtol=1e-4, atol=2e-5)


def test_backward_has_the_bits_of_a_training_step(rng):
    """The loss's gradient by hand in a tape, and Trainer's own step."""
    net, X, y = network(output="softmax"), rng.standard_normal((64, 12)), rng.integers(0, 3, 64)
    twin, optimizer = net.copy(), ts.SGD(0.1)
    trainer, state = ts.Trainer(twin, optimizer=optimizer), states_of(net, optimizer)
    for step in range(3):
        tape = net.forward(X, training=True)
        z = np.ascontiguousarray(tape.output.T)
        ts.SoftmaxCrossEntropy().gradient(z, y.astype(np.int32), np.full(64, 1 / 64, np.float32), threads=1)
        tape.backward(z.T, state, optimizer.rule(step, 0.0, None))
        trainer.step(X, y)
    for a, b in zip(net.layers, twin.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.bias, b.bias)


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_activated_outputs_match_central_differences(rng, output):
    net, X, direction = small(output=output), rng.standard_normal((4, 5)), rng.standard_normal((4, 3))

    def value(X):
        return float((net.forward(X, activated=True).output * direction).sum())

    tape = net.forward(X, activated=True)
    if output != "identity":
        np.testing.assert_allclose(tape.output, net.predict_proba(X), rtol=1e-12)
    dX = tape.backward(direction, input_gradient=True)
    for i, j in np.ndindex(4, 5):
        step = np.zeros((4, 5))
        step[i, j] = 1e-6
        assert dX[i, j] == pytest.approx((value(X + step) - value(X - step)) / 2e-6, rel=1e-5, abs=1e-8)


def test_input_gradient_is_that_of_the_unscaled_input(rng):
    net, X = small(), rng.standard_normal((6, 5)) * [1, 10, 100, 1, 1]
    net.scaling = ts.data.Scaling("standard", X.mean(axis=0), 1 / X.std(axis=0))
    dX = net.forward(X).backward(np.ones((6, 3)), input_gradient=True)
    for i, j in ((0, 0), (3, 1), (5, 2)):
        step = np.zeros((6, 5))
        step[i, j] = 1e-4
        slope = (net.forward(X + step).output.sum() - net.forward(X - step).output.sum()) / 2e-4
        assert dX[i, j] == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("form", ["float32", "csr", "list", "memmap", "int8"])
def test_every_form_of_samples_gives_the_same(rng, form, tmp_path):
    net = small(dtype="float32")
    X = rng.integers(-3, 4, (20, 5)).astype(np.float32)
    given = {"float32": X, "csr": sp.csr_array(X), "list": X.tolist(), "int8": X.astype(np.int8)}.get(form)
    if form == "memmap":
        given = np.memmap(tmp_path / "X", np.float32, "w+", shape=X.shape)
        given[:] = X
    np.testing.assert_array_equal(net.forward(given).output, net.forward(X).output)


def test_dropout_follows_its_key_and_the_gradient_follows_dropout(rng):
    net, X, dY = small(activation="tanh"), rng.standard_normal((8, 5)), rng.standard_normal((8, 3))

    def forward(X, key=7):
        return net.forward(X, training=True, dropout=0.4, key=key)

    np.testing.assert_array_equal(forward(X).output, forward(X).output)
    assert (forward(X).output != forward(X, 8).output).any()
    np.testing.assert_array_equal(net.forward(X, dropout=0.4, key=7).output, net.forward(X).output)  # not training
    dropped = forward(X).hidden[0] == 0
    assert 0.2 < dropped.mean() < 0.6
    dX = forward(X).backward(dY, input_gradient=True)
    for i, j in np.ndindex(8, 5):
        step = np.zeros((8, 5))
        step[i, j] = 1e-6
        slope = ((forward(X + step).output - forward(X - step).output) * dY).sum() / 2e-6
        assert dX[i, j] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_gradients_are_added_up_in_the_arrays_that_are_given(rng):
    net, X, dY = network(), rng.standard_normal((300, 12)), rng.standard_normal((300, 3))
    whole = net.forward(X).gradients(dY).parameters
    into = net.forward(X[:100]).gradients(dY[:100]).parameters
    arrays = [weight for weight, _ in into]
    into = net.forward(X[100:]).gradients(dY[100:], into=into, add=True).parameters
    assert all(a is b for a, (b, _) in zip(arrays, into, strict=True))
    for (a, b), (c, d) in zip(whole, into, strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(b, d, rtol=1e-3, atol=1e-3)
    net.forward(X[:100]).gradients(dY[:100], into=into)  # overwritten
    np.testing.assert_array_equal(into[0][0], net.forward(X[:100]).gradients(dY[:100]).parameters[0][0])


@pytest.mark.parametrize("n", [100, 300])
@pytest.mark.parametrize("storage", STORAGES)
def test_bits_do_not_depend_on_threads(rng, storage, n):
    net, X, dY = network(storage), rng.standard_normal((n, 12)), rng.standard_normal((n, 3)) / n
    optimizer, seen = ts.Adam(0.01), []
    for threads in (1, 2, 3):
        twin = net.copy()
        tape = twin.forward(X, training=True, dropout=0.2, key=5, threads=threads)
        output = tape.output.copy()
        dX = tape.backward(dY, states_of(twin, optimizer), optimizer.rule(0, 0.0, None), input_gradient=True, key=9)
        seen.append([output, dX, *(layer.values for layer in twin.layers), *(layer.bias for layer in twin.layers)])
    for other in seen[1:]:
        for a, b in zip(seen[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_values_outlive_their_tape_and_are_not_overwritten_by_the_next(rng):
    net, X = small(), rng.standard_normal((6, 5))
    output, hidden = net.forward(X).output, net.forward(X).hidden[1]
    wanted, wanted_hidden = output.copy(), hidden.copy()
    view = net.forward(X).output[2:4]
    for _ in range(3):
        net.forward(rng.standard_normal((6, 5)))
    gc.collect()
    np.testing.assert_array_equal(output, wanted)
    np.testing.assert_array_equal(hidden, wanted_hidden)
    np.testing.assert_array_equal(view, wanted[2:4])


def test_memory_of_tapes_that_are_gone_is_used_again(rng):
    net, X = small(), rng.standard_normal((6, 5))
    first = net.forward(X).output.__array_interface__["data"][0]
    assert net.forward(X).output.__array_interface__["data"][0] == first
    held = net.forward(X)
    assert net.forward(X).output.__array_interface__["data"][0] != held.output.__array_interface__["data"][0]


def test_output_survives_the_backward_pass_and_hidden_values_do_not(rng):
    net, X = small(), rng.standard_normal((6, 5))
    tape = net.forward(X)
    output, hidden = tape.output, tape.hidden
    wanted = output.copy()
    tape.gradients(np.ones((6, 3)))
    np.testing.assert_array_equal(output, wanted)
    np.testing.assert_array_equal(tape.output, wanted)
    for use in (lambda: tape.hidden, lambda: hidden[0]):
        with pytest.raises(ts.InputError, match=r"^hidden activations are gone"):
            use()


@pytest.mark.parametrize("take", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net)), ts.SparseMLP.copy])
def test_copies_of_a_network_record_on_their_own(rng, take):
    net, X = small(), rng.standard_normal((6, 5))
    output = net.forward(X).output
    twin = take(net)
    twin.layers[0].values[:] = 0
    assert (twin.forward(X).output != output).any()
    np.testing.assert_array_equal(net.forward(X).output, output)


def test_layers_that_were_replaced_are_used(rng):
    net, X = small(), rng.standard_normal((6, 5))
    net.forward(X).gradients(np.ones((6, 3)))
    net.layers[1].values = net.layers[1].values * 2
    ts.prune_neurons(net, 30)
    tape = net.forward(X)
    np.testing.assert_allclose(tape.output, net.decision_function(X), rtol=1e-12)
    assert tape.gradients(np.ones((6, 3))).parameters[1][0].shape == net.layers[1].values.shape


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_a_network_without_biases(rng, storage):
    net, X, dY = network(storage, bias=False), rng.standard_normal((300, 12)), rng.standard_normal((300, 3))
    assert all(layer.bias.shape == (0,) for layer in net.layers)
    tape = net.forward(X)
    np.testing.assert_allclose(tape.output, dense_forward(net, X)[1][-1], rtol=1e-4, atol=1e-4)
    found = tape.gradients(dY, input_gradient=True)
    assert all(bias.shape == (0,) for _, bias in found.parameters)
    np.testing.assert_allclose(found.input, dense_backward(net, X, dY)[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("dY", "message"),
    [
        (np.ones((6, 2)), r"^dY must have the shape of the output, \(6, 3\), not \(6, 2\)"),
        (np.ones((5, 3)), r"^dY must have the shape of the output, \(6, 3\), not \(5, 3\)"),
        (np.ones(6), r"^dY must have shape"),
        (np.array([["a"] * 3] * 6), r"^dY must hold numbers"),
        (np.where(np.arange(18).reshape(6, 3) == 7, np.nan, 1.0), r"^dY\[2, 1\] is nan"),
    ],
)
def test_a_gradient_that_does_not_fit_is_refused_and_nothing_changes(rng, dY, message):
    net, optimizer = small(), ts.SGD(0.1)
    before = [layer.values.copy() for layer in net.layers]
    tape = net.forward(rng.standard_normal((6, 5)))
    with pytest.raises(ts.InputError, match=message):
        tape.backward(dY, states_of(net, optimizer), optimizer.rule(0, 0.0, None))
    for layer, values in zip(net.layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)
    assert tape.backward(np.ones((6, 3)), input_gradient=True).shape == (6, 5)  # the tape is still good


def test_other_bad_arguments_are_refused(rng):
    net, X, optimizer = small(), rng.standard_normal((6, 5)), ts.SGD(0.1)
    state, rule, dY = states_of(net, optimizer), optimizer.rule(0, 0.0, None), np.ones((6, 3))
    with pytest.raises(ts.InputError, match=r"^X has 4 features, but the network has 5 inputs"):
        net.forward(X[:, :4])
    with pytest.raises(ts.InputError, match=r"^dropout"):
        net.forward(X, dropout=1.0)
    with pytest.raises(ts.InputError, match=r"^threads"):
        net.forward(X, threads=0)
    for arguments in ((state, None), (None, rule)):
        with pytest.raises(ts.InputError, match=r"^optimizer_state and rule belong together"):
            net.forward(X).backward(dY, *arguments)
    with pytest.raises(ts.InputError, match=r"^optimizer_state must be that of 3 layers, not of 2"):
        net.forward(X).backward(dY, state[:2], rule)
    with pytest.raises(ts.InputError, match=r"^into must hold"):
        net.forward(X).gradients(dY, into=net.forward(X).gradients(dY).parameters[:2])
    tape = net.forward(X)
    tape.gradients(dY)
    with pytest.raises(ts.InputError, match=r"^a backward pass has been taken"):
        tape.backward(dY, state, rule)


def test_a_topology_that_has_changed_since_the_forward_pass_is_refused(rng):
    net, optimizer = small(), ts.SGD()
    state = states_of(net, optimizer)
    tape = net.forward(rng.standard_normal((6, 5)))
    ts.SET(0.5).evolve(net, state, key=1, threads=1)
    with pytest.raises(ts.InputError, match=r"^the network's topology has changed since the forward pass"):
        tape.backward(np.ones((6, 3)), state, optimizer.rule(0, 0.0, None))


def test_one_output_takes_a_gradient_of_one_dimension(rng):
    net = ts.SparseMLP((5, 9, 1), epsilon=3, output="identity", seed=1)
    X, dY = rng.standard_normal((6, 5)), rng.standard_normal(6)
    flat = net.forward(X).gradients(dY).parameters
    for (a, b), (c, d) in zip(flat, net.forward(X).gradients(dY[:, None]).parameters, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


@pytest.mark.parametrize("way", ["backward", "update"])
def test_rounding_to_bfloat16_differs_from_update_to_update_and_has_no_bias(way):
    """Steps a hundred times smaller than the spacing of the weights add up."""
    net = ts.SparseMLP((4, 4000), epsilon=5, output="identity", storage="compact", weights="bfloat16", seed=0)
    optimizer = ts.SGD(1e-5, momentum=0.0)
    state, X = states_of(net, optimizer), np.ones((1, 4), np.float32)
    net.layers[0].values[:] = 0x3F80  # 1.0, the next numbers being 1/128 above and 1/256 below
    for _ in range(100):
        tape, rule = net.forward(X), optimizer.rule(0, 0.0, None)
        if way == "backward":
            tape.backward(np.full((1, 4000), 4.0), state, rule)
        else:
            net.update(tape.gradients(np.full((1, 4000), 4.0)).parameters, state, rule)
    values = widened(net.layers[0].values)
    assert values.mean() == pytest.approx(1 - 100 * 4e-5, abs=3e-4)
