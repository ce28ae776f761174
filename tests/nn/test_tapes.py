"""Networks that share a batch: each as if it were alone; side by side or one after the other."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts


def critics(n=2, storage="indexed", sizes=(6, 40, 30, 1)):
    return [ts.SparseMLP(sizes, epsilon=4, output="identity", storage=storage, seed=seed) for seed in range(n)]


def states_of(nets, optimizer):
    return [[layer.new_state(optimizer) for layer in net.layers] for net in nets]


@pytest.mark.parametrize("n", [1, 100, 2500])
@pytest.mark.parametrize("storage", ["indexed", "compact"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_networks_of_a_list_do_what_each_does_alone(rng, storage, count, n):
    nets, optimizer = critics(count, storage), ts.Adam(0.01)
    twins = [net.copy() for net in nets]
    states, twin_states = states_of(nets, optimizer), states_of(nets, optimizer)
    X = rng.standard_normal((n, 6))
    rule = optimizer.rule(0, 0.0, None)
    dYs = [rng.standard_normal((n, 1)) / n for _ in nets]
    tapes = ts.forward_all(nets, X, training=True, threads=2)
    outputs = [tape.output.copy() for tape in tapes]
    dXs = tapes.backward(dYs, states, rule, input_gradient=True)
    for net, twin, state, output, dY, dX in zip(nets, twins, twin_states, outputs, dYs, dXs, strict=True):
        tape = twin.forward(X, training=True, threads=1)
        np.testing.assert_array_equal(tape.output, output)
        np.testing.assert_array_equal(tape.backward(dY, state, rule, input_gradient=True), dX)
        for a, b in zip(net.layers, twin.layers, strict=True):
            np.testing.assert_array_equal(a.values, b.values)
            np.testing.assert_array_equal(a.bias, b.bias)


def test_one_gradient_for_all_is_laid_out_once(rng):
    nets, X, dY = critics(3), rng.standard_normal((20, 6)), rng.standard_normal((20, 1))
    shared = ts.forward_all(nets, X).gradients(dY, input_gradient=True)
    for net, gradient in zip(nets, shared, strict=True):
        alone = net.forward(X).gradients(dY, input_gradient=True)
        np.testing.assert_array_equal(gradient.input, alone.input)
        for (a, b), (c, d) in zip(gradient.parameters, alone.parameters, strict=True):
            np.testing.assert_array_equal(a, c)
            np.testing.assert_array_equal(b, d)


def test_the_batch_is_laid_out_once(rng):
    tapes = ts.forward_all(critics(3), rng.standard_normal((20, 6)))
    first = tapes[0].columns.inputs[0].values
    assert all(tape.columns.inputs[0].values is first for tape in tapes)


def test_networks_of_other_scalings_and_sizes_share_a_batch(rng):
    nets, X = [critics(1)[0], critics(1, sizes=(6, 900, 1))[0]], rng.standard_normal((300, 6))
    for tape, net in zip(ts.forward_all(nets, X), nets, strict=True):
        np.testing.assert_allclose(tape.output, net.decision_function(X), rtol=1e-5, atol=1e-6)
    nets[1].scaling = ts.data.Scaling("standard", X.mean(axis=0), 1 / X.std(axis=0))
    for tape, net in zip(ts.forward_all(nets, X), nets, strict=True):
        np.testing.assert_allclose(tape.output, net.decision_function(X), rtol=1e-5, atol=1e-6)


def test_each_network_drops_its_own(rng):
    nets = [critics(1)[0]] * 2
    nets[1] = nets[0].copy()
    first, second = ts.forward_all(nets, rng.standard_normal((30, 6)), training=True, dropout=0.5, key=3)
    assert (first.output != second.output).any()
    again = ts.forward_all(nets, rng.standard_normal((30, 6)), training=True, dropout=0.5, key=3)
    assert ((again[0].hidden[0] == 0) == (first.hidden[0] == 0)).mean() > 0.7


def test_bad_lists_are_refused(rng):
    nets, X, optimizer = critics(2), rng.standard_normal((20, 6)), ts.SGD()
    rule, states = optimizer.rule(0, 0.0, None), states_of(nets, optimizer)
    with pytest.raises(ts.InputError, match=r"^networks must have at least one"):
        ts.forward_all([], X)
    with pytest.raises(ts.InputError, match=r"^X has 6 features, but the network has 5 inputs"):
        ts.forward_all([nets[0], critics(1, sizes=(5, 8, 1))[0]], X)
    with pytest.raises(ts.InputError, match=r"^dY must be one gradient, or a list of 2"):
        ts.forward_all(nets, X).backward([np.ones((20, 1))], states, rule)
    for name, arguments in (("optimizer_state", (states[:1], rule)), ("rule", (states, [rule]))):
        with pytest.raises(ts.InputError, match=f"^{name} must have one entry for each of 2 networks, not 1"):
            ts.forward_all(nets, X).backward(np.ones((20, 1)), *arguments)
    with pytest.raises(ts.InputError, match=r"^optimizer_state must be None where a network has several tapes"):
        ts.forward_all([nets[0], nets[0]], X).backward(np.ones((20, 1)), [states[0], states[0]], rule)
    with pytest.raises(ts.InputError, match=r"^into must have one entry"):
        ts.forward_all(nets, X).gradients(np.ones((20, 1)), into=[None])
