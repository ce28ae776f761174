"""Algorithms in ten lines each, on nothing but tapes: an actor's step of DDPG, contrastive divergence of an RBM."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts

# ---- DDPG ----


def actor_step(actor, critic, S, state, rule):
    """One step of the actor up the critic's value (Lillicrap et al., "Continuous control with deep reinforcement
    learning", 2016, algorithm 1), which the critic's weights do not take part in."""
    actor_tape = actor.forward(S, training=True)
    actions = np.tanh(actor_tape.output)
    critic_tape = critic.forward(np.hstack([S, actions]))
    ascent = np.full((len(S), 1), -1 / len(S))
    d_actions = critic_tape.backward(ascent, input_gradient=True)[:, S.shape[1] :]
    actor_tape.backward(d_actions * (1 - actions**2), state, rule)
    return critic_tape.output.mean()


@pytest.mark.parametrize("n", [7, 300])
def test_actor_step_of_ddpg_agrees_with_central_differences_through_both_networks(rng, n):
    options = {"epsilon": 4, "output": "identity", "dtype": "float64", "activation": "tanh"}
    actor, critic = ts.SparseMLP((4, 300, 300, 2), seed=0, **options), ts.SparseMLP((6, 300, 300, 1), seed=1, **options)
    S, optimizer = rng.standard_normal((n, 4)), ts.SGD(1.0, momentum=0.0)
    before = [(layer.values.copy(), layer.bias.copy()) for layer in actor.layers]
    critic_before = [layer.values.copy() for layer in critic.layers]
    actor_step(actor, critic, S, [layer.new_state(optimizer) for layer in actor.layers], optimizer.rule(0, 0.0, None))
    steps = [(layer.values - v, layer.bias - b) for layer, (v, b) in zip(actor.layers, before, strict=True)]
    for layer, (values, bias) in zip(actor.layers, before, strict=True):
        layer.values[:], layer.bias[:] = values, bias
    for layer, values in zip(critic.layers, critic_before, strict=True):
        np.testing.assert_array_equal(layer.values, values)

    def value():
        return critic.decision_function(np.hstack([S, np.tanh(actor.decision_function(S))])).mean()

    for layer, (weight_step, bias_step) in zip(actor.layers, steps, strict=True):
        for array, step in ((layer.values, weight_step), (layer.bias, bias_step)):
            for at in rng.integers(len(array), size=4):
                kept, found = array[at], []
                for h in (1e-5, -1e-5):
                    array[at] = kept + h
                    found.append(value())
                array[at] = kept
                assert step[at] == pytest.approx((found[0] - found[1]) / 2e-5, rel=1e-5, abs=1e-10)


# ---- restricted Boltzmann machine ----


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def contrastive_divergence(net, visible_bias, V0, U, rate):
    """CD-1 of one batch (Hinton, "Training products of experts by minimizing contrastive divergence", 2002). net: one
    sparse layer, visible to hidden; U: uniform numbers that sample the hidden units."""
    tape = net.forward(V0)
    H0 = sigmoid(tape.output)
    positive = tape.gradients(H0).parameters[0]  # sums of v h along connections, and of h
    V1 = sigmoid(net.forward(V0).backward((H0 > U).astype(V0.dtype), input_gradient=True) + visible_bias)
    tape = net.forward(V1)
    H1 = sigmoid(tape.output)
    negative = tape.gradients(H1).parameters[0]
    net.layers[0].values += rate * (positive[0] - negative[0]) / len(V0)
    net.layers[0].bias += rate * (positive[1] - negative[1]) / len(V0)
    visible_bias += rate * (V0 - V1).mean(axis=0)


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_contrastive_divergence_agrees_with_a_dense_machine(rng, storage):
    net = ts.SparseMLP((30, 20), epsilon=5, output="identity", storage=storage, seed=0)
    visible_bias, W = np.zeros(30), net.layers[0].weight.toarray().astype(np.float64)
    dense_visible, dense_hidden, there = np.zeros(30), np.zeros(20), net.layers[0].weight.toarray() != 0
    V0 = (rng.random((200, 30)) > 0.5).astype(np.float32)
    for _ in range(5):
        U = rng.random((200, 20))
        contrastive_divergence(net, visible_bias, V0, U, 0.1)
        H0 = sigmoid(V0 @ W.T + dense_hidden)
        V1 = sigmoid((H0 > U) @ W + dense_visible)
        H1 = sigmoid(V1 @ W.T + dense_hidden)
        W += 0.1 * there * (H0.T @ V0 - H1.T @ V1) / 200
        dense_hidden += 0.1 * (H0 - H1).mean(axis=0)
        dense_visible += 0.1 * (V0 - V1).mean(axis=0)
    np.testing.assert_allclose(net.layers[0].weight.toarray(), W, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(net.layers[0].bias, dense_hidden, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(visible_bias, dense_visible, rtol=1e-3, atol=1e-5)


# ---- twin critics with target networks ----


def test_twin_critics_learn_a_function(rng):
    nets = [ts.SparseMLP((3, 64, 1), epsilon=8, activation="relu", output="identity", seed=seed) for seed in (0, 1)]
    optimizer = ts.Adam(0.01)
    states = [[layer.new_state(optimizer) for layer in net.layers] for net in nets]
    X = rng.standard_normal((200, 3)).astype(np.float32)
    y = np.sin(X[:, :1])
    for step in range(300):
        tapes = ts.forward_all(nets, X, training=True)
        tapes.backward([(tape.output - y) * (2 / len(X)) for tape in tapes], states, optimizer.rule(step, 0.0, None))
    assert all(np.square(net.predict(X) - y).mean() < 0.02 for net in nets)
